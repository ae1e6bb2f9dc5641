"""Calls for half an hour over a lossy network while children of the server die: the load, the deaths, and the audit."""

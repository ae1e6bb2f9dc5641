"""Calls while the server is killed again and again and the receiver of callbacks fails: the load, the deaths, the verdict."""

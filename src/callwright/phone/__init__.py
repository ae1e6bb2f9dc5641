"""The test and demo telephone. It shares no code with the server, so that it can judge it."""

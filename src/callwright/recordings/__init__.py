"""Recordings: what was recorded of which leg, where the file is, and who may hear it."""

"""Telephone numbers a world owns, and the flow each is bound to."""

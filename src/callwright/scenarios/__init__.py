"""Scenarios: a call with its parties and web services, and what is to come of it, written down in YAML and tried."""

"""The compatible JSON: requests to values, values to answers and callbacks. Pure; it reads and sends nothing."""

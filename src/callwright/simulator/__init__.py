"""Engine no. 1: calls without SIP, on any clock."""

"""Writers of the record, killed at full speed: all that was acknowledged is there, nothing is half, counters are true."""

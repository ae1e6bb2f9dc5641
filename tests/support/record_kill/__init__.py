"""Writers of the record at full speed, killed by SIGKILL: what was acknowledged is there, nothing is half, counters are true."""

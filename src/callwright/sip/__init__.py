"""SIP: session descriptions, the engine in the core, and the signalling process."""

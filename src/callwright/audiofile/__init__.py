"""Sound on disk: 8 kHz, 16 bit, one or two channels, as a plain WAV or sealed, whole after any crash."""

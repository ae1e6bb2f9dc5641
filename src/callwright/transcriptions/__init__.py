"""Transcriptions: recordings written down, one after the other, by whoever is set up to do so."""

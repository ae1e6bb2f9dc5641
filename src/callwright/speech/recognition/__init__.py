"""Writing down what was spoken: by a model in a process of its own, by a service, or by nobody.

Each is a `telephony.Transcriber`. Sound is mono here; whoever has two channels asks twice.
"""

"""A whole platform in one process, for trying flows: simulated calls in virtual time, or the same calls over real SIP.

The switch, the flow engine, the lifecycle, the store and the rendering of callbacks are those of the server; only what lies
outside of it is played: the telephone network (`network`), the parties at its far ends (`parties`), voices and sounds
(`prompts`) and the web services that flows ask (`web`).
"""

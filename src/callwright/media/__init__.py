"""The sound of calls: RTP streams, prompts, keys and bridges, in a process of its own."""

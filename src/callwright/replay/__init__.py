"""A past call once more, from nothing but its journal: on the flow it had, or on another.

`record` reads the journal and says what of it is compared, `inputs` finds what came from outside and makes the `plan` of it,
`timeline` gives that back at its time, `follower` knows how far the replay has come, `engine` and `surroundings` are the world
around the switch, `playing` puts it all together, `differences` says what is not as it was, `exporting` makes a scenario of
the call, and `scenario_file` writes it.
"""

"""The call record: calls and legs, the tables of their life, the journal, and the events told to customers."""

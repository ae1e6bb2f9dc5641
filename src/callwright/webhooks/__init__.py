"""Callbacks: who is told of a call's events, in which order, how often it is tried, and how a receiver knows it was us.

The events of room `calls` are the outbox. `FanOut` turns them into deliveries, one per receiver; `Lanes` sends those of
one call and receiver one after the other, and everything else side by side.
"""

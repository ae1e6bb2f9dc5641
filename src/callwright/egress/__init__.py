"""The one door for HTTP out.

Every request the server makes on a customer's word (callbacks, flow fetches, media) leaves through a `Poster`, a
`Transport` or a `Streamer`. What really is all three, `callwright.egress.post.HttpDoor`, refuses an address where the socket
is made, so that names, literals, redirects and a resolver that changes its mind all pass the same gate. What goes wrong is a
value: see `Fault`.
"""

from callwright.egress.door import (
    REDIRECTS,
    Answer,
    Consumer,
    EgressSettings,
    Fault,
    Header,
    Poster,
    Streamer,
    Timings,
    Transport,
)
from callwright.egress.urls import MAX_REQUESTED, BadUrl, Url, onward, parse

__all__ = [
    "MAX_REQUESTED",
    "REDIRECTS",
    "Answer",
    "BadUrl",
    "Consumer",
    "EgressSettings",
    "Fault",
    "Header",
    "Poster",
    "Streamer",
    "Timings",
    "Transport",
    "Url",
    "onward",
    "parse",
]

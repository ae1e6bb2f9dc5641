"""For tests of your call flows, and of the programs around them: fixtures for pytest, and what they are made of.

    pip install 'callwright[testing]'

`simulated_call` has a call run through a flow in this process, in virtual time; `platform` is a real server for your programs
to speak to; `webhook_inbox` takes what it posts. docs/testing.md says which to use when.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callwright.rehearsal.parties import Act as Act
    from callwright.rehearsal.parties import Party as Party
    from callwright.rehearsal.prompts import SoundReply as SoundReply
    from callwright.rehearsal.web import Reply as Reply
    from callwright.rehearsal.web import Request as Request
    from callwright.testing.calls import SimulatedCall as SimulatedCall
    from callwright.testing.calls import SimulatedCalls as SimulatedCalls
    from callwright.testing.inbox import Callback as Callback
    from callwright.testing.inbox import WebhookInbox as WebhookInbox
    from callwright.testing.server import Answer as Answer
    from callwright.testing.server import Platform as Platform
    from callwright.testing.server import PlatformNotStarted as PlatformNotStarted
    from callwright.testing.services import asgi as asgi
    from callwright.testing.services import wsgi as wsgi

# What there is, and where. pytest loads this room whenever it runs, and little of it is needed then.
_PLACES = {
    "Act": "callwright.rehearsal.parties",
    "Answer": "callwright.testing.server",
    "Callback": "callwright.testing.inbox",
    "Party": "callwright.rehearsal.parties",
    "Platform": "callwright.testing.server",
    "PlatformNotStarted": "callwright.testing.server",
    "Reply": "callwright.rehearsal.web",
    "Request": "callwright.rehearsal.web",
    "SimulatedCall": "callwright.testing.calls",
    "SimulatedCalls": "callwright.testing.calls",
    "SoundReply": "callwright.rehearsal.prompts",
    "WebhookInbox": "callwright.testing.inbox",
    "asgi": "callwright.testing.services",
    "wsgi": "callwright.testing.services",
}

__all__ = [
    "Act",
    "Answer",
    "Callback",
    "Party",
    "Platform",
    "PlatformNotStarted",
    "Reply",
    "Request",
    "SimulatedCall",
    "SimulatedCalls",
    "SoundReply",
    "WebhookInbox",
    "asgi",
    "wsgi",
]

if importlib.util.find_spec("pytest") is None:
    raise ImportError("callwright.testing is a plug-in of pytest, which is not installed: pip install 'callwright[testing]'")


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"callwright.testing has no {name}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(place), name)

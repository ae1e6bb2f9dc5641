"""What the native interface is, for programs and readers: each module says the operations of the answerers it names.

Nothing here is imported until somebody asks for the document, so a server starts as fast as without it.
"""

from __future__ import annotations

from callwright import __version__
from callwright.native.described import calls, deliveries, dialling, events, flows, keys, recordings, server, webhooks
from callwright.native.described.common import FAILURE
from callwright.openapi.document import Interface

TAGS = {
    "calls": "Placing calls, finding them, and their whole story.",
    "recordings": "What was recorded, its waveform, and what was written down of it.",
    "numbers": "What can be called.",
    "flows": "What is done with a call.",
    "webhooks": "Who is told what happens, and how the programs behind the URLs do.",
    "deliveries": "What was sent to whom, how each attempt went, and sending it again.",
    "events": "What can be told of, and hearing it as it happens.",
    "keys": "Access keys, and what callbacks are signed with.",
    "server": "How the server is, and what it was told.",
}
SENTENCE = """\
The native interface of Callwright: the whole story of each call, and all that is set up around it. An access key opens one
world, live or test, over TCP. Over the control socket in the data folder the caller is the operator, without a key; the
header `Callwright-World` names the world there, live unless it says test. Times are RFC 3339 in UTC with microseconds. A
value that is not there is null."""


def interface() -> Interface:
    operations = [
        operation
        for module in (calls, dialling, recordings, flows, webhooks, deliveries, events, keys, server)
        for operation in module.OPERATIONS
    ]
    return Interface(
        title="Callwright",
        version=__version__,
        sentence=" ".join(SENTENCE.split()),
        tags=TAGS,
        operations=operations,
        failure=FAILURE,
    )

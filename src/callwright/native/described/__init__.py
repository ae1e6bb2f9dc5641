"""What the native interface is, for programs and readers: each module says the operations of the answerers it names.

Nothing here is imported until somebody asks for the document, so a server starts as fast as without it.
"""

from __future__ import annotations

from callwright import __version__
from callwright.native.described import calls, deliveries, dialling, events, flows, keys, recordings, server, webhooks
from callwright.native.described.common import FAILURE
from callwright.native.described.failures import FAILURES, failures_of
from callwright.native.described.links import linked
from callwright.openapi.document import Chapter, Interface

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
The whole story of each call, and all that is set up around it. An access key opens one world, live or test, over TCP. Over the
control socket in the data folder the caller is the operator, without a key; the header `Callwright-World` names the world
there, live unless it says test. Times are RFC 3339 in UTC with microseconds. A value that is not there is null."""


def chapter() -> Chapter:
    operations = [
        operation
        for module in (calls, dialling, recordings, flows, webhooks, deliveries, events, keys, server)
        for operation in module.OPERATIONS
    ]
    return Chapter(
        title="The native interface",
        sentence=" ".join(SENTENCE.split()),
        tags=TAGS,
        operations=linked(operations),
        failure=FAILURE,
        failures=FAILURES,
        failures_of=failures_of,
    )


def interface() -> Interface:
    """The native interface alone, as a control socket has it."""
    return Interface(title="Callwright", version=__version__, sentence="What there is over HTTP.", chapters=(chapter(),))

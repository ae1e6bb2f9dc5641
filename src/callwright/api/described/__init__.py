"""What the compatible interface is, for programs and readers: each module says the operations of the answerers it names.

Nothing here is imported until somebody asks for the document, so a server starts as fast as without it.
"""

from __future__ import annotations

from callwright.api.described import calls, flows, recordings, webhooks
from callwright.api.described.failures import failure, failures, failures_of
from callwright.api.routing import PREFIX
from callwright.dialect.strictness import Strictness
from callwright.openapi.document import Chapter

TAGS = {
    "voice calls": "Placing calls and looking at them and their legs.",
    "voice recordings": "What was recorded of a leg.",
    "voice transcriptions": "What was written down of a recording.",
    "voice flows": "What is done with a call.",
    "voice numbers": "What can be called.",
    "voice webhooks": "Who is told what happens.",
}
SENTENCE = """\
For programs written for the MessageBird Voice Calling API. Every path is served as it stands and behind `/v1`, with and without
a slash at the end; nothing is redirected. `HEAD` works where `GET` does, and on {methods} the query parameter `_method` puts
another method in its place. Bodies are read as JSON whatever their `Content-Type`: keys match whatever their case, those that
are not known are passed over, and so are unknown parameters of the query. Times are UTC in whole seconds."""


def chapter(strictness: Strictness) -> Chapter:
    """As the switches of a server have it."""
    methods = "`POST` and `GET`" if strictness.method_on_get else "`POST`"
    return Chapter(
        title="The compatible interface",
        sentence=" ".join(SENTENCE.format(methods=methods).split()),
        tags=TAGS,
        operations=[one for module in (calls, recordings, flows, webhooks) for one in module.operations(strictness)],
        failure=failure(strictness),
        failures=failures(strictness),
        failures_of=failures_of(strictness),
        prefixes=("", PREFIX),
    )

"""The native interface under ``/api``: what an operator and the command line need, and a call's whole story.

`native_app` answers at ``/keys``, ``/numbers`` …, to be mounted under ``/api``. Over the control socket the caller is the
operator: no key, the world named by the header ``Callwright-World``. Over TCP an access key opens its world.
"""

from callwright.native.asking import CONTROL_WORLD_HEADER, Authority, Calling, Limits, Parts
from callwright.native.exporting import Exports
from callwright.native.feed import line_of
from callwright.native.routes import control_app, native_app, published, refusal
from callwright.native.state import ChildState, ServerState

__all__ = [
    "CONTROL_WORLD_HEADER",
    "Authority",
    "Calling",
    "ChildState",
    "Exports",
    "Limits",
    "Parts",
    "ServerState",
    "control_app",
    "line_of",
    "native_app",
    "published",
    "refusal",
]

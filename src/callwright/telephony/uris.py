"""SIP URIs as they are written, on the wire and into records."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

DEFAULT_PORT: Final = 5060
# What stands in a user part as it is, beside letters and digits (RFC 3261 §25.1: mark, user-unreserved). `;` and `?` may, too;
# but there parameters and headers begin for those who read, and in a user that was read they were escaped.
USER_SAFE: Final = "-_.!~*'()&=+$,/"


def user_part(user: str) -> str:
    """A user, without escapes, as the part of a SIP URI before the ``@``."""
    return quote(user, safe=USER_SAFE)


def sip_uri(user: str, host: str, port: int = DEFAULT_PORT) -> str:
    """The URI of a user at a host."""
    return f"sip:{user_part(user)}@{host}" + (f":{port}" if port != DEFAULT_PORT else "")

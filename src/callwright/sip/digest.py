"""Digest credentials of an outgoing leg (RFC 3261 §22.2, RFC 8760)."""

from __future__ import annotations

from typing import Any

from sippy.SipHeader import SipHeader

CHALLENGES = {401: "www-authenticate", 407: "proxy-authenticate"}


class Credentials:
    """Username, password, and the challenges met so far: a proxy and the far end may each have one."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._challenges: dict[int, Any] = {}
        self._stale_accepted = False

    def accept(self, response: Any, *, tried: bool) -> bool:
        """Take the challenge of a 401 or 407; False when there is nothing (more) to answer it with.

        `tried` says that the request had credentials for it: then they are wrong, unless it says, once, that they were stale.
        """
        challenge = _first_computable(response)
        if challenge is None:
            return False
        if tried:
            if self._stale_accepted or not _is_stale(challenge):
                return False
            self._stale_accepted = True
        self._challenges[response.scode] = challenge
        return True

    def sign(self, request: Any, uri: str) -> None:
        """Add an Authorization or Proxy-Authorization field for each challenge met."""
        for challenge in self._challenges.values():
            _, qop = challenge.supportedAlgorithm()
            body = str(request.getBody() or "") if qop == "auth-int" else None
            proof = challenge.genAuthHF(self._username, self._password, request.getMethod(), uri, body, qop)
            request.appendHeader(SipHeader(body=proof))


def _first_computable(response: Any) -> Any:
    """The server lists what it takes by preference (RFC 8760 §2.4)."""
    try:
        challenges = response.getHFBodys(CHALLENGES[response.scode])
        for challenge in challenges:
            _decode(challenge)
    except (ValueError, IndexError):  # one that cannot be read, cannot be met
        return None
    return next((challenge for challenge in challenges if _is_computable(challenge)), None)


def _decode(challenge: Any) -> None:
    """Turn sippy's one character per byte into text for the digest, which is of UTF-8 (RFC 7616 §4); it leaves as it came."""
    for name in ("realm", "nonce", "opaque"):
        value = getattr(challenge, name)
        if value is not None and not value.isascii():
            setattr(challenge, name, value.encode("utf-8", "surrogateescape").decode("utf-8"))


def _is_computable(challenge: Any) -> bool:
    is_digest = str(challenge.body)[:7].lower() == "digest "
    return is_digest and None not in (challenge.realm, challenge.nonce) and challenge.supportedAlgorithm()[0]


def _is_stale(challenge: Any) -> bool:
    return any(name.lower() == "stale" and value.lower() == "true" for name, value in challenge.otherparams)

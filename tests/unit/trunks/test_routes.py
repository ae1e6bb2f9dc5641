"""Where outgoing legs go, and where they never go."""

import pytest

from callwright.reasons import Reason
from callwright.telephony import Target
from callwright.trunks.routes import NoRoute, Routes, SipUri, Trunk, parse_sip_uri

TRUNKS = (Trunk("first", "carrier.test", 5070, "user", "secret"), Trunk("second", "192.0.2.9"))
ROUTES = Routes(TRUNKS, ["pbx.test", "127.0.0.1:5080"], ["112", "911"])


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        ("+31 20 555 0199", Target("31205550199", "carrier.test", 5070, "user", "secret")),
        ("tel:+31205550199", Target("31205550199", "carrier.test", 5070, "user", "secret")),
        ("sip:alice@carrier.test", Target("alice", "carrier.test", 5070, "user", "secret")),
        ("sip:alice@CARRIER.test:5070;transport=udp", Target("alice", "carrier.test", 5070, "user", "secret")),
        ("sip:bob@192.0.2.9", Target("bob", "192.0.2.9", 5060)),
        ("sip:bob@pbx.test:5090", Target("bob", "pbx.test", 5090)),
        ("sip:bob%40home@127.0.0.1:5080", Target("bob@home", "127.0.0.1", 5080)),
    ],
)
def test_a_destination_that_is_allowed_has_a_target(destination: str, target: Target) -> None:
    assert ROUTES.target(destination) == target


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        ("112", Reason.NOT_ALLOWED),
        ("tel:911", Reason.NOT_ALLOWED),
        ("sip:bob@elsewhere.test", Reason.NOT_ALLOWED),
        ("sip:bob@127.0.0.1", Reason.NOT_ALLOWED),  # that port is not on the list
        ("sip:bob@carrier.test:9999", Reason.NOT_ALLOWED),
        ("sip:112@pbx.test", Reason.NOT_ALLOWED),
        ("client:alice", Reason.NO_ROUTE),
        ("sip:bob@pbx.test;transport=tcp", Reason.NO_ROUTE),
        ("sip:bob@pbx.test;maddr=192.0.2.1", Reason.NO_ROUTE),
        ("sip:bob@pbx.test?Subject=x", Reason.NO_ROUTE),
        ("sips:bob@pbx.test", Reason.NO_ROUTE),
        ("sip:bob@[2001:db8::1]", Reason.NO_ROUTE),
        ("sip:bob@pbx.test:0", Reason.NO_ROUTE),
    ],
)
def test_a_destination_that_is_not_allowed_says_why(destination: str, reason: Reason) -> None:
    with pytest.raises(NoRoute) as caught:
        ROUTES.target(destination)
    assert caught.value.reason is reason


def test_a_number_without_a_trunk_has_no_route() -> None:
    with pytest.raises(NoRoute, match=r"\[\[trunks\]\]") as caught:
        Routes((), ["pbx.test"], []).target("31205550199")
    assert caught.value.reason is Reason.NO_ROUTE


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:alice@host", SipUri("alice", "host", None)),
        ("SIP:alice:pw@Host:5061;lr;user=phone", SipUri("alice:pw", "host", 5061)),
        ("sip:alice@host;transport=UDP", SipUri("alice", "host", None)),
        ("sip:alice@host;lr;transport=tcp", SipUri("alice", "host", None, "transport=tcp")),
        ("sip:alice@host?Subject=x", SipUri("alice", "host", None, "?Subject=x")),
        ("sip:host", None),
        ("sip:@host", None),
        ("sip:a b@host", None),
        ("sip:a@", None),
        ("sip:a@host:port", None),
        ("sip:a@host:٥٠٦٠", None),
        ("http://host", None),
    ],
)
def test_sip_uris(text: str, uri: SipUri | None) -> None:
    assert parse_sip_uri(text) == uri

"""What a Refer-To and a Referred-By say."""

from __future__ import annotations

import pytest

from callwright.sip.refer_to import Unreferable, read, read_referred_by, refer_to


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("<sip:31612345678@example.org>", "sip:31612345678@example.org"),
        ('"Sales, 2nd floor" <sip:sales@example.org;user=phone>;x=y', "sip:sales@example.org;user=phone"),
        ("Sales <SIP:sales@example.org:5080>", "SIP:sales@example.org:5080"),
        ("sip:sales@example.org;x=y", "sip:sales@example.org"),  # a parameter of the field
        ("<sip:a@example.org;method=INVITE;transport=udp>", "sip:a@example.org;transport=udp"),
        ("<sip:a@example.org;Method=invite>", "sip:a@example.org"),
        ("<sip:a@example.org?Subject=hi&Priority=urgent>", "sip:a@example.org"),
        ("<sip:example.org>", "sip:example.org"),
        ("<tel:+31-6-12345678;phone-context=example.org>", "tel:+31-6-12345678;phone-context=example.org"),
        ("tel:+31612345678", "tel:+31612345678"),
        ("<31612345678>", "31612345678"),
        ("+31612345678", "+31612345678"),
        ("*21#", "*21#"),
    ],
)
def test_targets(value: str, target: str) -> None:
    assert read([value]) == target


@pytest.mark.parametrize(
    ("values", "code", "phrase"),
    [
        ([], 400, "Missing Refer-To"),
        ([""], 400, "Missing Refer-To"),
        (["<sip:a@b>", "<sip:c@d>"], 400, "More Than One Refer-To"),
        (["<sip:a@b>;x=y, <sip:c@d>"], 400, "More Than One Refer-To"),
        (["<sip:a@b"], 400, "Bad Refer-To"),
        (["sip:a@b>"], 400, "Bad Refer-To"),
        (["<>"], 400, "Bad Refer-To"),
        (["<sip:a b@c>"], 400, "Bad Refer-To"),
        (["<sip:a@b?>"], 400, "Bad Refer-To"),
        (["<sip:a@\u00e9>"], 400, "Bad Refer-To"),
        (["<tel:sales>"], 400, "Bad Refer-To"),
        (["nobody@example.org"], 400, "Bad Refer-To"),
        ([f"<sip:{'a' * 600}@b>"], 400, "Bad Refer-To"),
        (["<sips:a@b>"], 416, "Unsupported URI Scheme"),
        (["<mailto:a@b>"], 416, "Unsupported URI Scheme"),
        (["<sip:a@b;method=SUBSCRIBE>"], 501, "Only INVITE Can Be Referred"),
        (["<sip:a@b;method>"], 501, "Only INVITE Can Be Referred"),
        (["<sip:a@b?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>"], 501, "Attended Transfer Is Not Supported"),
        (["<sip:a@b?Subject=x&replaces=1>"], 501, "Attended Transfer Is Not Supported"),
    ],
)
def test_what_is_not_referred(values: list[str], code: int, phrase: str) -> None:
    with pytest.raises(Unreferable) as refused:
        read(values)
    assert (refused.value.code, refused.value.phrase) == (code, phrase)


@pytest.mark.parametrize(
    ("values", "uri"),
    [
        ([], ""),
        (["<sip:me@example.org>;cid=1"], "sip:me@example.org"),
        (["sip:me@example.org;x=y"], "sip:me@example.org"),
        (["<me"], ""),
        (["\u00e9"], ""),
    ],
)
def test_who_refers(values: list[str], uri: str) -> None:
    assert read_referred_by(values) == uri


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("31612345678", "sip:31612345678@example.org"),
        ("+31612345678", "sip:+31612345678@example.org"),
        ("#31#", "sip:%2331%23@example.org"),
        ("sip:a@b", "sip:a@b"),
        ("tel:+31612345678", "tel:+31612345678"),
        ("sip:a@b\r\nX: y", None),
        ("a@b", None),
    ],
)
def test_what_we_refer_to(target: str, uri: str | None) -> None:
    assert refer_to(target, "example.org") == uri

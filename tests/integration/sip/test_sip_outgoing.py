"""Outgoing calls: how they are placed, answered, refused, given up, and what credentials do."""

from __future__ import annotations

import asyncio
import hashlib
import re
from uuid import uuid4

import pytest

from callwright.sip import wire
from support.signalling import Core
from support.sip_peer import Message, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


def order(peer: Peer, **changes: object) -> wire.PlaceLeg:
    values: dict[str, object] = {
        "leg": uuid4(),
        "user": "3000",
        "host": "127.0.0.1",
        "address": "127.0.0.1",
        "port": peer.port,
        "caller": "1000",
        "sdp": sdp(),
    }
    return wire.PlaceLeg(**(values | changes))  # type: ignore[arg-type]


async def placed(core: Core, peer: Peer, **changes: object) -> tuple[wire.PlaceLeg, Message]:
    command = order(peer, **changes)
    core.send(command)
    return command, await peer.get("INVITE")


async def up(core: Core, peer: Peer, **changes: object) -> wire.PlaceLeg:
    command, invite = await placed(core, peer, **changes)
    peer.reply(invite, 200, body=sdp())
    await peer.get("ACK")
    await core.take(wire.LegAnswered, command.leg)
    return command


async def test_the_invite_on_the_wire(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer, host="trunk.example.org", max_forwards=17, hops=4)
    own = f"127.0.0.1:{core.address[1]}"
    assert invite.start == f"INVITE sip:3000@trunk.example.org:{peer.port} SIP/2.0"
    assert invite.get("From").startswith(f"<sip:1000@{own}>;tag=") or invite.get("From").startswith("<sip:1000@127.0.0.1>;tag=")
    assert invite.get("To") == "<sip:3000@trunk.example.org>"
    assert invite.get("Contact") == f"<sip:1000@{own}>"
    assert invite.get("Via").startswith(f"SIP/2.0/UDP {own};rport;branch=z9hG4bK")
    assert (invite.get("Max-Forwards"), invite.get("X-Callwright-Hops"), invite.get("User-Agent")) == ("17", "4", "Callwright")
    assert invite.get("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, NOTIFY"
    assert invite.body == sdp()
    peer.reply(invite, 404, "Not Found", fields=["Reason: Q.850;cause=1"])
    ack = await peer.get("ACK")
    assert ack.branch == invite.branch
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, 404, "Not Found", reason="Q.850;cause=1")


@pytest.mark.parametrize(
    ("caller", "user"),
    [
        ("+15551234", "+15551234"),
        ("sip:alice@example.org", "alice"),
        ("tel:+15551234;ext=1", "+15551234"),
        ("sip:example.org", "anonymous"),
        ("", "anonymous"),
        ("a b\r\nX", "a%20b%0D%0AX"),
        ("sip:%00%E2%80%A8@example.org", "%00%E2%80%A8"),
    ],
)
async def test_the_caller_is_a_user_of_ours(core: Core, peer: Peer, caller: str, user: str) -> None:
    _, invite = await placed(core, peer, caller=caller)
    assert invite.get("From").startswith(f"<sip:{user}@127.0.0.1>;tag=")
    peer.reply(invite, 480, "Gone")
    await peer.get("ACK")


async def test_each_leg_has_a_call_id_of_its_own(core: Core, peer: Peer) -> None:
    invites = [(await placed(core, peer))[1] for _ in range(3)]
    assert len({invite.get("Call-ID") for invite in invites}) == 3
    for invite in invites:
        peer.reply(invite, 480, "Gone")


async def test_several_18x_then_answer(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    for code, body in ((100, ""), (180, ""), (183, sdp()), (181, ""), (183, sdp(2))):
        peer.reply(invite, code, "Progress", body=body)
    peer.reply(invite, 200, body=sdp(2))
    ack = await peer.get("ACK")
    assert (ack.uri, ack.param("To", "tag")) == (f"sip:peer@127.0.0.1:{peer.port}", "far")
    leg = command.leg
    await core.take(wire.LegAnswered, leg)
    assert core.about(leg) == [
        wire.LegProgress(leg, 180, ""),
        wire.LegProgress(leg, 183, sdp()),
        wire.LegProgress(leg, 181, ""),
        wire.LegProgress(leg, 183, sdp(2)),
    ]
    core.send(wire.EndLeg(leg, "Q.850;cause=16"))
    bye = await peer.get("BYE")
    assert bye.get("Reason") == "Q.850;cause=16"
    peer.reply(bye, 200)
    assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "us")


async def test_answer_says_description_and_call_id(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.reply(invite, 200, body=sdp(5))
    await peer.get("ACK")
    answer = await core.take(wire.LegAnswered)
    assert answer == wire.LegAnswered(command.leg, sdp(5), invite.get("Call-ID"), answer.dialog)
    peer.reply(invite, 200, body=sdp(5))
    await peer.get("ACK")  # a repeated 200 is acknowledged again, and no news
    assert core.about(command.leg) == []
    core.send(wire.EndLeg(command.leg))
    peer.reply(await peer.get("BYE"), 200)


@pytest.mark.parametrize(
    ("code", "phrase", "fields"),
    [(486, "Busy Here", []), (600, "Busy Everywhere", []), (302, "Moved", ["Contact: <sip:x@127.0.0.1>"]), (503, "No", [])],
)
async def test_refusals_are_acknowledged_and_passed_on(
    core: Core, peer: Peer, code: int, phrase: str, fields: list[str]
) -> None:
    command, invite = await placed(core, peer)
    peer.reply(invite, 100, "Trying")
    peer.reply(invite, code, phrase, fields=fields)
    assert (await peer.get("ACK")).branch == invite.branch
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, code, phrase)


async def test_far_bye(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.reply(invite, 200, body=sdp())
    await peer.get("ACK")
    call = peer.call()
    call.call_id, call.to, call.caller = invite.get("Call-ID"), invite.get("From"), invite.get("To") + ";tag=far"
    call.send("BYE", fields=["Reason: SIP;cause=200", "Reason: Q.850;cause=16"])
    await peer.get(200)
    expected = wire.LegEnded(command.leg, "far", reason="SIP;cause=200, Q.850;cause=16")
    assert await core.take(wire.LegEnded, command.leg) == expected


async def test_cancel_while_it_rings(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.reply(invite, 180, "Ringing")
    await core.take(wire.LegProgress, command.leg)
    core.send(wire.EndLeg(command.leg, "SIP;cause=487"), wire.EndLeg(command.leg))
    cancel = await peer.get("CANCEL")
    assert (cancel.branch, cancel.get("Reason"), cancel.uri) == (invite.branch, "SIP;cause=487", invite.uri)
    peer.reply(cancel, 200)
    peer.reply(invite, 487, "Request Terminated")
    assert (await peer.get("ACK")).branch == invite.branch
    failed = await core.take(wire.LegFailed, command.leg)
    assert failed == wire.LegFailed(command.leg, 487, "Request Terminated", "cancelled")
    await peer.caught_up()
    await peer.nothing("CANCEL", "BYE", within=0.3)


async def test_cancel_is_held_until_a_provisional_response(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    core.send(wire.EndLeg(command.leg, "SIP;cause=487"))
    await peer.nothing("CANCEL", within=0.2)
    peer.reply(invite, 100, "Trying")
    cancel = await peer.get("CANCEL")
    assert cancel.get("Reason") == "SIP;cause=487"
    peer.reply(cancel, 200)
    peer.reply(invite, 487, "Request Terminated")
    assert (await core.take(wire.LegFailed, command.leg)).kind == "cancelled"


async def test_answer_that_crosses_our_cancel_is_let_go(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    core.send(wire.EndLeg(command.leg))
    await core.caught_up()
    peer.reply(invite, 200, body=sdp())
    assert (await peer.get("ACK", "BYE")).what == "ACK"
    bye = await peer.get("BYE")
    assert bye.param("To", "tag") == "far"
    peer.reply(bye, 200)
    assert await core.take(wire.LegEnded, command.leg) == wire.LegEnded(command.leg, "us", "late_answer")
    await core.take(wire.DialogOver, command.leg)
    assert core.about(command.leg) == []


async def test_cancel_that_nobody_answers(core: Core, peer: Peer) -> None:
    mute, invite = await placed(core, peer)
    core.send(wire.EndLeg(mute.leg))
    ringing, other = await placed(core, peer)
    peer.reply(other, 180, "Ringing")
    await core.take(wire.LegProgress, ringing.leg)
    core.send(wire.EndLeg(ringing.leg))
    peer.reply(await peer.get("CANCEL"), 200)  # and no 487
    for leg in (mute.leg, ringing.leg):
        failed = await core.take(wire.LegFailed, leg, within=15.0)
        assert (failed.code, failed.kind) == (0, "cancelled")
    assert invite.get("Call-ID") != other.get("Call-ID")


async def test_far_end_that_says_nothing(core: Core, peer: Peer) -> None:
    begun = asyncio.get_running_loop().time()
    command, _ = await placed(core, peer)
    failed = await core.take(wire.LegFailed, command.leg, within=15.0)
    assert failed == wire.LegFailed(command.leg, 0, "", "no_response")
    times = [message.at - begun for message in peer.seen("INVITE")]
    due = [0.05 * n for n in (0, 1, 3, 7, 15, 31, 63)]  # T1, doubling (RFC 3261 §17.1.1.2); the last is due when it is given up
    assert len(times) in (6, 7)
    assert all(at > soonest - 0.02 for at, soonest in zip(times, due, strict=False)), times


async def test_far_end_that_is_not_there(core: Core, peer: Peer) -> None:
    gone = Peer(core.address)
    gone.close()
    command = order(gone)
    core.send(command)
    failed = await core.take(wire.LegFailed, command.leg)
    assert failed == wire.LegFailed(command.leg, 0, "", "unreachable")
    # the error of that datagram hits nobody else
    other, invite = await placed(core, peer)
    peer.reply(invite, 486, "Busy Here")
    assert (await core.take(wire.LegFailed, other.leg)).code == 486


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"address": "trunk.example.org"}, "'trunk.example.org' is no IPv4 address"),
        ({"address": "::1"}, "'::1' is no IPv4 address"),
        ({"port": 0}, "0 is no port"),
        ({"host": "a b\r\nX: y"}, "'a b\\r\\nX: y' is no host"),
        ({"sdp": ""}, "there is no offer"),
    ],
)
async def test_an_order_that_cannot_be_carried_out(core: Core, peer: Peer, changes: dict[str, object], phrase: str) -> None:
    command = order(peer, **changes)
    core.send(command)
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, 0, phrase, "unreachable")


async def test_answer_without_a_tag_is_no_answer(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.send(
        "\r\n".join(
            [
                "SIP/2.0 200 OK",
                *(f"{name}: {invite.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")),
                f"Contact: <sip:peer@127.0.0.1:{peer.port}>",
                "Content-Length: 0",
                "",
                "",
            ]
        )
    )
    assert (await core.take(wire.LegFailed, command.leg)).code == 502


def with_unreadable_to(invite: Message, peer: Peer, start: str) -> str:
    lines = [
        f"SIP/2.0 {start}",
        *(f"{name}: {invite.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")),
        *("To: <bad", f"Contact: <sip:peer@127.0.0.1:{peer.port}>", "Content-Length: 0"),
    ]
    return "\r\n".join([*lines, "", ""])


async def test_refusal_whose_to_cannot_be_read(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.send(with_unreadable_to(invite, peer, "180 Ringing"))
    assert await core.take(wire.LegProgress, command.leg) == wire.LegProgress(command.leg, 180, "")
    peer.send(with_unreadable_to(invite, peer, "486 Busy Here"))
    assert (await peer.get("ACK")).branch == invite.branch
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, 486, "Busy Here")


async def test_answer_whose_to_cannot_be_read_is_no_answer(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.send(with_unreadable_to(invite, peer, "200 OK"))
    assert (await peer.get("ACK")).get("To") == invite.get("To")
    peer.reply(await peer.get("BYE"), 481)
    assert (await core.take(wire.LegFailed, command.leg)).code == 502


ALGORITHMS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
FIELDS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


def challenge(code: int, algorithm: str = "MD5", nonce: str = "abc", more: str = "") -> list[str]:
    return [f'{FIELDS[code][0]}: Digest realm="x, y",nonce="{nonce}",algorithm={algorithm},qop="auth"{more}']


def proves(request: Message, code: int, password: str = "pw") -> bool:
    """Whether a request has the right digest, computed from the RFC 7616 formula."""
    given = {
        name: quoted or plain
        for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]*))', request.get(FIELDS[code][1]))
    }
    digest = ALGORITHMS[given["algorithm"]]

    def hashed(text: str) -> str:
        return digest(text.encode()).hexdigest()

    secret = hashed(f"bob:{given['realm']}:{password}")
    what = hashed(f"{request.what}:{given['uri']}")
    right = hashed(f"{secret}:{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}:{what}")
    return given["response"] == right and given["uri"] == request.uri


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("code", FIELDS)
async def test_digest_for_invite_and_bye(core: Core, peer: Peer, code: int, algorithm: str) -> None:
    command, first = await placed(core, peer, username="bob", password="pw", max_forwards=9, hops=2)
    assert first.get(FIELDS[code][1]) == ""
    peer.reply(first, code, "Challenge", fields=challenge(code, algorithm))
    assert (await peer.get("ACK", "INVITE")).what == "ACK"  # before the next INVITE
    second = await peer.get("INVITE")
    assert proves(second, code)
    assert second.cseq[0] == first.cseq[0] + 1
    assert [second.get(name) for name in ("Max-Forwards", "X-Callwright-Hops", "Call-ID", "From")] == [
        first.get(name) for name in ("Max-Forwards", "X-Callwright-Hops", "Call-ID", "From")
    ]
    peer.reply(second, 200, body=sdp())
    await peer.get("ACK")
    await core.take(wire.LegAnswered, command.leg)
    core.send(wire.EndLeg(command.leg))
    bye = await peer.get("BYE")
    peer.reply(bye, code, "Challenge", fields=challenge(code, algorithm, "abd"))
    again = await peer.get("BYE")
    assert proves(again, code)
    assert again.cseq[0] == bye.cseq[0] + 1
    peer.reply(again, 200)
    assert await core.take(wire.LegEnded, command.leg) == wire.LegEnded(command.leg, "us")


async def test_proxy_and_far_end_may_both_ask(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer, username="bob", password="pw")
    peer.reply(invite, 407, "Challenge", fields=challenge(407))
    invite = await peer.get("INVITE")
    peer.reply(invite, 401, "Challenge", fields=challenge(401))
    invite = await peer.get("INVITE")
    assert proves(invite, 401)
    assert proves(invite, 407)
    peer.reply(invite, 407, "Challenge", fields=challenge(407))  # or it would go on for ever
    failed = await core.take(wire.LegFailed, command.leg)
    assert (failed.code, failed.kind) == (407, "auth")


async def test_wrong_password_stops(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer, username="bob", password="wrong")
    peer.reply(invite, 407, "Challenge", fields=challenge(407))
    invite = await peer.get("INVITE")
    assert not proves(invite, 407)
    peer.reply(invite, 407, "Still No", fields=challenge(407, nonce="next"))
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, 407, "Still No", "auth")
    await peer.caught_up()
    await peer.nothing("INVITE", within=0.3)


async def test_stale_is_tried_once_more(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer, username="bob", password="pw")
    for nonce, more in (("one", ""), ("two", ",stale=true"), ("three", ',stale="TRUE"')):
        peer.reply(invite, 401, "Challenge", fields=challenge(401, nonce=nonce, more=more))
        await peer.get("ACK")
        if nonce != "three":
            invite = await peer.get("INVITE")
            assert proves(invite, 401)
    failed = await core.take(wire.LegFailed, command.leg)
    assert (failed.code, failed.kind) == (401, "auth")


@pytest.mark.parametrize(
    "fields",
    [
        challenge(401, "SHA-1"),
        ["WWW-Authenticate: Digest"],
        ['WWW-Authenticate: Basic realm="x"'],
        [],
    ],
)
async def test_a_challenge_that_cannot_be_met(core: Core, peer: Peer, fields: list[str]) -> None:
    command, invite = await placed(core, peer, username="bob", password="pw")
    peer.reply(invite, 401, "Unauthorized", fields=fields)
    await peer.get("ACK")
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, 401, "Unauthorized", "auth")


async def test_letters_beyond_ascii_in_a_challenge(core: Core, peer: Peer) -> None:
    _, invite = await placed(core, peer, username="bob", password="pw")
    peer.reply(invite, 401, "Challenge", fields=[challenge(401, nonce="é")[0].replace("x, y", "Büro, 私")])
    invite = await peer.get("INVITE")
    assert proves(invite, 401)
    assert 'realm="Büro, 私",nonce="é"' in invite.get("Authorization")
    peer.reply(invite, 480, "Gone")


async def test_second_challenge_is_taken_when_the_first_is_unknown(core: Core, peer: Peer) -> None:
    _, invite = await placed(core, peer, username="bob", password="pw")
    peer.reply(invite, 401, "Challenge", fields=[*challenge(401, "SHA-1"), *challenge(401, "SHA-256")])
    invite = await peer.get("INVITE")
    assert proves(invite, 401)
    peer.reply(invite, 480, "Gone")


async def test_no_credentials(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.reply(invite, 401, "Unauthorized", fields=challenge(401))
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, 401, "Unauthorized", "auth")


async def test_cancelled_call_is_not_tried_with_credentials(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer, username="bob", password="pw")
    core.send(wire.EndLeg(command.leg))
    await core.caught_up()
    peer.reply(invite, 401, "Unauthorized", fields=challenge(401))
    failed = await core.take(wire.LegFailed, command.leg)
    assert (failed.code, failed.kind) == (401, "cancelled")
    await peer.nothing("BYE", within=0.2)


async def test_the_same_order_twice_is_one_leg(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    core.send(command)
    await core.caught_up()
    await peer.caught_up()
    assert {message.raw for message in peer.seen("INVITE")} == {invite.raw}
    peer.reply(invite, 486, "Busy Here")
    await core.take(wire.LegFailed, command.leg)
    assert core.about(command.leg) == []


@pytest.mark.parametrize(
    "fields",
    [
        *(["Contact: <bad"], ["Contact: *"], ["Record-Route: <bad", "Contact: <sip:far@192.0.2.1>"]),
        *(["Contact: <sip:far@127.0.0.1:99999999999999999999>"], ["Contact: <sip:far@127.0.0.1:0>"]),
    ],
)
async def test_answer_whose_target_cannot_be_read(core: Core, peer: Peer, fields: list[str]) -> None:
    command, invite = await placed(core, peer, host="trunk.example.org")
    peer.reply(invite, 200, body=sdp(), fields=fields)
    assert (await peer.get("ACK")).uri == invite.uri
    await core.take(wire.LegAnswered, command.leg)
    core.send(wire.EndLeg(command.leg))
    bye = await peer.get("BYE")
    assert bye.uri == invite.uri
    peer.reply(bye, 200)


async def test_refusal_whose_contact_cannot_be_read(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    peer.reply(invite, 302, "Moved", fields=["Contact: <bad"])
    await peer.get("ACK")
    assert await core.take(wire.LegFailed, command.leg) == wire.LegFailed(command.leg, 302, "Moved")


async def test_record_route_and_lower_case_contact(core: Core, peer: Peer) -> None:
    command, invite = await placed(core, peer)
    route = f"<sip:127.0.0.1:{peer.port};lr>"
    fields = [f"Record-Route: {route}", "Contact: <sip:far@192.0.2.1;transport=UDP>"]
    peer.reply(invite, 200, body=sdp(), fields=fields)
    ack = await peer.get("ACK")
    assert (ack.uri, ack.get("Route")) == ("sip:far@192.0.2.1;transport=UDP", route)
    core.send(wire.EndLeg(command.leg))
    bye = await peer.get("BYE")
    assert (bye.uri, bye.get("Route")) == ("sip:far@192.0.2.1;transport=UDP", route)
    peer.reply(bye, 200)

"""Messages that are wrong or odd, one a file in `torture`, each named by what is the matter with it.

In the files ``{us}`` stands for our address and port, ``{peer}`` and ``{port}`` for those of the sender.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from callwright.sip import wire
from support.signalling import SETTINGS, Core
from support.sip_peer import Message, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")

TORTURE = Path(__file__).with_name("torture")
ANSWERS = range(100, 700)

# What is odd but lawful, or wrong without harm, is a call: from whom and to whom.
CALLS = {
    "blank_lines_before_the_start": ("1000", "2000"),
    "blanks_around_colons": ("1000", "2000"),
    "body_without_content_type": ("1000", "2000"),
    "compact_forms_only": ("1000", "2000"),
    "contact_with_quoted_comma": ("1000", "2000"),
    "contact_without_brackets": ("1000", "2000"),
    "content_length_missing": ("1000", "2000"),
    "content_length_too_small_by_a_tail": ("1000", "2000"),
    "cseq_just_below_its_limit": ("1000", "2000"),
    "cseq_with_leading_zeros": ("1000", "2000"),
    "extension_that_is_only_supported": ("1000", "2000"),
    "from_host_that_is_no_text": ("sip:a@b\ufffd", "2000"),
    "from_name_in_utf8_and_latin1": ("1000", "2000"),
    "from_name_with_escaped_quotes": ("1000", "2000"),
    "from_without_brackets": ("1000", "2000"),
    "from_without_tag": ("1000", "2000"),
    "header_folded_over_three_lines": ("1000", "2000"),
    "header_names_in_odd_case": ("1000", "2000"),
    "line_ends_without_carriage_return": ("1000", "2000"),
    "max_forwards_beyond_255": ("1000", "2000"),
    "max_forwards_missing": ("1000", "2000"),
    "max_forwards_of_zero": ("1000", "2000"),
    "proxy_require_of_unknown": ("1000", "2000"),
    "request_uri_host_that_is_no_text": ("1000", "sip:31\ufffdz"),
    "request_uri_of_a_tel_number": ("1000", "+1-555-0100"),
    "request_uri_with_escapes": ("1000", "2000"),
    "request_uri_with_password_and_parameters": ("1000", "2000"),
    "request_uri_without_user": ("1000", "sip:127.0.0.1"),
    "route_that_is_ourselves": ("1000", "2000"),
    "sips_in_request_uri": ("1000", "2000"),
    "two_equal_content_lengths": ("1000", "2000"),
    "two_vias_in_one_field": ("1000", "2000"),
    "unknown_header_fields": ("1000", "2000"),
    "version_in_small_letters": ("1000", "2000"),
    "via_branch_is_the_cookie_alone": ("1000", "2000"),
    "via_of_an_unknown_transport": ("1000", "2000"),
    "via_of_another_host": ("1000", "2000"),
    "via_of_tcp": ("1000", "2000"),
    "via_with_blanks": ("1000", "2000"),
    "via_with_hidden_branch": ("1000", "2000"),
    "via_with_received_of_a_stranger": ("1000", "2000"),
    "via_without_branch": ("1000", "2000"),
}

ANSWERED = {
    "body_compressed": "415 Unsupported Media Type",
    "body_of_unknown_type": "415 Unsupported Media Type",
    "bye_of_no_dialog": "481 Call/Transaction Does Not Exist",
    "bye_without_to_tag": "481 Call/Transaction Does Not Exist",
    "cancel_of_nothing": "481 Call Leg/Transaction Does Not Exist",
    "contact_of_mail": "400 Bad Contact",
    "contact_that_is_a_star": "400 Bad Contact",
    "contact_with_unquoted_comma": "400 Bad Contact",
    "contact_without_host": "400 Bad Contact",
    "content_length_in_words": "400 Bad Request - Content-Length is no number of bytes in a datagram",
    "content_length_negative": "400 Bad Request - Content-Length is no number of bytes in a datagram",
    "content_length_too_large": "400 Bad Request - Truncated SIP body, 9999 bytes expected, 149 received",
    "content_length_without_body": "400 Bad Request - Missed SIP body, 20 bytes expected",
    "cseq_beyond_31_bits": "400 Bad CSeq",
    "cseq_beyond_32_bits": "400 Bad CSeq",
    "cseq_in_words": "400 Bad Request",
    "cseq_method_differs": "400 Bad CSeq",
    "cseq_negative": "400 Bad CSeq",
    "cseq_with_an_underscore": "400 Bad CSeq",
    "cseq_without_method": "400 Bad Request",
    "empty_call_id": "400 Bad Call-ID",
    "expires_beyond_32_bits": "400 Bad Expires",
    "expires_in_words": "400 Bad Expires",
    "field_without_colon": "400 Bad Request",
    "from_that_cannot_be_read": "400 Bad From",
    "from_with_an_open_quote": "400 Bad Request",
    "http_in_request_uri": "416 Unsupported URI Scheme",
    "max_forwards_in_words": "400 Bad Request",
    "method_in_small_letters": "405 Method Not Allowed",
    "method_nobody_knows": "405 Method Not Allowed",
    "method_of_punctuation": "405 Method Not Allowed",
    "no_call_id": "400 Missing Call-ID",
    "no_contact": "400 Bad Contact",
    "no_cseq": "400 Missing CSeq",
    "no_from": "400 Missing From",
    "no_to": "400 Missing To",
    "options_to_a_name": "200 OK",
    "options_with_a_to_that_cannot_be_read": "400 Bad Request",
    "options_with_a_body": "200 OK",
    "request_uri_in_angle_brackets": "400 Bad Request-URI",
    "request_uri_with_a_blank": "400 Bad Request-URI",
    "request_uri_with_a_port_beyond_all": "400 Bad Request-URI",
    "request_uri_without_host": "400 Bad Request-URI",
    "require_of_unknown": "420 Bad Extension",
    "require_of_unknown_on_options": "420 Bad Extension",
    "to_that_cannot_be_read": "400 Bad Request",
    "to_tag_of_no_dialog": "481 Call/Transaction Does Not Exist",
    "two_call_ids": "400 More Than One Call-ID",
    "two_cseqs": "400 More Than One CSeq",
    "two_froms": "400 More Than One From",
    "two_max_forwards": "400 More Than One Max-Forwards",
    "two_tos": "400 More Than One To",
    "unknown_scheme_in_request_uri": "416 Unsupported URI Scheme",
    "version_of_the_future": "505 Version Not Supported",
}

# What cannot be told apart or could not be answered to whoever sent it is dropped and counted.
DROPPED = {
    *("content_length_in_compact_and_long_form", "two_content_lengths", "line_separators_inside_a_field", "nul_in_from"),
    *("no_via", "only_a_start_line", "version_missing", "ack_with_wrong_version"),
    *("via_that_cannot_be_read", "via_with_a_port_beyond_all"),
}

# Nobody waits for an answer to an ACK or to a response.
PASSED_OVER = {
    "ack_of_nothing",
    *("response_to_nothing", "response_with_code_beyond_all", "response_without_phrase"),
}

# What RFC 4475 has beside these. Its cases are named there by a short word, here by what is odd or wrong.
CALLS |= {
    "accept_of_nothing_we_speak": ("1000", "2000"),
    "authorization_of_an_unknown_scheme": ("1000", "2000"),
    "blanks_behind_the_start_line": ("1000", "2000"),
    "blanks_too_many_in_the_start_line": ("1000", "2000"),
    "body_of_two_parts_one_a_description": ("1000", "2000"),
    "date_of_another_time_zone": ("1000", "2000"),
    "everything_odd_at_once": ("1000", "2000"),
    "fields_as_long_as_a_datagram_may_bear": ("1000", "2000"),
    "no_blank_between_name_and_address": ("1000", "2000"),
    "percent_that_escapes_nothing": ("1000", "2000%Z%4"),
    "request_uri_with_an_escaped_nul": ("1000", "2%00000"),
    "request_uri_with_header_fields": ("1000", "2000"),
    "request_uri_with_parameters_in_the_user": ("1000", "2000"),
    "separators_too_many_in_contact": ("1000", "2000"),
    "syntax_of_rfc_2543": ("1000", "2000"),
    "trailing_bytes_behind_the_body": ("1000", "2000"),
    "via_transports_of_every_kind": ("1000", "2000"),
}
ANSWERED |= {
    "body_of_parts_without_boundary": "415 Unsupported Media Type",
    "body_of_two_parts_none_a_description": "415 Unsupported Media Type",
    "contact_with_a_port_beyond_all": "400 Bad Contact",
    "contact_with_a_port_of_zero": "400 Bad Contact",
    "from_of_an_unknown_scheme": "400 Bad Request",
    "max_forwards_and_expires_beyond_all": "400 Bad Expires",
    "method_and_fields_of_every_lawful_character": "405 Method Not Allowed",
    "method_nobody_knows_and_cseq_of_another": "400 Bad CSeq",
    "name_of_no_tokens": "400 More Than One From",
    "register": "405 Method Not Allowed",
    "request_uri_of_a_known_scheme_nobody_calls": "416 Unsupported URI Scheme",
    "require_and_proxy_require_of_unknown": "420 Bad Extension",
    "separators_too_many_in_via": "400 Bad Request",
    "to_of_an_unknown_scheme": "400 Bad Request",
    "to_with_blanks_in_its_uri": "400 Bad Request",
}
PASSED_OVER |= {
    *("response_with_a_broadcast_via", "response_with_phrase_in_utf8", "response_with_scalars_beyond_all"),
    "response_without_a_blank_after_the_code",
}


async def test_every_file_has_its_outcome() -> None:
    named = [*CALLS, *ANSWERED, *DROPPED, *PASSED_OVER]
    assert sorted(named) == sorted(path.stem for path in TORTURE.glob("*.sip"))


def torture(name: str, peer: Peer) -> bytes:
    text = (TORTURE / f"{name}.sip").read_bytes()
    for word, value in (("us", "{}:{}".format(*peer.target)), ("peer", f"{peer.host}:{peer.port}"), ("port", str(peer.port))):
        text = text.replace(f"{{{word}}}".encode(), value.encode())
    return text


def in_dialog(method: str, response: Message, cseq: int, peer: Peer) -> str:
    """A request in the dialog of a response, whose From and To are taken as they came."""
    target = response.get("Contact").partition("<")[2].partition(">")[0]
    lines = [
        f"{method} {target} SIP/2.0",
        f"Via: SIP/2.0/UDP {peer.host}:{peer.port};branch=z9hG4bK{method}{cseq}x{peer.port}",
        *(f"{name}: {response.get(name)}" for name in ("From", "To", "Call-ID")),
        *(f"CSeq: {cseq} {method}", "Max-Forwards: 70", "Content-Length: 0"),
    ]
    return "\r\n".join([*lines, "", ""])


async def answer_and_end(core: Core, peer: Peer, leg_at: tuple[str, str]) -> None:
    arrived = await core.take(wire.LegArrived)
    assert (arrived.source, arrived.destination) == leg_at
    assert arrived.sdp.startswith("v=0")
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    response = await peer.get(200)
    number = response.cseq[0]
    peer.send(in_dialog("ACK", response, number, peer))
    await core.take(wire.AnswerSent, arrived.leg)
    peer.send(in_dialog("BYE", response, number + 1, peer))
    ended = await peer.get(200)
    assert ended.cseq == (number + 1, "BYE")
    await core.take(wire.LegEnded, arrived.leg)


async def plain_call(core: Core, peer: Peer) -> None:
    peer.call().invite()
    await answer_and_end(core, peer, ("1000", "2000"))


@pytest.mark.parametrize("name", CALLS)
async def test_an_odd_message_is_a_call(core: Core, peer: Peer, name: str) -> None:
    peer.send(torture(name, peer))
    await answer_and_end(core, peer, CALLS[name])
    await plain_call(core, peer)


@pytest.mark.parametrize("name", ANSWERED)
async def test_a_wrong_message_is_answered(core: Core, peer: Peer, name: str) -> None:
    text = torture(name, peer)
    peer.send(text)
    response = await peer.get(*ANSWERS)
    assert response.start == f"SIP/2.0 {ANSWERED[name]}"
    assert name == "no_to" or response.param("To", "tag") != ""
    peer.send(text)
    assert (await peer.again(*ANSWERS)).raw == response.raw
    assert not [message for message in core.said if isinstance(message, wire.LegArrived)]
    peer.send(in_dialog("ACK", response, 1, peer))
    await plain_call(core, peer)


@pytest.mark.parametrize("name", sorted(DROPPED | PASSED_OVER))
async def test_what_gets_no_answer(core: Core, peer: Peer, name: str) -> None:
    peer.send(torture(name, peer))
    probe = peer.call()
    probe.send("OPTIONS")  # one after the other: what is answered first was sent first
    await peer.get(200)
    await plain_call(core, peer)
    assert {message.get("Call-ID").rpartition("-")[2] for message in peer.log} == {str(peer.port)}
    us = f"127.0.0.1:{peer.port}"
    assert [message for message in core.said if getattr(message, "address", us) == us] == []  # others are told of once a second


async def test_what_is_dropped_is_counted_and_keeps_nothing() -> None:
    core = await Core(SETTINGS).start()
    peer = Peer(core.address)
    for name in sorted(DROPPED | PASSED_OVER | {"two_cseqs", "version_of_the_future"}):  # those two are counted and answered
        peer.send(torture(name, peer))
    for _ in range(10):
        await core.load()
        if sum(load.garbage for load in core.loads) >= len(DROPPED) + 2:
            break
    await core.load()  # one more, for there may be more than there should
    loads = list(core.loads)
    peer.close()
    out, err = await core.stop()
    assert (sum(load.garbage for load in loads), loads[-1].live) == (len(DROPPED) + 2, 0)
    assert (out, "sip_fault" in err) == ("", False), err


async def test_what_asks_for_more_says_what_is_spoken(core: Core, peer: Peer) -> None:
    wanted = {
        "body_compressed": ("Accept-Encoding", "identity"),
        "body_of_unknown_type": ("Accept", "application/sdp"),
        "require_of_unknown_on_options": ("Unsupported", "teleport"),
        "method_nobody_knows": ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, NOTIFY"),
    }
    found = {}
    for name, (field, _) in wanted.items():
        peer.send(torture(name, peer))
        found[name] = (field, (await peer.get(*ANSWERS)).get(field))
    assert found == wanted

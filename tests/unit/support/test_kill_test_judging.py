"""What the kill test takes for a fault: each way to spoil a good log of a receiver is told from a good one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from support.kill_test.judging import Judge, Lane, Message, Silence
from support.kill_test.receiver import Arrival, read, write

CALLS = ("call-a", "call-b")
URL = "http://127.0.0.1:1/hook"
STATUSES = ("starting", "ongoing", "ended")
DUE = {
    Lane(call, URL): [Message(f"{call}-{n}", "callCreated" if n == 1 else "callUpdated", STATUSES[n - 1]) for n in range(1, 4)]
    for call in CALLS
}


def request(call: str, n: int, answer: str = "200") -> Arrival:
    kind = "callCreated" if n == 1 else "callUpdated"
    payload = {"id": call, "status": STATUSES[(n - 1) % 3]}
    body = json.dumps({"items": [{"type": "call", "event": kind, "payload": payload}]}).encode()
    return Arrival(n, URL, {"webhook-id": f"{call}-{n}", "webhook-sequence": str(n)}, body, answer)


def good() -> list[Arrival]:
    """Two lanes, and an event that was not taken at first."""
    return [
        request("call-a", 1),
        request("call-b", 1),
        request("call-a", 2, "500"),
        request("call-b", 2),
        request("call-a", 2),
        request("call-a", 3),
        request("call-b", 3),
    ]


def judged(arrivals: list[Arrival], signature_faults: Callable[[Lane, Arrival], list[str]] = lambda lane, arrival: []) -> Judge:
    judge = Judge(DUE, signature_faults)
    for arrival in arrivals:
        judge.take(arrival)
    judge.finish()
    return judge


def changed(arrival: Arrival, **headers: str) -> Arrival:
    return msgspec.structs.replace(
        arrival, headers=arrival.headers | {name.replace("_", "-"): value for name, value in headers.items()}
    )


def without_one(log: list[Arrival]) -> None:
    del log[6]


def without_one_amid(log: list[Arrival]) -> None:
    del log[3]


def never_taken(log: list[Arrival]) -> None:
    log[6] = msgspec.structs.replace(log[6], answer="reset")


def swapped(log: list[Arrival]) -> None:
    log[3], log[6] = log[6], log[3]


def another_id(log: list[Arrival]) -> None:
    log[5] = changed(log[5], webhook_id="somebody")


def another_id_of_a_duplicate(log: list[Arrival]) -> None:
    log[4] = changed(log[4], webhook_id="somebody")


def another_sequence_of_a_duplicate(log: list[Arrival]) -> None:
    log[4] = changed(log[4], webhook_sequence="7")


def another_body_of_a_duplicate(log: list[Arrival]) -> None:
    log[4] = msgspec.structs.replace(log[4], body=log[4].body + b" ")


def another_events_body(log: list[Arrival]) -> None:
    log[0] = msgspec.structs.replace(log[0], body=log[0].body.replace(b"callCreated", b"callUpdated"))


def another_status(log: list[Arrival]) -> None:
    log[5] = msgspec.structs.replace(log[5], body=log[5].body.replace(b"ended", b"ongoing"))


def numbers_with_a_hole(log: list[Arrival]) -> None:
    log[5] = changed(log[5], webhook_sequence="4")


def ahead_of_time(log: list[Arrival]) -> None:
    log[4], log[5] = log[5], log[4]


def a_gap(log: list[Arrival]) -> None:
    log[5] = changed(log[5], webhook_gap="1")


def from_nowhere(log: list[Arrival]) -> None:
    log.append(request("call-c", 1))


def once_too_many(log: list[Arrival]) -> None:
    log.append(request("call-a", 4))


def elsewhere(log: list[Arrival]) -> None:
    log.append(msgspec.structs.replace(log[0], url=URL + "/other"))


def not_a_callback(log: list[Arrival]) -> None:
    log.append(msgspec.structs.replace(log[0], body=b"{}"))


SPOILT = {
    without_one: "a committed event never arrived",
    without_one_amid: "the sequence of first arrivals has a hole or is out of order",
    never_taken: "an event was given up before it was taken",
    swapped: "events arrived in another order than they were committed",
    another_id: "an event arrived that was not committed",
    another_id_of_a_duplicate: "an event arrived that was not committed",
    another_sequence_of_a_duplicate: "a repeated event has another sequence",
    another_body_of_a_duplicate: "one event came with different bodies",
    another_events_body: "a body tells of something else than its event",
    another_status: "a body tells of something else than its event",
    numbers_with_a_hole: "the sequence of first arrivals has a hole or is out of order",
    ahead_of_time: "an event came before the one ahead of it was taken",
    a_gap: "a request says that there is a gap",
    from_nowhere: "a request came for a call and URL that has no events",
    once_too_many: "an event arrived that was not committed",
    elsewhere: "a request came for a call and URL that has no events",
    not_a_callback: "a body is not a callback",
}


def test_a_good_log_has_no_fault() -> None:
    found = judged(good())
    assert found.faults == {}
    assert (found.requests, found.duplicates, found.answers) == (7, 1, {"200": 6, "500": 1})


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_log_has_one(spoil: Callable[[list[Arrival]], None]) -> None:
    log = good()
    spoil(log)
    assert SPOILT[spoil] in judged(log).faults


def test_a_bad_signature_is_a_fault() -> None:
    assert judged(good(), lambda lane, arrival: ["bad"] if arrival.at_ns == 3 else []).faults == {"bad": 2}


@pytest.mark.parametrize(
    ("end", "longest"),
    [
        (8, 3),  # between two requests
        (20, 13),  # from the last request to the end
        (1, 1),  # nothing but the beginning and the end
    ],
)
def test_the_longest_silence_is_within_the_load(end: int, longest: int) -> None:
    silence = Silence(0, end * 10**9)
    for at in (1, 2, 5, 6, 7, 30, 31):
        silence.hear(at * 10**9)
    assert silence.seconds == longest


def test_what_was_written_down_is_read_again(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb", buffering=0) as file:
        for one in good():
            write(file.fileno(), one)
    assert list(read(tmp_path / "log")) == good()

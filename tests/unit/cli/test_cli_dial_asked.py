"""What a caller of ``callwright dial`` is told to do, and when the telephone does it."""

from __future__ import annotations

import pytest
import typer

from callwright.cli.control import NoServer
from callwright.cli.dial import Doings, Telling
from callwright.cli.dial_sip import Queue, _digits, _not_taken


def test_keys_and_texts_wait_for_the_flow_or_have_their_time() -> None:
    assert Doings(keys=["1", "2#"], says=["Yes."], hangup_after=9.0).acts() == [
        {"press": "1", "whenAsked": True},
        {"press": "2#", "whenAsked": True},
        {"says": "Yes.", "whenAsked": True},
        {"at": 9.0, "hangsUp": True},
    ]
    assert Doings(keys=["12", "3"], keys_after=2.0, gap=0.5, says=["Yes."], say_after=4.0).acts() == [
        {"press": "12", "at": 2.0},
        {"press": "3", "at": 3.0},
        {"says": "Yes.", "at": 4.0},
    ]


FLOW = {"steps": [{"id": "ask", "action": "say", "onKeypressVar": "x"}, {"id": "tell", "action": "say"}]}
BEGINS = {"kind": "flow_started", "flow": FLOW}
ASKS, TELLS = ({"kind": "step_started", "step": step, "action": "say"} for step in ("ask", "tell"))
TOLD = {"kind": "step_ended", "step": "tell"}
RECORDED_AT = 1_714_644_000.0
RECORDS = {"kind": "recording_made", "recording": "r", "at": "2024-05-02T10:00:00.000Z"}


def heard(queue: Queue, *silences: bool) -> list[tuple[str, str] | None]:
    """What is done after each, when the journal has nothing new."""
    done = []
    for silence in silences:
        queue.hears(silence, RECORDED_AT + 5)
        done.append(queue.replies())
    return done


def test_keys_are_for_the_steps_that_listen() -> None:
    queue = Queue(["1", "2"], [])
    assert queue.reads([BEGINS, ASKS]) == [(1.0, "digits", "1")]
    assert queue.reads([TELLS]) == []
    assert queue.reads([ASKS, ASKS]) == [(1.0, "digits", "2")]


def test_steps_without_an_id_are_known_by_their_place() -> None:
    queue = Queue(["1"], [])
    assert queue.reads([{"kind": "flow_answered", "flow": {"steps": [{"action": "hangup"}, {"endKey": "#"}]}}]) == []
    news = [{"kind": "step_started", "step": f"step-{n}", "action": "pause"} for n in (1, 2)]
    assert queue.reads(news) == [(1.0, "digits", "1")]


def test_silence_after_a_prompt_is_replied_to_once() -> None:
    queue = Queue([], ["a.wav", "b.wav"])
    assert heard(queue, True) == [None]  # nothing was said yet
    assert heard(queue, False, True, True) == [None, ("play", "a.wav"), None]
    assert heard(queue, False, False, True) == [None, None, ("play", "b.wav")]
    assert heard(queue, False, True) == [None, None]


def test_the_prompt_of_a_step_that_is_replied_to_with_keys_has_its_reply() -> None:
    queue = Queue(["1"], ["a.wav"])
    assert queue.reads([BEGINS, ASKS]) == [(1.0, "digits", "1")]
    assert heard(queue, False, True) == [None, None]
    assert queue.reads([TELLS]) == []
    assert heard(queue, False, True, True) == [None, None, None]  # a pause in it
    assert queue.reads([TOLD]) == []
    assert queue.replies() == ("play", "a.wav")


def test_a_prompt_that_began_before_its_step_was_read_is_replied_to() -> None:
    queue = Queue(["1"], ["a.wav"])
    queue.reads([BEGINS, ASKS])
    assert heard(queue, False) == [None]
    queue.reads([TELLS, TOLD])
    assert heard(queue, True) == [("play", "a.wav")]


def test_a_recording_gets_the_texts_and_other_silence_the_keys_first() -> None:
    queue = Queue(["1"], ["a.wav", "b.wav"])
    assert queue.reads([RECORDS]) == [(0.5, "play", "a.wav")]
    assert heard(queue, True, False, True) == [None, None, ("digits", "1")]


@pytest.mark.parametrize("read_first", [0, 1, 2])
def test_the_beep_of_a_recording_is_no_prompt(read_first: int) -> None:
    queue = Queue(["1"], ["a.wav"])
    for n, silence in enumerate((False, True, True)):
        if n == read_first:
            assert queue.reads([RECORDS]) == [(0.5, "play", "a.wav")]
            assert queue.replies() is None
        queue.hears(silence, RECORDED_AT - 0.3 + n / 10)
    assert queue.replies() is None
    assert heard(queue, False, True) == [None, ("digits", "1")]


@pytest.mark.parametrize(
    ("end", "said", "remedy"),
    [
        ({"event": "refused", "code": 404}, "31 is no number of the live world.", "callwright numbers add 31 --flow FLOW_ID"),
        ({"event": "refused", "code": 403, "phrase": "Forbidden"}, "The call was refused: 403 Forbidden.", "from loopback"),
        ({"event": "refused", "code": 503, "phrase": ""}, "The call was refused: 503.", "callwright health"),
        ({"event": "refused", "code": 408, "phrase": "Timeout"}, "Nothing answered the call.", "callwright health"),
        ({"event": "ended", "code": 487}, "It was hung up before the server took the call.", "callwright health"),
    ],
)
def test_a_call_that_is_not_taken_is_told_of_with_what_to_do(end: dict[str, object], said: str, remedy: str) -> None:
    refusal = _not_taken("31", end)
    assert str(refusal) == said
    assert remedy in refusal.remedy


def test_only_numbers_are_dialled() -> None:
    assert _digits("+31 20 555 0100", "number") == "31205550100"
    with pytest.raises(typer.BadParameter, match="'a@b': write a number such as 31205550100"):
        _digits("a@b", "--from")


def test_a_call_whose_server_is_gone_is_found_later() -> None:
    class Server:
        def get(self, path: str, *, world: str) -> object:
            raise NoServer("The server went away.")

    with pytest.raises(NoServer, match="The server went away") as error:
        Telling(Server(), "c", "test", quiet=False).look()  # type: ignore[arg-type]
    assert getattr(error.value, "remedy", "").endswith("once it runs again: callwright journal c")


def test_what_is_told_stays_on_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"at": "2024-05-02T10:00:00Z", "kind": "teleported\x1b[2J"}
    call = {"id": "c", "world": "test", "source": "1\n\u202e", "destination": "2", "status": "ended", "legs": []}

    class Server:
        def get(self, path: str, *, world: str) -> object:
            return {"data": [entry]} if path.endswith("/journal") else call

    Telling(Server(), "c", "test", quiet=False).look()  # type: ignore[arg-type]
    head, line = capsys.readouterr().out.splitlines()
    assert head == r"call c (test), 1\n\u202e to 2"
    assert r"teleported\x1b[2J" in line

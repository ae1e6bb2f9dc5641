"""``callwright dial --sip``: the telephone of this package calls the server over SIP and does what it is told.

When the flow asks is known from two sides. The journal says which step listens for keys, as a key must come while it does;
the telephone hears when a prompt is over.
"""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from callwright.cli.control import Control, NoServer
from callwright.cli.dial import LOOK_S, Doings, Telling, reached
from callwright.cli.place import Place
from callwright.errors import CallwrightError
from callwright.numbers.numbers import normalised
from callwright.phone.client import Event, Phone, PhoneError
from callwright.rehearsal.ending import as_interrupted
from callwright.simulator import magic

# The caller of the test world, so that a flow sees the same in both.
CALLER = f"{magic.PREFIX}200"
LISTENS = ("onKeypressVar", "onKeypressGoto", "endKey", "maxNumKeys")
# Steps in which silence asks for nothing.
BUSY = ("say", "play", "record")
# One listens a while before one presses a key.
LISTENED_S = 1.0
# One speaks a moment after a recording has begun.
RECORDED_S = 0.5
TONE_MS = 100
# A call of ours is among the newest.
NEWEST = 20


class NotTaken(CallwrightError):
    """The server did not take the call."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Queue:
    """What is yet to be done when the flow asks: groups of keys, and files to play. One is done for a prompt.

    A prompt that is over has its reply when the journal was read once more, for it may have been the beep of a recording; while
    the journal has its step going on, it is a pause in it, or a recording is about to begin.
    """

    def __init__(self, keys: Sequence[str], files: Sequence[str]) -> None:
        self._keys, self._files = deque(keys), deque(files)
        self._steps: set[str] = set()
        # Whether keys are pressed for the present step, whether its last prompt has its reply, and whether sound is heard.
        self._pressed, self._replied, self._sound = False, True, False
        self._due = self._busy = False
        # In seconds since the epoch: when the last sound and the last recording began.
        self._sound_at = self._recorded_at = 0.0

    def reads(self, news: Iterable[Mapping[str, Any]]) -> list[tuple[float, str, str]]:
        """Of what is new in the journal: seconds until a command for the telephone, ``digits`` or ``play``, and with what."""
        asked: list[tuple[float, str, str]] = []
        for entry in news:
            steps = (entry.get("flow") or {}).get("steps", ())
            self._steps |= {step.get("id", f"step-{n}") for n, step in enumerate(steps, 1) if any(map(step.get, LISTENS))}
            if entry["kind"] == "recording_made":
                self._recorded_at = datetime.fromisoformat(entry["at"]).timestamp()
                if self._files:
                    asked.append((RECORDED_S, "play", self._files.popleft()))
            elif entry["kind"] == "step_ended":
                self._busy = False
            elif entry["kind"] == "step_started":
                self._busy = entry["action"] in BUSY
                self._pressed = self._replied = entry["step"] in self._steps and bool(self._keys)
                if self._pressed:
                    asked.append((LISTENED_S, "digits", self._keys.popleft()))
        return asked

    def hears(self, silence: bool, at: float) -> None:
        """Note what the telephone hears since `at`, in seconds since the epoch."""
        before, self._sound = self._sound, not silence
        if self._sound and not before:
            self._replied, self._sound_at = self._pressed, at
        self._due = silence and (before or self._due)

    def replies(self) -> tuple[str, str] | None:
        """What a prompt that was over before the journal was read gets: a command for the telephone, and with what."""
        if not self._due or self._busy or self._replied or self._sound_at < self._recorded_at:
            return None
        self._due, self._replied = False, True
        if self._keys:
            return "digits", self._keys.popleft()
        return ("play", self._files.popleft()) if self._files else None


def over_sip(place: Place, number: str, source: str | None, doings: Doings, language: str, *, json: bool) -> int:
    """Call a number of the live world; 0 when the call was answered and has ended."""
    with reached(place) as control, TemporaryDirectory(prefix="callwright-dial-") as folder:
        caller = _Caller(control, _digits(number, "number"), _digits(source or CALLER, "--from"), doings, quiet=json)
        try:
            with as_interrupted():
                return asyncio.run(caller.call(place, Path(folder), language, json=json))
        except (PhoneError, TimeoutError) as error:
            why = str(error) or "it did not start in time"
            remedy = "Try again; callwright doctor looks at the machine."
            raise NotTaken(f"The telephone could not call: {why}.", remedy) from None


class _Caller:
    def __init__(self, control: Control, number: str, source: str, doings: Doings, *, quiet: bool) -> None:
        self._control = control
        self._number = number
        self._source = source
        self._doings = doings
        self._quiet = quiet
        self._call_id = f"{uuid.uuid4()}@callwright-dial"
        self._looked_at: set[str] = set()
        self._told = 0
        self._over: Event | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._orders: set[asyncio.Task[None]] = set()

    async def call(self, place: Place, folder: Path, language: str, *, json: bool) -> int:
        host, port = _sip_address(self._control)
        files = [await _spoken(place, folder / f"{n}.wav", text, language) for n, text in enumerate(self._doings.says)]
        timed = self._doings.keys_after is not None
        self._queue = Queue([] if timed else self._doings.keys, [] if self._doings.say_after is not None else files)
        self._files = files
        phone = self._phone = await Phone.start(address=host, user=self._source)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._order, "hangup")
        try:
            await phone.call(f"sip:{self._number}@{host}:{port}", caller=self._source, call_id=self._call_id)
            telling = await self._on_record()
            for news in telling.looks():
                self._do(news)
                await asyncio.sleep(LOOK_S)
        finally:
            for timer in self._timers:
                timer.cancel()
            await phone.stop()
            loop.remove_signal_handler(signal.SIGINT)
        return telling.result(json=json)

    async def _on_record(self) -> Telling:
        """The call once it is found. Raises `NotTaken` when it is refused without a record."""
        while True:
            self._hear()
            for listed in self._control.get(f"/api/calls?destination={self._number}&limit={NEWEST}")["data"]:
                if listed["id"] not in self._looked_at:
                    self._looked_at.add(listed["id"])
                    legs = self._control.get(f"/api/calls/{listed['id']}")["legs"]
                    if legs[0]["sipCallId"] == self._call_id:
                        return Telling(self._control, listed["id"], "live", quiet=self._quiet)
            if self._over is not None:
                raise _not_taken(self._number, self._over)
            await asyncio.sleep(LOOK_S)

    # what happens, and what is done

    def _do(self, news: Sequence[Mapping[str, Any]]) -> None:
        for order in self._queue.reads(news):
            self._later(*order)
        if reply := self._queue.replies():
            self._order(*reply)
        self._hear()

    def _hear(self) -> None:
        """Take what the telephone has told since."""
        events, self._told = self._phone.events[self._told :], len(self._phone.events)
        epoch = time.time() - asyncio.get_running_loop().time()  # the telephone has the clock of our loop
        for event in events:
            if event["event"] == "answered":
                self._answered()
            elif event["event"] == "heard" and not event["asked"]:
                self._queue.hears(event["silence"], epoch + event["since"])
            elif event["event"] in ("refused", "ended"):
                self._over = event

    def _answered(self) -> None:
        doings = self._doings
        at = doings.keys_after
        for group in doings.keys if at is not None else ():
            self._later(at or 0.0, "digits", group)
            at = (at or 0.0) + len(group) * doings.gap
        if doings.say_after is not None:
            for file in self._files:
                self._later(doings.say_after, "play", file)
        if doings.hangup_after is not None:
            self._later(doings.hangup_after, "hangup")

    def _later(self, seconds: float, command: str, what: str = "") -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self._order, command, what))

    def _order(self, command: str, what: str = "") -> None:
        task = asyncio.get_running_loop().create_task(self._obeyed(command, what))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    async def _obeyed(self, command: str, what: str) -> None:
        gap_ms = max(20, round(self._doings.gap * 1000) - TONE_MS)
        fields: dict[str, dict[str, Any]] = {
            "digits": {"digits": what, "tone_ms": TONE_MS, "gap_ms": gap_ms},
            "play": {"file": what},
        }
        with suppress(PhoneError, TimeoutError):  # the call is over meanwhile, or about to be
            await self._phone.do(command, **fields.get(command, {}))


def _digits(text: str, name: str) -> str:
    number = normalised(text)
    if number is None:
        raise typer.BadParameter(f"{text[:40]!r}: write a number such as 31205550100", param_hint=name)
    return number


def _sip_address(control: Control) -> tuple[str, str]:
    """Where the server takes calls, as a telephone on this machine reaches it."""
    host, _, port = str(control.get("/api/state").get("sip") or "").rpartition(":")
    if not port:
        raise NoServer("The server has no SIP port, so nobody can call it. callwright health says what it lacks.")
    return ("127.0.0.1" if host in ("", "0.0.0.0") else host), port


async def _spoken(place: Place, file: Path, text: str, language: str) -> str:
    """A text as a file, by the voices of the settings."""
    from callwright.cli import voices
    from callwright.settings import rooms
    from callwright.telephony.speech import Utterance

    sound, _ = await voices.speak(rooms.speech(place.settings().settings), file.parent / "speech", Utterance(text, language))
    await asyncio.to_thread(file.write_bytes, sound)
    return str(file)


def _not_taken(number: str, end: Event) -> NotTaken:
    if end["event"] == "ended":
        return NotTaken(
            "It was hung up before the server took the call.", "callwright health says whether calls can be carried."
        )
    code = end.get("code")
    said = f"The call was refused: {code} {end.get('phrase', '')}".rstrip(" :")
    if code == 404:
        return NotTaken(
            f"{number} is no number of the live world.",
            f"Register it, with a flow: callwright numbers add {number} --flow FLOW_ID",
        )
    if code == 403:
        return NotTaken(f"{said}.", "The server takes calls from loopback and from the addresses of its trunks alone.")
    if code in (408, None):
        return NotTaken("Nothing answered the call.", "callwright health says whether calls can be carried.")
    return NotTaken(f"{said}.", "callwright health, and the server's log, say why.")

"""All streams of one media process, and what the core asks of them."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from callwright.clock import Clock
from callwright.log import Log
from callwright.media.attention import Attention
from callwright.media.clips import ClipLibrary
from callwright.media.conversation import Conversations
from callwright.media.disk import Disk
from callwright.media.g711 import FRAME, SAMPLE_RATE
from callwright.media.latch import Address
from callwright.media.line import Line
from callwright.media.ports import NoPorts, PortPair, PortPool
from callwright.media.prompt import Prompt
from callwright.media.stream import Stream
from callwright.media.studio import Studio
from callwright.media.wav import UnplayableFile
from callwright.media.wire import (
    Close,
    Closed,
    Connect,
    CoreMessage,
    DetectDigits,
    Dropped,
    Join,
    Listen,
    Load,
    MediaMessage,
    Open,
    Opened,
    OpenFailed,
    Part,
    Parted,
    PauseRecord,
    Play,
    PlayMore,
    Record,
    SendDigits,
    Stop,
    StopRecord,
)
from callwright.telephony import PlayOutcome

TICKS_A_SECOND: Final = SAMPLE_RATE // FRAME

Receive = Callable[[bytes, Address, int], None]
Entropy = Callable[[int], int]

_log = Log("media")


class Watcher(Protocol):
    """Whoever waits for datagrams: told which sockets to read, and who takes what comes."""

    def watch(self, sock: socket.socket, receive: Receive) -> None: ...

    def forget(self, sock: socket.socket) -> None:
        """Read it no more; one that is not watched is no error."""
        ...


class _Seat(msgspec.Struct, frozen=True):
    """A stream and its ports."""

    stream: Stream
    pair: PortPair


class Plane:
    """Times are media time; `entropy` gives so many random bits; `report` takes what the core is to be told."""

    def __init__(
        self,
        pool: PortPool,
        library: ClipLibrary,
        disk: Disk,
        watcher: Watcher,
        clock: Clock,
        entropy: Entropy,
        report: Callable[[MediaMessage], None],
        silence_s: float,
    ) -> None:
        self._pool = pool
        self._library = library
        self._watcher = watcher
        self._clock = clock
        self._entropy = entropy
        self._report = report
        self._silence = int(silence_s * SAMPLE_RATE)
        self._conversations = Conversations(report, self._fail)
        self._attention = Attention(report, self._fail)
        self._studio = Studio(disk, report, self._fail)
        self._seats: dict[UUID, _Seat] = {}
        # Each tick looks after one of these, so that a stream's turn comes every second and reports do not bunch.
        self._turns: list[dict[UUID, Stream]] = [{} for _ in range(TICKS_A_SECOND)]
        self._opened = 0
        self._strays = 0
        self._failures = 0
        self._commands: dict[type[Any], Callable[[Any, int], None]] = {
            Open: self._open,
            Connect: self._connect,
            Play: self._play,
            PlayMore: self._play_more,
            Stop: self._stop,
            SendDigits: self._send_digits,
            Record: self._record,
            PauseRecord: self._pause_record,
            StopRecord: self._stop_record,
            Listen: self._listen,
            DetectDigits: self._detect_digits,
            Join: self._join,
            Part: self._part,
            Close: self._close,
        }

    def __len__(self) -> int:
        return len(self._seats)

    def handle(self, message: CoreMessage, now: int) -> None:
        """Carry out a command. One that cannot be is counted and logged; none stops the process."""
        try:
            self._commands[type(message)](message, now)
        except Exception:
            self._failures += 1
            _log.exception("media_command_failed", command=type(message).__name__, stream=message.stream)

    def tick(self, now: int) -> None:
        """Fill the slot of every stream.

        Keys come first, so that a prompt ends before its next frame; recordings last, as they have what was sent.
        """
        self._together(self._attention.tick, now)
        self._together(self._conversations.tick, now)
        for seat in self._seats.values():
            try:
                seat.stream.tick(now)
            except Exception:
                self._fail(seat.stream)
        turn = self._turns[now // FRAME % TICKS_A_SECOND]
        if turn:
            at_us = self._clock.now_us()
            for stream in turn.values():
                try:
                    stream.watch(at_us, now, self._silence)
                except Exception:
                    self._fail(stream)
        self._together(self._studio.tick, now)

    def collect(self) -> None:
        """Take what threads have done meanwhile: begin to play what was read, tell of files that were written."""
        for (stream, prompt, part), clips in self._library.collect():
            seat = self._seats.get(stream)
            wanted = seat.stream.prompt if seat is not None else None
            if seat is None or wanted is None or wanted is not prompt:
                continue
            if isinstance(clips, UnplayableFile):
                seat.stream.end_play(PlayOutcome.FAILED, str(clips))
            else:
                wanted.fill(part, clips)
        self._studio.collect()

    def close(self, within_s: float, now: int) -> None:
        """Close the files of recordings, as far as there is time."""
        self._studio.close(within_s, now)

    def load(self, late_ms: float, skipped: int, now: int, ticks: tuple[int, ...] = ()) -> Load:
        """What is told every second; the counts of strays and failures begin anew."""
        load = Load(
            UUID(int=0), len(self._seats), round(late_ms, 3), skipped, self._strays, self._failures, self._pool.free(now), ticks
        )
        if self._strays or self._failures:
            _log.warning("media_commands_lost", strays=self._strays, failures=self._failures)
        self._strays = self._failures = 0
        return load

    def _open(self, message: Open, now: int) -> None:
        seat = self._seats.get(message.stream)
        if seat is not None:
            self._report(Opened(message.stream, seat.pair.port))
            return
        try:
            pair = self._pool.take(now)
        except NoPorts as error:
            _log.warning("media_open_failed", stream=message.stream, detail=str(error))
            self._report(OpenFailed(message.stream, str(error)))
            return
        line = Line(self._entropy(32), self._entropy(16), self._entropy(32), now)
        # RFC 7022 §4.2: a name that says nothing about the host, new for each session.
        cname = base64.b64encode(self._entropy(96).to_bytes(12, "big")).decode()
        stream = Stream(message.stream, line, cname, pair.rtp.sendto, pair.rtcp.sendto, self._report, now)
        try:
            self._watcher.watch(pair.rtp, partial(self._receive, stream))
            self._watcher.watch(pair.rtcp, partial(self._receive_control, stream))
        except OSError as error:
            self._release(pair, now)
            detail = f"port {pair.port} cannot be waited on: {error.strerror}; look at fs.epoll.max_user_watches"
            _log.warning("media_open_failed", stream=message.stream, detail=detail)
            self._report(OpenFailed(message.stream, detail))
            return
        self._seats[message.stream] = _Seat(stream, pair)
        self._turns[self._opened % TICKS_A_SECOND][message.stream] = stream
        self._opened += 1
        self._report(Opened(message.stream, pair.port))

    def _receive(self, stream: Stream, data: bytes, source: Address, now: int) -> None:
        try:
            stream.receive(data, source, now)
        except Exception:
            self._fail(stream)

    def _receive_control(self, stream: Stream, data: bytes, source: Address, now: int) -> None:
        try:
            stream.receive_control(data, source, self._clock.now_us(), now)
        except Exception:
            self._fail(stream)

    def _connect(self, message: Connect, now: int) -> None:
        stream = self._find(message.stream)
        if stream is not None:
            law = stream.law
            wrong = stream.connect(message, now)
            if stream.law is not law:
                self._conversations.agree(stream)
            if wrong:
                _log.warning("media_connect_unusable", stream=message.stream, detail=wrong)

    def _play(self, message: Play, now: int) -> None:
        stream = self._find(message.stream)
        if stream is None or (stream.prompt is not None and stream.prompt.play == message.play):
            return
        prompt = Prompt(message.play, message.repeat, stop_on_digit=message.stop_on_digit, more=message.more)
        stream.play(prompt)
        self._append(stream, prompt, message.files)

    def _play_more(self, message: PlayMore, now: int) -> None:
        stream = self._find(message.stream)
        if stream is None or stream.prompt is None or stream.prompt.play != message.play:
            return
        stream.prompt.more = message.more
        if message.files:
            self._append(stream, stream.prompt, message.files)

    def _append(self, stream: Stream, prompt: Prompt, files: tuple[str, ...]) -> None:
        part = prompt.expect()
        clips = self._library.find(files, (stream.id, prompt, part))
        if clips is not None:
            prompt.fill(part, clips)

    def _stop(self, message: Stop, now: int) -> None:
        stream = self._find(message.stream)
        if stream is not None:
            stream.end_play(PlayOutcome.STOPPED)

    def _send_digits(self, message: SendDigits, now: int) -> None:
        stream = self._find(message.stream)
        if stream is not None:
            refused = stream.keypad.press(message.digits, message.tone_ms, message.gap_ms)
            if refused:
                _log.warning("media_digits_refused", stream=message.stream, refused=refused, keys="0-9*#A-D")

    def _join(self, message: Join, now: int) -> None:
        stream, other = self._find(message.stream), self._find(message.other)
        if stream is None or other is None or stream is other:
            # Who waits for Joined learns that it will not come.
            self._report(Parted(message.stream))
            return
        self._conversations.join(stream, other)

    def _part(self, message: Part, now: int) -> None:
        stream = self._find(message.stream)
        if stream is not None:
            self._conversations.part(stream)

    def _record(self, message: Record, now: int) -> None:
        stream = self._find(message.stream)
        if stream is not None:
            self._studio.record(stream, message, now)
            self._attention.admit(stream)

    def _pause_record(self, message: PauseRecord, now: int) -> None:
        self._studio.pause(message, now)

    def _stop_record(self, message: StopRecord, now: int) -> None:
        self._studio.stop(message, now)

    def _listen(self, message: Listen, now: int) -> None:
        stream = self._find(message.stream)
        if stream is not None:
            self._attention.listen(stream, message.on)

    def _detect_digits(self, message: DetectDigits, now: int) -> None:
        stream = self._find(message.stream)
        if stream is not None:
            self._attention.detect_keys(stream, message.on)

    def _close(self, message: Close, now: int) -> None:
        seat = self._seats.pop(message.stream, None)
        if seat is None:
            self._strays += 1
            return
        stream = seat.stream
        for turn in self._turns:
            turn.pop(message.stream, None)
        try:
            self._conversations.part(stream)
            self._attention.leave(stream)
            stream.end_play(PlayOutcome.STOPPED)
            stream.goodbye(self._clock.now_us(), now)
        except Exception:
            self._fail(stream)
        self._release(seat.pair, now)
        if stream.dropped:
            _log.info("media_dropped", stream=stream.id, port=seat.pair.port, **stream.dropped)
        self._studio.leave(stream, Closed(stream.id, stream.counters(), Dropped(**stream.dropped)), now)

    def _release(self, pair: PortPair, now: int) -> None:
        """Give ports back, whether they are being waited on or not."""
        try:
            for sock in (pair.rtp, pair.rtcp):
                self._watcher.forget(sock)
        finally:
            self._pool.give_back(pair, now)

    def _find(self, stream: UUID) -> Stream | None:
        seat = self._seats.get(stream)
        if seat is None:
            self._strays += 1
            return None
        return seat.stream

    def _together(self, tick: Callable[[int], None], now: int) -> None:
        """Do what is done for many streams at once; if that fails, none of them is to blame alone."""
        try:
            tick(now)
        except Exception:
            if not self._failures:
                _log.exception("media_tick_failed", part=tick.__qualname__)
            self._failures += 1

    def _fail(self, stream: Stream) -> None:
        self._failures += 1
        if not stream.dropped["failures"]:
            _log.exception("media_stream_failed", stream=stream.id)
        stream.dropped["failures"] += 1

"""Who hears whom: two whose packets pass through or are put together anew, or more than two that are mixed.

Two are joined by hops (`relay`). Of more each has a jitter buffer, and at every tick all streams of all such conversations
are mixed at once: the sum of a conversation less one's own voice. When two remain they are joined as two are.
Keys are made anew for the other of two; in a larger round nobody presses another's keys.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from callwright.media.g711 import FRAME, LAWS, PCMU
from callwright.media.jitter import JitterBuffer
from callwright.media.relay import Hop
from callwright.media.stream import Stream
from callwright.media.wire import Joined, MediaMessage, Parted

# Codes of both laws to samples: those of the second lie behind those of the first.
_SAMPLES = np.concatenate([law.decode(bytes(range(256))) for law in LAWS.values()])
_SHIFTS = {kind: np.uint16(256 * place) for place, kind in enumerate(LAWS)}


class Conversation:
    """Two streams or more; `mixes` says which. It and its members know each other until they part."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: list[Stream] = []

    @property
    def mixes(self) -> bool:
        return len(self.members) > 2


class Conversations:
    """`report` takes what the core is to know; `fail` is told of a stream whose sound could not be had."""

    def __init__(self, report: Callable[[MediaMessage], None], fail: Callable[[Stream], None]) -> None:
        self._report = report
        self._fail = fail
        self._mixing: list[Conversation] = []

    def join(self, stream: Stream, other: Stream) -> None:
        """Let `stream` into the conversation that `other` is in, or begin one of the two."""
        conversation = other.conversation
        if conversation is not None and stream.conversation is conversation:
            self._tell(stream, other)
            return
        self.part(stream)
        if conversation is None:
            conversation = Conversation()
            self._seat(conversation, other)
        self._unhinge(conversation)
        self._seat(conversation, stream)
        self._arrange(conversation)
        self._tell(stream, other)

    def part(self, stream: Stream) -> None:
        """Take a stream out of its conversation, and with it one that would be left alone."""
        conversation = stream.conversation
        if conversation is None:
            return
        self._unhinge(conversation)
        leaving = [stream] if len(conversation.members) > 2 else list(conversation.members)
        leaving.sort(key=lambda one: one is not stream)
        for one in leaving:
            conversation.members.remove(one)
            one.conversation = None
            _leave_mix(one)
            self._report(Parted(one.id))
        self._arrange(conversation)

    def agree(self, stream: Stream) -> None:
        """The stream speaks another law from now on."""
        conversation = stream.conversation
        if conversation is None:
            return
        if not conversation.mixes:
            _agree_hops(stream, stream.peer)
        elif stream.law is not None:
            _leave_mix(stream)
            stream.round = JitterBuffer(stream.law)

    def tick(self, now: int) -> None:
        """Mix what each member is to hear in the slot that begins now."""
        if not self._mixing:
            return
        speakers: list[Stream] = []
        codes: list[bytes] = []
        begins: list[int] = []
        hearers: list[tuple[Stream, int, int]] = []  # the place of the conversation's sum and of the own voice, -1 for none
        for conversation in self._mixing:
            begin = len(codes)
            places = [self._place(member, speakers, codes, now) for member in conversation.members]
            if len(codes) == begin:
                continue
            for member, place in zip(conversation.members, places, strict=True):
                if len(codes) - begin > (place >= 0):
                    hearers.append((member, len(begins), place))
            begins.append(begin)
        if hearers:
            _mix(speakers, codes, begins, hearers)

    def _place(self, member: Stream, speakers: list[Stream], codes: list[bytes], now: int) -> int:
        """Put what a member says next to the rest; return where, -1 when it is silent."""
        member.mixed = None
        try:
            frame = member.round.take(now) if member.round is not None else None
        except Exception:
            self._fail(member)
            return -1
        if frame is None:
            return -1
        speakers.append(member)
        codes.append(frame)
        return len(codes) - 1

    def _seat(self, conversation: Conversation, stream: Stream) -> None:
        conversation.members.append(stream)
        stream.conversation = conversation

    def _unhinge(self, conversation: Conversation) -> None:
        """Take two apart before their number changes."""
        if len(conversation.members) == 2:
            _take_apart(*conversation.members)

    def _arrange(self, conversation: Conversation) -> None:
        for member in conversation.members:
            if not conversation.mixes:
                _leave_mix(member)
            elif member.round is None:
                member.round = JitterBuffer(member.law or PCMU)
        if len(conversation.members) == 2:
            one, other = conversation.members
            one.peer, other.peer = other, one
            _agree_hops(one, other)
        if conversation.mixes and conversation not in self._mixing:
            self._mixing.append(conversation)
        elif not conversation.mixes and conversation in self._mixing:
            self._mixing.remove(conversation)

    def _tell(self, stream: Stream, other: Stream) -> None:
        conversation = stream.conversation
        assert conversation is not None
        if conversation.mixes:
            self._report(Joined(stream.id, other.id, "mix"))
            return
        how = "relay" if stream.law is other.law else "mix"
        self._report(Joined(stream.id, other.id, how))
        self._report(Joined(other.id, stream.id, how))


def _agree_hops(one: Stream, other: Stream | None) -> None:
    """Let two hear each other in the laws they speak now."""
    assert other is not None
    for source, sink in ((one, other), (other, one)):
        if source.law is None or sink.law is None:
            continue
        if source.hop_out is None:
            source.hop_out = sink.hop_in = Hop(sink.line, source.law, sink.law)
        else:
            source.hop_out.agree(source.law, sink.law)


def _take_apart(one: Stream, other: Stream) -> None:
    for stream in (one, other):
        if stream.hop_out is not None:
            stream.late_before += stream.hop_out.late
        stream.let_key_go(0)
        stream.peer = stream.hop_out = stream.hop_in = None


def _leave_mix(stream: Stream) -> None:
    if stream.round is not None:
        stream.late_before += stream.round.late
    stream.round = stream.mixed = None


def _mix(speakers: list[Stream], codes: list[bytes], begins: list[int], hearers: list[tuple[Stream, int, int]]) -> None:
    spoken: NDArray[np.uint16] = np.frombuffer(b"".join(codes), np.uint8).reshape(-1, FRAME).astype(np.uint16)
    spoken += np.array([_SHIFTS[speaker.law.payload_type if speaker.law else 0] for speaker in speakers], np.uint16)[:, None]
    sounds = _SAMPLES.take(spoken).astype(np.int32)
    sums = np.add.reduceat(sounds, begins, axis=0)
    heard = sums[[sum_place for _, sum_place, _ in hearers]]
    speaking = [(row, own) for row, (_, _, own) in enumerate(hearers) if own >= 0]
    if speaking:
        rows, own_places = zip(*speaking, strict=True)
        heard[list(rows)] -= sounds[list(own_places)]
    mixed = np.clip(heard, -32768, 32767).astype(np.int16)
    for law in LAWS.values():
        rows_of_law = [row for row, (hearer, _, _) in enumerate(hearers) if hearer.law is law]
        if not rows_of_law:
            continue
        coded = law.encode(mixed[rows_of_law])
        for place, row in enumerate(rows_of_law):
            hearers[row][0].mixed = coded[place * FRAME : (place + 1) * FRAME]

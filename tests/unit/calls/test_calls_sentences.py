"""Every kind of journal entry in words."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

import pytest

from callwright.calls import journal
from callwright.calls.model import CallStatus, Direction, Leg, LegStatus
from callwright.calls.sentences import SENTENCES, sentence
from callwright.reasons import Reason
from callwright.telephony import RtpCounters

A, B, CALL, TAPE = (UUID(int=n) for n in range(1, 5))
NAMES = {A: "leg 1", B: "leg 2", TAPE: "recording 1"}
LEG = Leg(
    id=B,
    call_id=CALL,
    n=2,
    direction=Direction.OUTGOING,
    source="31205550177",
    destination="31205550199",
    created_us=0,
    updated_us=0,
)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (journal.LegMade(leg=LEG), "leg 2 begins, outgoing, 31205550177 to 31205550199"),
        (journal.CallLabelled(tags=(), metadata={}), "the call's tags are: none"),
        (
            journal.CallLabelled(tags=("vip", "new"), metadata={"customer": "42"}, left_out=("tag a: a call may have 20",)),
            "the call's tags are: vip, new; its metadata: customer='42'; left out: tag a: a call may have 20",
        ),
        (journal.CallMoved(status=CallStatus.ONGOING), "the call is ongoing"),
        (journal.CallMoved(status=CallStatus.NO_ANSWER), "the call is over: nobody answered"),
        (
            journal.LegMoved(leg=B, status=LegStatus.BUSY, reason=Reason.BUSY, detail="486 from the trunk"),
            "leg 2 is busy (486 from the trunk)",
        ),
        (journal.LegMoved(leg=A, status=LegStatus.RINGING), "leg 1 is ringing"),
        (
            journal.LegMoved(leg=A, status=LegStatus.NO_ANSWER, reason=Reason.CALLER_CANCELLED),
            "leg 1 was not answered: the caller gave up before the call was answered",
        ),
        (
            journal.LegMoved(leg=A, status=LegStatus.HANGUP, reason=Reason.CALLER_HANGUP, sip_code=200),
            "leg 1 ends: the caller hung up, SIP 200",
        ),
        (journal.LegIntends(leg=A, intent="answering"), "leg 1 is to be answered"),
        (
            journal.LegAddressed(leg=B, sip_call_id="x@y", sip_code=486),
            "leg 2: its SIP Call-ID is x@y, its final SIP code is 486",
        ),
        (
            journal.FlowStarted(flow_id=CALL, flow={"steps": [{"action": "play"}, {"action": "transfer"}]}),
            f"the flow {CALL} begins: play, transfer",
        ),
        (journal.FlowStarted(flow_id=None, flow={}), "the flow begins"),
        (
            journal.FlowStarted(flow_id=None, flow={"steps": [{"action": "say"}] * 8}),
            "the flow begins: say, say, say, say, say, say and 2 more",
        ),
        (journal.StepStarted(step="step-1", action="play"), "step step-1 begins: play"),
        (journal.StepEnded(step="step-1", outcome="done"), "step step-1 ends: done"),
        (journal.StepEnded(step="dial", outcome="peer_gone"), "step dial ends: the other leg of the bridge ended"),
        (
            journal.DigitPressed(leg=A, digit="7", duration_ms=100, means="rfc4733"),
            "leg 1 pressed 7 for 100 ms, as an event of RFC 4733",
        ),
        (journal.MediaFetched(url="http://h/x.wav", status=200), "http://h/x.wav was fetched: HTTP 200"),
        (journal.MediaFetched(url="http://h/x.wav", status=None, error="no route"), "http://h/x.wav was fetched: no route"),
        (journal.Bridged(leg=A, other=B, how="relay"), "leg 1 and leg 2 talk (packets are passed on)"),
        (journal.Held(leg=A, direction="sendonly"), "leg 1 puts us on hold, and goes on sending sound"),
        (journal.Asked(what="hang_up", leg=B), "asked from outside: leg 2 is to be hung up"),
        (journal.Asked(what="shut_down"), "asked from outside: the call is to be ended, as the server stops"),
        (
            journal.LegLast(
                leg=A,
                cause="hangup",
                sip_code=200,
                sip_phrase="OK",
                counters=RtpCounters(sent=10, received=9, lost=1, jitter_ms=0.25, mos=4.31),
            ),
            "leg 1 is gone from the wire: hung up, SIP 200 OK; sound: 10 packets sent, 9 received, 1 lost,"
            " jitter 0.2 ms, MOS 4.3",
        ),
        (
            journal.LegLast(
                leg=A,
                cause="hangup",
                sip_code=200,
                counters=RtpCounters(
                    sent=99, received=98, mos=4.31, far_lost=2, far_jitter_ms=1.25, far_mos=4.2, round_trip_ms=35.4
                ),
            ),
            "leg 1 is gone from the wire: hung up, SIP 200; sound: 99 packets sent, 98 received, 0 lost, jitter 0.0 ms,"
            " MOS 4.3; the far end reports 2 lost, jitter 1.2 ms, MOS 4.2; round trip 35 ms",
        ),
        (
            journal.RecordingMade(recording=TAPE, leg=B, type="ivr", tracks="from", file="x.wav"),
            "recording 1 of leg 2 begins, by a record step",
        ),
        (journal.LateAnswerReleased(leg=B), "leg 2 was answered after it was given up; let go"),
        (
            journal.Settled(reason=Reason.NODE_RESTARTED),
            "what the server left behind is ended: the server was restarted while the call was up",
        ),
        (journal.Ignored(leg=A, event="PlayFinished"), "ignored: play finished of leg 1"),
        (journal.StepSkipped(step="step-2", detail="choice is empty"), "step step-2 is left out (choice is empty)"),
        (journal.VariableSet(variable="choice", value="1"), "the variable choice is '1'"),
        (journal.KeysSent(leg=A, keys="1w2"), "1w2 is pressed for leg 1 to hear"),
        (
            journal.FlowAnswered(url="http://h/f", how="fetch", status=200, flow={"steps": [{"action": "say"}]}),
            "http://h/f was asked for the next flow: HTTP 200, say",
        ),
        (
            journal.FlowAnswered(url="http://h/f", how="on_finish", status=500, cause="status", error="HTTP 500"),
            "http://h/f was told of the recording: HTTP 500",
        ),
        (
            journal.RecordingMade(recording=CALL, leg=B, type="ivr", tracks="from", file="x.wav"),
            f"recording {CALL} of leg 2 begins, by a record step",
        ),
        (journal.RecordingMoved(recording=CALL, status="paused"), f"recording {CALL} is paused"),
        (
            journal.RecordingMoved(recording=CALL, status="failed", outcome="failed", duration_ms=1234, detail="disk full"),
            f"recording {CALL} failed after 1.234 s (disk full)",
        ),
        (journal.TranscriptionWanted(recording=CALL, language="nl-NL"), f"recording {CALL} is to be written down (nl-NL)"),
        (journal.VoiceHeard(leg=B, what="silence", after_us=1_234_567), "leg 2 falls silent after 1.23 s"),
        (journal.TimerLate(timer="pause", late_us=412_345), "the server was 0.412 s late with the end of a pause"),
        (journal.Judged(leg=B, verdict="machine", basis="a beep"), "leg 2 was answered by a machine (a beep)"),
        (journal.PartyAdded(leg=B), "leg 2 is added"),
        (journal.PartyAdded(leg=B, referrer=A), "leg 2 is called in the place of leg 1"),
        (journal.ReferReceived(leg=A, target="x"), "leg 1 asks to be replaced by x: accepted"),
        (
            journal.ReferReceived(leg=A, target="x", sip_code=603, refused="it talks to nobody"),
            "leg 1 asks to be replaced by x: refused with SIP 603, it talks to nobody",
        ),
        (journal.ReferSent(leg=A, target="sip:x@y"), "leg 1 is asked to call sip:x@y in our place"),
        (journal.ReferEnded(leg=A, outcome="done", sip_code=200), "the transfer of leg 1 is done, SIP 200"),
        (journal.FlowLeft(detail="its party left"), "the flow is left: its party left"),
        (journal.Unbridged(leg=A), "leg 1 talks to nobody any more"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, journal.Entry) else "",
)
def test_an_entry_in_words(entry, words):
    assert sentence(entry, NAMES) == words


def test_every_kind_of_entry_has_its_words():
    assert set(SENTENCES) == set(get_args(journal.AnyEntry))

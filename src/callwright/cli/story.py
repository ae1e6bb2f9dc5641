"""A call's journal as lines to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

Entry = Mapping[str, Any]


def lines(call: Mapping[str, Any], entries: Sequence[Entry]) -> Iterator[str]:
    """A head, each entry with its seconds since the first, and how each leg ended with what to do about it."""
    yield f"{head(call)}, {call['status']}"
    for entry in entries:
        yield line(call, entry, entries[0])
    yield from ends(call)


def head(call: Mapping[str, Any]) -> str:
    return f"call {call['id']} ({call['world']}), {call['source']} to {call['destination']}"


def line(call: Mapping[str, Any], entry: Entry, first: Entry) -> str:
    """An entry with its seconds since the first of its call."""
    names = {leg["id"]: f"leg {leg['n']}" for leg in call["legs"]}
    after = (_moment(entry["at"]) - _moment(first["at"])).total_seconds()
    return f"{after:+9.3f}  {sentence(entry, names)}"


def ends(call: Mapping[str, Any]) -> Iterator[str]:
    """How each leg ended, with what to do about it."""
    for leg in call["legs"]:
        if leg["reason"] is not None:
            detail = f" ({leg['detail']})" if leg["detail"] else ""
            yield f"leg {leg['n']} {leg['status']}: {leg['reason']['sentence']}{detail} {leg['reason']['remedy']}"


def sentence(entry: Entry, names: Mapping[str, str]) -> str:
    """One entry in words; one of a kind that is not known here, as it came."""
    write = _SENTENCES.get(entry["kind"])
    if write is None:
        rest = {name: value for name, value in entry.items() if name not in ("seq", "at", "kind")}
        return f"{entry['kind']} {json.dumps(rest, ensure_ascii=False)}"
    return write(entry, lambda name: names.get(entry.get(name) or "", "a leg"))


_Leg = Callable[[str], str]


def _leg_made(entry: Entry, leg: _Leg) -> str:
    made = entry["leg"]
    return f"leg {made['n']} is made, {made['direction']}, {made['source']} to {made['destination']}"


def _leg_moved(entry: Entry, leg: _Leg) -> str:
    reason = f", {entry['reason']}" if entry.get("reason") else ""
    return f"{leg('leg')} is {entry['status']}{reason}{_bracketed(entry.get('detail'))}"


def _leg_addressed(entry: Entry, leg: _Leg) -> str:
    facts = [f"its SIP Call-ID is {entry['sip_call_id']}"] if entry.get("sip_call_id") else []
    facts += [f"its final SIP code is {entry['sip_code']}"] if entry.get("sip_code") is not None else []
    return f"{leg('leg')}: {', '.join(facts) or 'nothing new'}"


def _flow_started(entry: Entry, leg: _Leg) -> str:
    steps = ", ".join(str(step.get("action")) for step in entry["flow"].get("steps", ()))
    return f"the flow {entry['flow_id'] or 'sent with the call'} begins: {steps}"


def _media_fetched(entry: Entry, leg: _Leg) -> str:
    return f"{entry['url']} fetched: {entry.get('error') or entry['status']}"


def _flow_answered(entry: Entry, leg: _Leg) -> str:
    asked = "told of the recording" if entry["how"] == "on_finish" else "asked for the next flow"
    if entry.get("error"):
        return f"{entry['url']} was {asked}: {entry['error']}"
    steps = ", ".join(str(step.get("action")) for step in (entry.get("flow") or {}).get("steps", ()))
    return f"{entry['url']} was {asked}: {entry['status']}, {steps}"


def _recording_moved(entry: Entry, leg: _Leg) -> str:
    ended = f" after {entry['duration_ms'] / 1000:.1f} s ({entry['outcome']})" if entry.get("outcome") else ""
    return f"recording {entry['recording']} is {entry['status']}{ended}{_bracketed(entry.get('detail'))}"


def _refer_received(entry: Entry, leg: _Leg) -> str:
    answer = f"refused with {entry['sip_code']}, {entry['refused']}" if entry.get("refused") else "accepted"
    return f"{leg('leg')} asks to be replaced by {entry['target']}: {answer}"


def _refer_ended(entry: Entry, leg: _Leg) -> str:
    code = f", SIP {entry['sip_code']}" if entry.get("sip_code") is not None else ""
    return f"the transfer of {leg('leg')} is {entry['outcome']}{code}{_bracketed(entry.get('detail'))}"


def _party_added(entry: Entry, leg: _Leg) -> str:
    return f"{leg('leg')} is called in the place of {leg('referrer')}" if entry.get("referrer") else f"{leg('leg')} is added"


def _leg_last(entry: Entry, leg: _Leg) -> str:
    code = f", SIP {entry['sip_code']} {entry['sip_phrase']}".rstrip() if entry["sip_code"] is not None else ""
    counters = entry.get("counters")
    sound = ""
    if counters:
        sound = (
            f"; sound: {counters['sent']} packets sent, {counters['received']} received, {counters['lost']} lost, "
            f"jitter {counters['jitter_ms']:.1f} ms"
        )
        sound += f", MOS {counters['mos']:.1f}" if counters.get("mos") is not None else ""
        if counters.get("far_lost") is not None:
            sound += f"; the far end reports {counters['far_lost']} lost, jitter {counters['far_jitter_ms']:.1f} ms"
            sound += f", MOS {counters['far_mos']:.1f}" if counters["far_mos"] is not None else ""
        if counters.get("round_trip_ms") is not None:
            sound += f"; round trip {counters['round_trip_ms']:.0f} ms"
    return f"{leg('leg')} is over: {entry['cause']}{code}{_bracketed(entry.get('reason') or entry.get('detail'))}{sound}"


def _call_labelled(entry: Entry, leg: _Leg) -> str:
    tags = ", ".join(entry["tags"]) or "none"
    metadata = ", ".join(f"{name}={value!r}" for name, value in entry["metadata"].items())
    left_out = f"; left out: {'; '.join(entry['left_out'])}" if entry.get("left_out") else ""
    return f"the call's tags are: {tags}{'; its metadata: ' + metadata if metadata else ''}{left_out}"


_SENTENCES: Mapping[str, Callable[[Entry, _Leg], str]] = {
    "call_made": lambda entry, leg: f"the call is made, {entry['call']['source']} to {entry['call']['destination']}",
    "call_labelled": _call_labelled,
    "leg_made": _leg_made,
    "call_moved": lambda entry, leg: f"the call is {entry['status']}",
    "leg_moved": _leg_moved,
    "leg_intends": lambda entry, leg: f"{leg('leg')} is to be answered" if entry["intent"] else f"{leg('leg')} is settled",
    "leg_addressed": _leg_addressed,
    "flow_started": _flow_started,
    "step_started": lambda entry, leg: f"step {entry['step']} begins: {entry['action']}",
    "step_ended": lambda entry, leg: f"step {entry['step']} ends: {entry['outcome']}{_bracketed(entry.get('detail'))}",
    "digit_pressed": lambda entry, leg: (
        f"{leg('leg')} pressed {entry['digit']} for {entry['duration_ms']} ms ({entry['means']})"
    ),
    "media_fetched": _media_fetched,
    "step_skipped": lambda entry, leg: f"step {entry['step']} is left out{_bracketed(entry.get('detail'))}",
    "variable_set": lambda entry, leg: f"{entry['variable']} is {entry['value']!r}",
    "keys_sent": lambda entry, leg: f"{entry['keys']} is pressed towards {leg('leg')}",
    "flow_answered": _flow_answered,
    "recording_made": lambda entry, leg: f"recording {entry['recording']} of {leg('leg')} begins ({entry['type']})",
    "recording_moved": _recording_moved,
    "transcription_wanted": lambda entry, leg: f"recording {entry['recording']} is to be written down ({entry['language']})",
    "voice_heard": lambda entry, leg: f"{leg('leg')}: {entry['what']} after {entry['after_us'] / 1e6:.2f} s",
    "timer_late": lambda entry, leg: f"the server was {entry['late_us'] / 1e6:.3f} s late ({entry['timer']})",
    "judged": lambda entry, leg: f"{leg('leg')} was answered by: {entry['verdict']} ({entry['basis']})",
    "party_added": _party_added,
    "refer_received": _refer_received,
    "refer_sent": lambda entry, leg: f"{leg('leg')} is asked to call {entry['target']} in our place",
    "refer_ended": _refer_ended,
    "flow_left": lambda entry, leg: f"the flow is left: {entry['detail']}",
    "unbridged": lambda entry, leg: f"{leg('leg')} is in no conversation any more",
    "bridged": lambda entry, leg: f"{leg('leg')} and {leg('other')} are bridged ({entry['how']})",
    "held": lambda entry, leg: f"{leg('leg')} asks for {entry['direction']}",
    "session_refreshed": lambda entry, leg: f"{leg('leg')} renews the session",
    "asked": lambda entry, leg: f"asked from outside: {entry['what']}{' of ' + leg('leg') if entry.get('leg') else ''}",
    "leg_last": _leg_last,
    "late_answer_released": lambda entry, leg: f"{leg('leg')} was answered after it was given up; let go",
    "fork_released": lambda entry, leg: f"{leg('leg')} was answered by a second branch; that one was let go",
    "settled": lambda entry, leg: f"the server was not there; what lived is ended, {entry['reason']}",
    "ignored": lambda entry, leg: f"ignored: {entry['event']}",
}


def _bracketed(text: str | None) -> str:
    return f" ({text})" if text else ""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)

"""Rows as native JSON: keys in camelCase, times in RFC 3339 with microseconds, absent values null."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from callwright.accounts.worlds import Key, World
from callwright.calls import journal
from callwright.calls.events import Snapshot
from callwright.calls.model import Call, Leg
from callwright.calls.rows import Told
from callwright.clock import SECOND_US, rfc3339
from callwright.dialect.callbacks import EndpointNotice
from callwright.flows.findings import Finding
from callwright.flows.flows import StoredFlow
from callwright.numbers.numbers import Number
from callwright.recordings.model import Recording
from callwright.transcriptions.model import Content, Transcription
from callwright.webhooks.endpoints import KnownEndpoint
from callwright.webhooks.lanes import Live
from callwright.webhooks.log import Attempt, Entry, Exchange
from callwright.webhooks.model import Webhook


def moment(at_us: int | None) -> str | None:
    """Write a time with its microseconds.

    >>> moment(1_488_023_999_000_042)
    '2017-02-25T11:59:59.000042Z'
    """
    return None if at_us is None else f"{rfc3339(at_us)[:-1]}.{at_us % SECOND_US:06}Z"


def page(items: Sequence[Any], total: int, limit: int, offset: int) -> dict[str, Any]:
    return {"data": list(items), "total": total, "limit": limit, "offset": offset}


def key(shown: Key) -> dict[str, Any]:
    return {
        "id": shown.id,
        "kind": shown.kind,
        "label": shown.label,
        "ending": shown.ending,
        "createdAt": moment(shown.created_us),
        "revokedAt": moment(shown.revoked_us),
    }


def number(shown: Number) -> dict[str, Any]:
    return {
        "id": shown.id,
        "number": shown.number,
        "flowId": shown.flow_id,
        "createdAt": moment(shown.created_us),
        "updatedAt": moment(shown.updated_us),
    }


def flow(shown: StoredFlow) -> dict[str, Any]:
    body = {"title": None, "record": False, "default": False, "maxDuration": None} | shown.body
    return {"id": shown.id, **body, "createdAt": moment(shown.created_us), "updatedAt": moment(shown.updated_us)}


def finding(shown: Finding) -> dict[str, Any]:
    """``severity`` is ``error`` for what would keep the flow from being saved now, else ``warning``."""
    return {
        "severity": "error" if shown.error else "warning",
        "step": shown.step or None,
        "parameter": shown.parameter,
        "message": shown.sentence,
    }


def listed_call(shown: Call, world: World) -> dict[str, Any]:
    """A call as lists have it. ``reason`` is the name of why its first leg ended; that leg has the sentence."""
    return {
        "id": shown.id,
        "world": world.kind,
        "status": shown.status,
        "direction": shown.direction,
        "source": shown.source,
        "destination": shown.destination,
        "numberId": shown.number_id,
        "flowId": shown.flow_id,
        "reason": shown.reason,
        "tags": shown.tags,
        "metadata": shown.metadata,
        "duration": shown.duration_s,
        "createdAt": moment(shown.created_us),
        "updatedAt": moment(shown.updated_us),
        "answeredAt": moment(shown.answered_us),
        "endedAt": moment(shown.ended_us),
    }


def call(shown: Call, legs: Sequence[Leg], world: World) -> dict[str, Any]:
    """A call with its legs, oldest first."""
    return listed_call(shown, world) | {"webhookUrl": shown.webhook_url, "legs": [_leg(leg) for leg in legs]}


def call_told(shown: Snapshot, world: World) -> dict[str, Any]:
    """A call in the live feed, as it was: like in a list, and with its legs."""
    return listed_call(shown.call, world) | {"legs": [_leg(leg) for leg in shown.legs]}


def single_leg(shown: Leg) -> dict[str, Any]:
    """A leg outside of its call."""
    return {"callId": shown.call_id, **_leg(shown)}


def _leg(shown: Leg) -> dict[str, Any]:
    reason = shown.reason
    return {
        "id": shown.id,
        "n": shown.n,
        "direction": shown.direction,
        "source": shown.source,
        "destination": shown.destination,
        "status": shown.status,
        "intent": shown.intent,
        "reason": None if reason is None else {"name": reason.value, "sentence": reason.sentence, "remedy": reason.remedy},
        "detail": shown.detail,
        "sipCode": shown.sip_code,
        "sipCallId": shown.sip_call_id,
        "duration": shown.duration_s,
        "createdAt": moment(shown.created_us),
        "updatedAt": moment(shown.updated_us),
        "answeredAt": moment(shown.answered_us),
        "endedAt": moment(shown.ended_us),
    }


def recording(shown: Recording) -> dict[str, Any]:
    return {
        "id": shown.id,
        "callId": shown.call_id,
        "legId": shown.leg_id,
        "type": shown.type,
        "status": shown.status,
        "tracks": shown.tracks,
        "channels": shown.channels,
        "durationMs": shown.duration_ms,
        "detail": shown.detail,
        "storage": shown.kept,
        "sealed": shown.key_id != "",
        "file": f"/recordings/{shown.id}.wav",
        "peaks": f"/api/recordings/{shown.id}/peaks",
        "createdAt": moment(shown.created_us),
        "updatedAt": moment(shown.updated_us),
    }


def recording_told(shown: Recording) -> dict[str, Any]:
    """A recording in the live feed, where nobody is told of its file."""
    told = recording(shown)
    del told["sealed"], told["detail"]
    return told


def transcription(shown: Transcription) -> dict[str, Any]:
    return {
        "id": shown.id,
        "recordingId": shown.recording_id,
        "callId": shown.call_id,
        "legId": shown.leg_id,
        "language": shown.language,
        "status": shown.status,
        "error": shown.error or None,
        "createdAt": moment(shown.created_us),
        "updatedAt": moment(shown.updated_us),
    }


def heard(shown: Content | None) -> dict[str, Any]:
    """What was heard; words with milliseconds from the start of the recording, and the channel they were in."""
    if shown is None:
        return {"text": None, "words": None, "engine": None}
    words = [
        {
            "text": word.text,
            "startMs": word.start_ms,
            "endMs": word.end_ms,
            "confidence": word.confidence,
            "channel": word.channel,
        }
        for word in shown.words
    ]
    return {"text": shown.text, "words": words, "engine": shown.engine}


def webhook(shown: Webhook, number: str | None) -> dict[str, Any]:
    """``events`` is null where those of the settings hold. The token itself is not shown."""
    return {
        "id": shown.id,
        "scope": shown.scope.value,
        "number": number,
        "url": shown.url,
        "endpoint": shown.target.partition("?")[0],
        "events": shown.events,
        "hasToken": shown.token is not None,
        "oldTokenUntil": moment(shown.old_until_us),
        "createdAt": moment(shown.created_us),
        "updatedAt": moment(shown.updated_us),
    }


def endpoint(shown: KnownEndpoint) -> dict[str, Any]:
    return {
        "id": shown.id,
        "url": shown.url,
        "concurrency": shown.concurrency,
        "rate": shown.rate,
        "failures": shown.failures,
        "failingSince": moment(shown.failing_us),
        "disabledAt": moment(shown.disabled_us),
        "disabledWhy": shown.disabled_why,
        "createdAt": moment(shown.created_us),
        "updatedAt": moment(shown.updated_us),
    }


def notice(shown: EndpointNotice) -> dict[str, Any]:
    """An endpoint that is not sent anything any more, or again."""
    return {
        "id": shown.endpoint_id,
        "url": shown.url,
        "why": shown.why,
        "failures": shown.failures,
        "failingSince": moment(shown.failing_us),
        "lastStatus": shown.last_status,
        "lastError": shown.last_error,
        "updatedAt": moment(shown.at_us),
    }


def live(shown: Live) -> dict[str, Any]:
    """``until`` is the end of its rest, or of the pause of its host; ``unanswered`` are those in flight for long."""
    return {
        "health": shown.health.value,
        "until": moment(shown.until_us),
        "inFlight": shown.in_flight,
        "unanswered": shown.unanswered,
        "concurrency": shown.concurrency,
        "rate": shown.rate or None,
    }


def delivery(shown: Entry) -> dict[str, Any]:
    """``callId`` is null for what belongs to no call. ``passed``: the later ones of its call do not wait for it."""
    of_no_call = shown.test or shown.call_id == shown.world_id
    return {
        "id": shown.id,
        "messageId": shown.event_id,
        "callId": None if of_no_call else shown.call_id,
        "sequence": shown.sequence,
        "event": shown.kind,
        "test": shown.test,
        "scope": shown.scope.value,
        "webhookId": shown.webhook_id,
        "url": shown.url,
        "endpoint": shown.endpoint,
        "state": shown.state.value,
        "passed": shown.passed,
        "attempts": shown.attempts,
        "lastStatus": shown.last_status,
        "lastError": shown.last_error,
        "createdAt": moment(shown.created_us),
        "sinceAt": moment(shown.since_us),
        "nextAttemptAt": moment(shown.next_at_us),
        "settledAt": moment(shown.settled_us),
    }


def sent_body(raw: bytes) -> dict[str, Any]:
    """A body as JSON, and as the very text whose bytes are signed."""
    try:
        return {"body": msgspec.Raw(raw) if raw and msgspec.json.decode(raw) is not None else None, "rawBody": raw.decode()}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {"body": None, **_text_or_base64("rawBody", raw)}


def attempt(shown: Attempt) -> dict[str, Any]:
    """Spans are milliseconds; ``whole`` says whether the answer came to its end and all of it was kept."""
    return {
        "n": shown.n,
        "at": moment(shown.at_us),
        "status": shown.status,
        "error": shown.error,
        "detail": shown.detail or None,
        "dnsMs": _ms(shown.dns_us),
        "connectMs": _ms(shown.connect_us),
        "tlsMs": _ms(shown.tls_us),
        "firstByteMs": _ms(shown.head_us),
        "totalMs": _ms(shown.total_us),
        "whole": shown.whole,
        "nextAttemptAt": moment(shown.next_at_us),
    }


def exchange(of: Entry, shown: Exchange, body: bytes) -> dict[str, Any]:
    """The answer's body is a text if it is UTF-8, else base64; null where there was no answer."""
    answered = shown.attempt.status is not None
    return attempt(shown.attempt) | {
        "deliveryId": of.id,
        "request": {"method": "POST", "url": of.url, "headers": shown.headers, **sent_body(body)},
        "answer": {
            "status": shown.attempt.status,
            "headers": shown.answer_headers or [],
            **_text_or_base64("body", shown.answer or b""),
        }
        if answered
        else None,
    }


def camel(name: str) -> str:
    """
    >>> camel("endpoint_disabled")
    'endpointDisabled'
    """
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _text_or_base64(name: str, raw: bytes) -> dict[str, Any]:
    try:
        return {name: raw.decode(), "encoding": "text"}
    except UnicodeDecodeError:
        return {name: base64.b64encode(raw).decode(), "encoding": "base64"}


def _ms(span_us: int | None) -> float | None:
    return None if span_us is None else span_us / 1000


def told(line: Told) -> dict[str, Any]:
    """A journal entry: ``seq``, ``at``, ``kind`` and the fields of that kind under their own names; no webhook's token."""
    entry: dict[str, Any] = msgspec.json.decode(journal.encode(line.entry))
    if isinstance(made := entry.get("call"), dict):
        made.pop("webhook_token", None)
    return {"seq": line.seq, "at": moment(line.at_us), **entry}

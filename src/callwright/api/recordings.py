"""Recordings (contract §2.5; §3.1, routes 3b and 11 to 17), under their legs and by their own id."""

from __future__ import annotations

from typing import NoReturn
from uuid import UUID

from callwright import ids
from callwright.api.downloads import Download, is_fresh, part_of
from callwright.api.exchange import NO_CONTENT, Answer, Request, failed
from callwright.calls import rows as calls
from callwright.dialect import envelope, render
from callwright.errors import NotFound, OutOfRange, Unavailable
from callwright.recordings import rows
from callwright.recordings.files import NoSound
from callwright.recordings.keys import KeyLost
from callwright.recordings.model import Recording
from callwright.recordings.objects import ObjectFault
from callwright.transcriptions import rows as transcriptions


async def show_all(request: Request) -> Answer:
    """Those of a leg."""
    parts, page = request.parts, request.page
    call_id, leg_id = request.id("call"), request.id("leg", 1)
    leg = calls.find_leg(parts.store, request.world.id, leg_id)
    if leg is None or leg.call_id != call_id:
        raise NotFound(f"No leg found for ID `{leg_id}`.")
    found = rows.of_leg(parts.store, request.world.id, leg_id, limit=page.size, offset=page.offset)
    items = [render.recording_item(recording) for recording in found.recordings]
    return Answer(200, envelope.listing(items, render.recordings_path(call_id, leg_id), page, found.total))


async def show(request: Request) -> Answer:
    return _single(recording_of(request))


def show_queried(request: Request, leg: str, recording: str) -> Answer:
    """What Java's library asks for: ``/calls/{call}?legs={leg}&recordings={recording}`` (contract C45)."""
    call_id, leg_id, recording_id = request.id("call"), ids.parse(leg), ids.parse(recording)
    if leg_id is None or recording_id is None:
        _no_recording(recording)
    return _single(_found(request, recording_id, call_id, leg_id))


async def download(request: Request) -> Answer | Download:
    """The sound as a WAV file; also by POST, as two of the vendor's guides ask for it (C35)."""
    recording = recording_of(request)
    etag = f'"{recording.id}-{recording.updated_us:x}"'
    headers = {b"etag": etag.encode(), b"accept-ranges": b"bytes", b"cache-control": b"private"}
    try:
        sound = await request.parts.files.open(recording)
    except NoSound as error:
        raise NotFound(f"There is no file of recording `{recording.id}`: {error}") from None
    except (KeyLost, ObjectFault) as error:
        raise Unavailable(f"The file of recording `{recording.id}` cannot be had: {error}") from None
    try:
        if is_fresh(request.header(b"if-none-match"), etag):
            sound.close()
            return Answer(304, headers=tuple(headers.items()))
        asked = request.header(b"range") if request.header(b"if-range") in ("", etag) else ""
        part = part_of(asked, sound.size) if request.method != "HEAD" else None
    except OutOfRange as problem:
        size = sound.size
        sound.close()
        return failed(problem, request.parts.strictness, (b"content-range", b"bytes */%d" % size))
    headers |= {
        b"content-type": b"audio/wav",
        b"content-disposition": f'attachment; filename="{recording.id}.wav"'.encode(),
    }
    return Download(sound, part, headers)


async def remove(request: Request) -> Answer:
    recording = recording_of(request)
    also = transcriptions.delete_of_recording(recording.world_id, recording.id)
    await request.parts.recordings.remove(recording, also=also)
    return NO_CONTENT


def recording_of(request: Request) -> Recording:
    """The recording a path names: by its id alone, or with the call and leg it must be of."""
    if len(request.variables) == 1:
        return request.parts.recordings.get(request.world.id, request.id("recording"))
    return _found(request, request.id("recording", 2), request.id("call"), request.id("leg", 1))


def _found(request: Request, recording_id: UUID, call_id: UUID, leg_id: UUID) -> Recording:
    recording = request.parts.recordings.get(request.world.id, recording_id)
    if (recording.call_id, recording.leg_id) != (call_id, leg_id):
        _no_recording(recording_id)
    return recording


def _single(recording: Recording) -> Answer:
    return Answer(200, envelope.single(render.recording_item(recording), render.recording_links(recording.id)))


def _no_recording(recording_id: object) -> NoReturn:
    raise NotFound(f"No recording found for ID `{str(recording_id)[:64]}`.")

"""Transcriptions (contract §2.6; §3.1, routes 18 to 25), under their recordings and by their own id."""

from __future__ import annotations

from callwright.api.exchange import Answer, Request
from callwright.api.recordings import recording_of
from callwright.dialect import decode, envelope, render
from callwright.errors import NotFound, Unavailable
from callwright.recordings.keys import KeyLost
from callwright.transcriptions import rows
from callwright.transcriptions.model import Transcription


async def make(request: Request) -> Answer:
    recording = recording_of(request)
    asked = decode.transcription(await request.body())
    return _single(201, await request.parts.transcriptions.make(recording, asked.language or ""))


async def show_all(request: Request) -> Answer:
    recording, page = recording_of(request), request.page
    found = rows.of_recording(request.parts.store, recording.world_id, recording.id, limit=page.size, offset=page.offset)
    items = [render.transcription_item(transcription) for transcription in found.transcriptions]
    return Answer(200, envelope.listing(items, render.transcriptions_path(recording.id), page, found.total))


async def show(request: Request) -> Answer:
    return _single(200, _transcription(request))


async def download(request: Request) -> Answer:
    """The text, once it is there."""
    transcription = _transcription(request)
    try:
        content = request.parts.transcriptions.content(transcription)
    except KeyLost as error:
        raise Unavailable(f"The text of transcription `{transcription.id}` cannot be had: {error}") from None
    if content is None:
        why = f" {transcription.error}" if transcription.error else ""
        told = f"There is no text of transcription `{transcription.id}`: it is {transcription.status.value}.{why}"
        raise NotFound(told)
    disposition = f'attachment; filename="{transcription.id}.txt"'.encode()
    return Answer(
        200, content.text.encode(), ((b"content-disposition", disposition),), content_type=b"text/plain; charset=utf-8"
    )


def _transcription(request: Request) -> Transcription:
    parts = request.parts
    if len(request.variables) == 1:
        return parts.transcriptions.get(request.world.id, request.id("transcription"))
    recording = recording_of(request)
    transcription = parts.transcriptions.get(request.world.id, request.id("transcription", 3))
    if transcription.recording_id != recording.id:
        raise NotFound(f"No transcription found for ID `{transcription.id}`.")
    return transcription


def _single(status: int, transcription: Transcription) -> Answer:
    return Answer(
        status, envelope.single(render.transcription_item(transcription), render.transcription_links(transcription.id))
    )

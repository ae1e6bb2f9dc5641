"""Recordings and what was written down of them, with all that the compatible interface has no room for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.responses import Response

from callwright.errors import Conflict, NotFound, Unavailable
from callwright.native import views
from callwright.native.asking import Ask
from callwright.recordings import rows, waveform
from callwright.recordings.files import NoSound
from callwright.recordings.keys import KeyLost
from callwright.recordings.model import Recording
from callwright.recordings.objects import ObjectFault
from callwright.recordings.rewrap import rewrap
from callwright.transcriptions import rows as transcription_rows

MOST_BYTES = 4 << 20
MOST_TRANSCRIPTIONS = 100


async def show_all(ask: Ask) -> Any:
    """Those of a world, or with ``call`` of one call, newest first."""
    world, window, store = ask.world, ask.window("call"), ask.parts.store
    call_id = ask.query_id("call")
    if call_id is None:
        page = rows.of_world(store, world.id, limit=window.limit, offset=window.offset)
    else:
        page = rows.of_call(store, world.id, call_id, limit=window.limit, offset=window.offset)
    return views.page([views.recording(recording) for recording in page.recordings], page.total, *window)


async def show(ask: Ask) -> Any:
    recording = _recording(ask)
    found = transcription_rows.of_recording(
        ask.parts.store, recording.world_id, recording.id, limit=MOST_TRANSCRIPTIONS, offset=0
    )
    return views.recording(recording) | {"transcriptions": [views.transcription(one) for one in found.transcriptions]}


async def show_peaks(ask: Ask) -> Any:
    """The waveform in ``columns`` columns, under the names that the program audiowaveform gives."""
    ask.only(("columns",))
    wanted = ask.whole("columns", waveform.COLUMNS, 1, waveform.MOST_COLUMNS)
    recording = _recording(ask)
    with _readable():
        peaks = await ask.parts.files.peaks(recording)
    return await asyncio.to_thread(waveform.columns, peaks, wanted)


async def show_sound(ask: Ask) -> Any:
    """Up to ``length`` bytes of the WAV file from ``offset`` on; fewer at its end alone."""
    ask.only(("offset", "length"))
    offset, length = ask.whole("offset", 0, 0, 2**40), ask.whole("length", MOST_BYTES, 1, MOST_BYTES)
    recording = _recording(ask)
    with _readable(), await ask.parts.files.open(recording) as sound:
        portion = await sound.read(min(offset, sound.size), length)
    return Response(portion, media_type="audio/wav")


async def pause(ask: Ask) -> Any:
    """Keep silence in place of sound, such as while a card number is told."""
    return await _pause(ask, paused=True)


async def resume(ask: Ask) -> Any:
    return await _pause(ask, paused=False)


async def show_transcriptions(ask: Ask) -> Any:
    """Those of a world, or with ``recording`` of one recording, newest first; without their texts."""
    world, window, store = ask.world, ask.window("recording"), ask.parts.store
    recording_id = ask.query_id("recording")
    if recording_id is None:
        page = transcription_rows.of_world(store, world.id, limit=window.limit, offset=window.offset)
    else:
        page = transcription_rows.of_recording(store, world.id, recording_id, limit=window.limit, offset=window.offset)
    return views.page([views.transcription(one) for one in page.transcriptions], page.total, *window)


async def show_transcription(ask: Ask) -> Any:
    """With the text and its words, once they are there."""
    parts = ask.parts
    transcription = parts.transcriptions.get(ask.world.id, ask.id("transcription"))
    with _readable():
        content = parts.transcriptions.content(transcription)
    return views.transcription(transcription) | views.heard(content)


async def rewrap_keys(ask: Ask) -> Any:
    """Seal the keys of all files and transcripts, of both worlds, with the first of ``recordings.keys``."""
    parts = ask.parts
    if not parts.keys.current:
        raise Conflict("There is no key to seal with.", remedy="Set recordings.keys, and start the server again.")
    recordings = await rewrap(parts.store, parts.keys, "recordings")
    transcriptions = await rewrap(parts.store, parts.keys, "transcriptions")
    return {
        "key": parts.keys.current,
        "recordings": {"renewed": recordings.renewed, "lost": recordings.lost},
        "transcriptions": {"renewed": transcriptions.renewed, "lost": transcriptions.lost},
    }


async def _pause(ask: Ask, *, paused: bool) -> Any:
    recording, calling = _recording(ask), ask.parts.calling
    if calling is None:
        raise Unavailable("No server runs on this data folder, so nothing is being recorded.")
    change = calling.switch.pause_recording if paused else calling.switch.resume_recording
    return views.recording(await change(recording.world_id, recording.id))


@contextmanager
def _readable() -> Iterator[None]:
    """What is read of files: `NotFound` where there is none, `Unavailable` where its key is lost or its storage is away."""
    try:
        yield
    except NoSound as error:
        raise NotFound(str(error)) from None
    except (KeyLost, ObjectFault) as error:
        raise Unavailable(str(error)) from None


def _recording(ask: Ask) -> Recording:
    return ask.parts.recordings.get(ask.world.id, ask.id("recording"))

"""Recordings and what was written down of them (`native.recordings`)."""

from __future__ import annotations

from functools import partial

from callwright.native.described.common import PAGED, identified, stamps
from callwright.native.recordings import MOST_BYTES
from callwright.openapi.operation import Access, Answer, Parameter, operation
from callwright.openapi.shapes import (
    by_name,
    choice,
    extended,
    identity,
    number,
    or_null,
    page_of,
    record,
    said,
    several,
    text,
    truth,
    whole,
)
from callwright.recordings import waveform
from callwright.recordings.model import Kept, RecordingStatus, RecordingType
from callwright.telephony import Tracks
from callwright.transcriptions.model import TranscriptionStatus

RECORDING = record(
    "Recording",
    "A recording of a leg.",
    {
        "id": identity("The recording."),
        "callId": identity("Its call."),
        "legId": identity("The leg that is heard."),
        "type": choice("What made it: a record step (`ivr`), a transfer, or a flow with record (`call`).", RecordingType),
        "status": choice("`done` and `failed` are final.", RecordingStatus, "done"),
        "tracks": choice("Which side of the leg is heard.", Tracks),
        "channels": whole("2 where each side has its own.", 1, 1, 2),
        "durationMs": whole("Milliseconds; 0 until it is over.", 4_820),
        "detail": text("What failed; empty where nothing did.", ""),
        "storage": choice("Where the file is: on this machine, waiting to be carried to object storage, or there.", Kept),
        "sealed": truth("Whether the file is encrypted."),
        "file": text("Where the compatible interface has its sound.", "/recordings/01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f.wav"),
        "peaks": text("Where its waveform is.", "/api/recordings/01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f/peaks"),
        **stamps("When it was asked for."),
    },
)
TRANSCRIPTION = record(
    "Transcription",
    "A recording that is written down.",
    {
        "id": identity("The transcription."),
        "recordingId": identity("Its recording."),
        "callId": identity("Its call."),
        "legId": identity("The leg that is heard."),
        "language": text("The language it was asked for in.", "en-GB"),
        "status": choice("`done` and `failed` are final.", TranscriptionStatus, "done"),
        "error": or_null(text("Why it failed; null unless it did.", "too long"), None),
        **stamps("When it was asked for."),
    },
)
WORD = record(
    "Word",
    "A word that was heard.",
    {
        "text": text("The word.", "hello"),
        "startMs": whole("Milliseconds from the start of the recording.", 120),
        "endMs": whole("Milliseconds to where it ends.", 480),
        "confidence": or_null(number("0 to 1; null where the recogniser does not say.", 0.93, minimum=0, maximum=1)),
        "channel": whole("The channel it was heard in.", 0, 0, 1),
    },
)
HEARD = extended(
    "TranscriptionWithText",
    "A transcription, and what was heard.",
    TRANSCRIPTION,
    {
        "text": or_null(text("All of it; null until it is there.", "hello")),
        "words": or_null(several(WORD, "Its words, where the recogniser tells them; null until they are there.")),
        "engine": or_null(text("What wrote it down.", "faster-whisper tiny")),
    },
)
SHOWN = extended(
    "RecordingWithTranscriptions",
    "A recording, and what is written down of it.",
    RECORDING,
    {"transcriptions": several(TRANSCRIPTION, "Its transcriptions, newest first.")},
)
PEAKS = record(
    "Peaks",
    "A waveform under the names that the program audiowaveform gives.",
    {
        "version": whole("Of the format.", 2),
        "channels": whole("How many.", 1, 1, 2),
        "sample_rate": whole("Samples a second.", 8_000),
        "samples_per_pixel": whole("Samples that a column stands for.", 80),
        "bits": whole("Of a value.", 8),
        "length": whole("How many columns there are.", 2),
        "data": several(whole("A value.", 12, None), "The lowest and the highest of each column and channel in turn."),
    },
)
RENEWED = record(
    "Renewed",
    "How many files have another key.",
    {
        "renewed": whole("Sealed with the current key now.", 12),
        "lost": by_name(whole("How many.", 1), "Sealed with a key that is not there any more, by the key's name.", {}),
    },
)
REWRAPPED = record(
    "Rewrapped",
    "What was sealed anew.",
    {
        "key": text("The name of the current key.", "2026-05"),
        "recordings": said(RENEWED, "Recordings."),
        "transcriptions": said(RENEWED, "Transcriptions."),
    },
)
_about_recordings = partial(operation, tag="recordings")
_RECORDING = (identified("the recording"),)
_of_recording = partial(operation, tag="recordings", parameters=_RECORDING)

OPERATIONS = (
    _about_recordings(
        "GET /api/recordings",
        "listRecordings",
        "List recordings",
        Answer(200, "A page of recordings.", page_of("RecordingPage", RECORDING)),
        parameters=(*PAGED, Parameter("call", identity("Those of this call alone."))),
    ),
    _of_recording(
        "GET /api/recordings/{id}",
        "showRecording",
        "Show a recording with its transcriptions",
        Answer(200, "The recording.", SHOWN),
    ),
    _about_recordings(
        "GET /api/recordings/{id}/peaks",
        "showPeaks",
        "Show the waveform of a recording",
        Answer(200, "The waveform.", PEAKS),
        parameters=(
            *_RECORDING,
            Parameter(
                "columns",
                whole(
                    "How many columns there is room for.",
                    waveform.COLUMNS,
                    1,
                    waveform.MOST_COLUMNS,
                    default=waveform.COLUMNS,
                ),
            ),
        ),
    ),
    _about_recordings(
        "GET /api/recordings/{id}/sound",
        "readSound",
        "Read a portion of a recording's sound",
        Answer(
            200,
            "Bytes of a WAV file; fewer than were asked for at its end alone.",
            {"type": "string", "contentMediaType": "audio/wav"},
            media="audio/wav",
        ),
        sentence="The compatible interface serves the whole file.",
        parameters=(
            *_RECORDING,
            Parameter("offset", whole("From which byte of the file on.", 0, 0, 2**40, default=0)),
            Parameter("length", whole("How many bytes at most.", MOST_BYTES, 1, MOST_BYTES, default=MOST_BYTES)),
        ),
    ),
    _of_recording(
        "POST /api/recordings/{id}/pause",
        "pauseRecording",
        "Keep silence in place of sound",
        Answer(200, "The recording.", RECORDING),
        sentence="Such as while a card number is told.",
        failures=(409,),
    ),
    _of_recording(
        "POST /api/recordings/{id}/resume",
        "resumeRecording",
        "Keep sound again",
        Answer(200, "The recording.", RECORDING),
        failures=(409,),
    ),
    _about_recordings(
        "POST /api/recordings/rewrap",
        "rewrapKeys",
        "Seal with the current key what an older one seals",
        Answer(200, "How many were sealed anew.", REWRAPPED),
        failures=(409,),
        access=Access.SOCKET,
    ),
    _about_recordings(
        "GET /api/transcriptions",
        "listTranscriptions",
        "List transcriptions",
        Answer(200, "A page of transcriptions.", page_of("TranscriptionPage", TRANSCRIPTION)),
        sentence="Without their texts.",
        parameters=(*PAGED, Parameter("recording", identity("Those of this recording alone."))),
    ),
    _about_recordings(
        "GET /api/transcriptions/{id}",
        "showTranscription",
        "Show a transcription with its text",
        Answer(200, "The transcription.", HEARD),
        parameters=(identified("the transcription"),),
    ),
)

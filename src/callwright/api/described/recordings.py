"""Recordings and transcriptions, under their calls and by their own id (`api.recordings`, `api.transcriptions`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from callwright.api.described.accepted import UNSET, in_all_forms
from callwright.api.described.common import GONE, PAGED, STAMPS, answer, identified, links, listing, next_, path
from callwright.api.described.failures import CONFLICT
from callwright.dialect.strictness import Strictness
from callwright.openapi.operation import Access, Answer, Body, Link, Operation, Parameter, Place, operation
from callwright.openapi.shapes import Named, Shape, choice, exactly, identity, or_null, text, whole
from callwright.recordings.model import RecordingStatus, RecordingType
from callwright.transcriptions.languages import CONTRACT
from callwright.transcriptions.model import TranscriptionStatus

_STATUSES = [one.value for one in RecordingStatus if one is not RecordingStatus.PAUSED]
_RECORDING_LINKS = links(
    {"self": path("/recordings/{}", "The recording."), "file": path("/recordings/{}.wav", "Its sound, once it is done.")}
)
RECORDING = exactly(
    "VoiceRecording",
    "A recording of a leg. Its links are here as well as in the envelope, as libraries look in one or the other.",
    {
        "id": identity("The recording."),
        "format": choice("`wav`.", ("wav",)),
        "type": choice("What made it: a record step (`ivr`), a transfer, or a flow with record (`call`).", RecordingType),
        "legId": identity("The leg that was recorded."),
        "status": choice("`done` and `failed` are final. One that pauses is being recorded.", _STATUSES, "done"),
        "state": choice("The same, by its older name.", _STATUSES, "done"),
        "duration": whole("Seconds, rounded up; 0 until it is over.", 12),
        **STAMPS,
        "deletedAt": {"type": "null", "description": "Null: what was deleted is gone.", "examples": [None]},
        "_links": _RECORDING_LINKS,
    },
)
RECORDING_ANSWER = answer("VoiceRecordingAnswer", RECORDING, _RECORDING_LINKS)
RECORDINGS = listing("VoiceRecordingList", RECORDING, "/calls/{}/legs/{}/recordings")
_TRANSCRIPTION_LINKS = links(
    {
        "self": path("/transcriptions/{}", "The transcription."),
        "file": path("/transcriptions/{}.txt", "Its text, once it is done."),
    }
)
TRANSCRIPTION = exactly(
    "VoiceTranscription",
    "What a recording says, written down. Its links are here as well as in the envelope.",
    {
        "id": identity("The transcription."),
        "recordingId": identity("The recording."),
        "legId": identity("The leg that was recorded."),
        "status": choice("`done` and `failed` are final.", TranscriptionStatus),
        "error": or_null(text("Why it failed; null unless it has.", "The recording is silent."), None),
        **STAMPS,
        "_links": _TRANSCRIPTION_LINKS,
    },
)
TRANSCRIPTION_ANSWER = answer("VoiceTranscriptionAnswer", TRANSCRIPTION, _TRANSCRIPTION_LINKS)
TRANSCRIPTIONS = listing("VoiceTranscriptionList", TRANSCRIPTION, "/recordings/{}/transcriptions")
_LANGUAGE = text(
    f"The language it is in: {', '.join(CONTRACT)}, or the tag of another (BCP 47). Without it, transcription.language.",
    "nl-NL",
)
TRANSCRIPTION_WANTED = Named(
    "VoiceTranscriptionWanted",
    {
        "anyOf": [
            {"type": "object", "properties": {"language": in_all_forms(_LANGUAGE)}},
            {"type": "string", "description": "The language alone, as Java's library sends it.", "examples": ["nl-NL"]},
            UNSET,
        ],
        "description": "In which language to write down; PHP's library sends no body at all.",
        "examples": [{"language": "nl-NL"}],
    },
)

_RANGE = Parameter("Range", text("A part of the file (RFC 9110): `bytes=0-99`.", "bytes=0-99"), place=Place.HEADER)
_DISPOSITION = "Content-Disposition"
_FILE_HEADERS = {
    _DISPOSITION: "`attachment`, with a name for the file. Node's library wants it.",
    "ETag": "What to send as `If-None-Match` or `If-Range`.",
    "Accept-Ranges": "`bytes`.",
}
_SOUND: Shape = {"type": "string", "contentMediaType": "audio/wav"}
_SHORT, _LONG = "/recordings/{recording}", "/calls/{call}/legs/{leg}/recordings/{recording}"
_SHORT_TEXT, _LONG_TEXT = "/transcriptions/{transcription}", f"{_LONG}/transcriptions/{{transcription}}"
_about_recordings = partial(operation, tag="voice recordings", access=Access.NETWORK)
_about_transcriptions = partial(operation, tag="voice transcriptions", access=Access.NETWORK)
_IDS = {name: identified(name) for name in ("call", "leg", "recording", "transcription")}
_LONG_FORM = "The older path, whose parts must belong together."


def _in(template: str) -> tuple[Parameter, ...]:
    return tuple(parameter for name, parameter in _IDS.items() if f"{{{name}}}" in template)


def _recording_next(**extra: Link) -> dict[str, Link]:
    return {
        "recording": next_("showVoiceRecording", "The recording.", recording="id"),
        "sound": next_("downloadVoiceRecording", "Its sound.", recording="id"),
        "transcribe": next_("makeVoiceTranscription", "Write it down.", recording="id"),
        "transcriptions": next_("listVoiceTranscriptions", "What was written down.", recording="id"),
        "delete": next_("removeVoiceRecording", "Its end.", recording="id"),
        **extra,
    }


_TRANSCRIPTION_NEXT = {
    "transcription": next_("showVoiceTranscription", "The transcription.", transcription="id"),
    "text": next_("downloadVoiceTranscription", "Its text.", transcription="id"),
}


def operations(strictness: Strictness) -> Sequence[Operation]:
    return (
        _about_recordings(
            "GET /calls/{call}/legs/{leg}/recordings",
            "listVoiceRecordings",
            "List the recordings of a leg",
            Answer(
                200,
                "A page of recordings.",
                RECORDINGS,
                links=_recording_next(
                    older=next_("showVoiceRecordingOfLeg", "The recording.", call="path.call", leg="legId", recording="id")
                ),
            ),
            parameters=(_IDS["call"], _IDS["leg"], *PAGED),
        ),
        *(one for suffix, base in (("", _SHORT), ("OfLeg", _LONG)) for one in _recording(suffix, base)),
        *(one for suffix, base in (("", _SHORT_TEXT), ("OfLeg", _LONG_TEXT)) for one in _transcription(suffix, base)),
    )


def _recording(suffix: str, base: str) -> Iterator[Operation]:
    sentence = _LONG_FORM if suffix else ""
    yield _about_recordings(
        f"GET {base}",
        f"showVoiceRecording{suffix}",
        "Show a recording",
        Answer(200, "The recording.", RECORDING_ANSWER, links=_recording_next()),
        sentence=sentence,
        parameters=_in(base),
    )
    yield _about_recordings(
        f"DELETE {base}",
        f"removeVoiceRecording{suffix}",
        "Remove a recording",
        GONE,
        sentence=f"The file and its transcriptions go with it. {sentence}".strip(),
        parameters=_in(base),
        failures=(CONFLICT,),
    )
    for method, name in (("GET", "download"), ("POST", "post")):
        yield _about_recordings(
            f"{method} {base}.wav",
            f"{name}VoiceRecording{suffix}",
            "Download a recording",
            Answer(200, "The file.", _SOUND, media="audio/wav", headers=_FILE_HEADERS),
            Answer(
                206,
                "The part that was asked for.",
                _SOUND,
                media="audio/wav",
                headers={**_FILE_HEADERS, "Content-Range": "Which part, and of how many bytes."},
            ),
            Answer(304, "The client has it (`If-None-Match`).", headers={"ETag": "The file's."}),
            sentence=f"{'' if method == 'GET' else 'The same as GET, for programs that ask so.'} {sentence}".strip(),
            parameters=(*_in(base), _RANGE),
            failures=(416,),
        )
    yield _about_transcriptions(
        f"GET {base}/transcriptions",
        f"listVoiceTranscriptions{suffix}",
        "List the transcriptions of a recording",
        Answer(200, "A page of transcriptions.", TRANSCRIPTIONS, links=_TRANSCRIPTION_NEXT),
        sentence=sentence,
        parameters=(*_in(base), *PAGED),
    )
    yield _about_transcriptions(
        f"POST {base}/transcriptions",
        f"makeVoiceTranscription{suffix}",
        "Have a recording written down",
        Answer(201, "The transcription.", TRANSCRIPTION_ANSWER, links=_TRANSCRIPTION_NEXT),
        sentence=f"It is done later: look at it, or at callbacks. {sentence}".strip(),
        parameters=_in(base),
        body=Body(TRANSCRIPTION_WANTED, optional=True),
    )


def _transcription(suffix: str, base: str) -> Iterator[Operation]:
    sentence = _LONG_FORM if suffix else ""
    yield _about_transcriptions(
        f"GET {base}",
        f"showVoiceTranscription{suffix}",
        "Show a transcription",
        Answer(200, "The transcription.", TRANSCRIPTION_ANSWER, links=_TRANSCRIPTION_NEXT),
        sentence=sentence,
        parameters=_in(base),
    )
    yield _about_transcriptions(
        f"GET {base}.txt",
        f"downloadVoiceTranscription{suffix}",
        "Download the text of a transcription",
        Answer(
            200,
            "The text.",
            {"type": "string"},
            media="text/plain",
            headers={_DISPOSITION: "`attachment`, with a name for the file."},
        ),
        sentence=sentence,
        parameters=_in(base),
    )

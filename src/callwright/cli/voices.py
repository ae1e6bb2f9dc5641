"""``callwright voices``: who speaks which language here, and what it sounds like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callwright.cli.options import Json

if TYPE_CHECKING:
    from pathlib import Path

    from callwright.clock import Clock
    from callwright.speech.languages import Language
    from callwright.speech.settings import SpeechSettings
    from callwright.speech.studio import Studio
    from callwright.telephony.speech import Utterance

LOADING_S = 20.0

voices = typer.Typer(name="voices", invoke_without_command=True, rich_markup_mode=None)


@voices.callback()
def list_voices(context: typer.Context, json: Json = False) -> None:
    """List the languages that can be spoken, with the voices that speak them, the first choice first.

    It needs no server: the settings say who speaks. voices say lets you listen.
    """
    if context.invoked_subcommand is not None:
        return
    from callwright.cli import show
    from callwright.clock import SystemClock
    from callwright.settings import rooms
    from callwright.speech.languages import LANGUAGES

    settings = rooms.speech(context.obj.settings().settings)
    studio = _studio(settings, context.obj.folder.speech_cache, SystemClock())
    rows = [_row(studio, language) for language in LANGUAGES]
    if json:
        show.as_json({"languages": rows, "absent": studio.absent})
        return
    show.table(
        ("Language", "Name", "Female", "Male", "Note"),
        [(row["language"], row["name"], ", ".join(row["female"]), ", ".join(row["male"]), row["note"]) for row in rows],
        empty="",
    )
    for engine, why in studio.absent.items():
        show.aside(f"{engine}: {why}")


@voices.command()
def say(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    out: Annotated[str, typer.Option(help="The WAV file to write, 8 kHz as callers hear it; - for standard output.")],
    language: Annotated[str, typer.Option(help="A language such as en-GB.")] = "en-US",
    male: Annotated[bool, typer.Option("--male", help="A man's voice, where there is one.")] = False,
) -> None:
    """Say a text as a call would hear it, with the voices of the settings, and write that to a file."""
    import asyncio
    import sys
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from callwright import log
    from callwright.cli import show
    from callwright.cli.files import Unreadable, read_bytes
    from callwright.settings import rooms
    from callwright.telephony.speech import Utterance

    spoken = read_bytes(text).decode(errors="replace") if text == "-" else text
    log.configure("warning")
    with TemporaryDirectory(prefix="callwright-voices-") as folder:
        utterance = Utterance(spoken, language, "male" if male else "female")
        sound, by = asyncio.run(speak(rooms.speech(context.obj.settings().settings), Path(folder), utterance))
    if out == "-":
        sys.stdout.buffer.write(sound)
        return
    try:
        Path(out).write_bytes(sound)
    except OSError as error:
        raise Unreadable(f"{out} cannot be written: {error.strerror}.") from error
    show.aside(f"{out}: spoken by {', '.join(by)}.")


async def speak(settings: SpeechSettings, folder: Path, utterance: Utterance) -> tuple[bytes, list[str]]:
    """The whole text as one WAV file, and the sources that spoke it."""
    from contextlib import suppress

    from msgspec.structs import replace

    from callwright.app import speech_children
    from callwright.clock import SystemClock
    from callwright.egress.post import HttpDoor
    from callwright.settings import rooms
    from callwright.speech.studio import Studio
    from callwright.speech.wavfile import HEADER, wav
    from callwright.supervisor import Supervisor
    from callwright.telephony.speech import SpeechUnavailable

    clock = SystemClock()
    door = HttpDoor(rooms.speech_egress(), clock)
    by: dict[str, None] = {}
    # Who has just been started is given its time; here nobody waits on a telephone.
    patient = replace(settings, patience_s=settings.deadline_s + 5)
    studio = Studio(patient, folder, door, clock, counted=lambda source, result: by.update({source: None}))
    if why := studio.library.refusal(utterance):
        raise SpeechUnavailable(why)
    supervisor = Supervisor(speech_children(studio, clock))
    supervisor.start()
    try:
        with suppress(TimeoutError):  # those that are ready speak
            async with clock.timeout(LOADING_S):
                await studio.ready()
        pieces = [path.read_bytes()[HEADER:] async for path in studio.library.say(utterance)]
    finally:
        await studio.library.close()
        await supervisor.stop()
        await door.close()
    return wav(b"".join(pieces)), list(by)


def _studio(settings: SpeechSettings, folder: Path, clock: Clock) -> Studio:
    """One that only tells who would speak."""
    from callwright.egress.post import HttpDoor
    from callwright.settings import rooms
    from callwright.speech.studio import Studio

    return Studio(settings, folder, HttpDoor(rooms.speech_egress(), clock), clock)


def _row(studio: Studio, language: Language) -> dict[str, Any]:
    from callwright.speech.fitness import limit

    speaking: dict[str, Any] = {"language": language.tag, "name": language.name}
    for gender in ("female", "male"):
        chain = studio.library.cast.speakers(language, gender)
        speaking[gender] = [f"{source.name}:{voice.name}" for source, voice in chain if voice.gender in (gender, "")]
    sources = {source.name for source, _ in studio.library.cast.speakers(language, "")}
    speaking["note"] = limit(language) if sources == {"espeak"} else "" if sources else "nobody speaks it here"
    return speaking

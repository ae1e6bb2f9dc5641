"""The voices: whether each engine of the settings can be loaded, tried in a process of its own as the server does."""

from __future__ import annotations

from callwright.doctor.findings import Findings, note, ok, warning
from callwright.doctor.scene import Scene
from callwright.settings import rooms
from callwright.speech import local
from callwright.speech.piperfolder import PiperVoices
from callwright.speech.settings import VoiceSettings

_EXTRA = frozenset({"piper", "hibari"})


def engines(scene: Scene) -> Findings:
    settings = rooms.speech(scene.settings)
    for engine in settings.engines:
        check = f"voices.{engine}"
        if engine == "piper" and not settings.piper_folder:
            continue
        if (remedy := local.missing(engine)) is not None:
            what = "not installed; other voices speak instead"
            yield note(check, what, remedy) if engine in _EXTRA else warning(check, what, remedy)
            continue
        folder = settings.piper_folder if engine == "piper" else ""
        if (why := scene.machine.voice_fault(VoiceSettings(engine=engine, piper_folder=folder))) is not None:
            yield warning(check, why, "Other voices speak instead until it can be loaded.")
        else:
            yield ok(check, local.version(engine))
    if "espeak" not in settings.engines:
        yield note("voices.espeak", "not among speech.engines, so some languages may have no voice", "See callwright voices.")


def piper_folder(scene: Scene) -> Findings:
    settings = rooms.speech(scene.settings)
    if not settings.piper_folder:
        return
    voices = PiperVoices(settings.piper_folder, settings.piper_genders)
    if voices.problem is not None:
        yield warning("voices.piper_folder", voices.problem, "Correct speech.piper_folder, or empty it.")
    else:
        yield ok("voices.piper_folder", f"{len(voices.found)} voices in {settings.piper_folder}")

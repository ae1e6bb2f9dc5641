"""``python -m callwright.speech.voices.check SETTINGS`` loads an engine: exit 0, or 1 with why on standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from callwright.speech.settings import VoiceSettings
from callwright.speech.voices.engine import EngineUnusable, load


def main(arguments: Sequence[str]) -> int:
    try:
        load(msgspec.json.decode(arguments[0], type=VoiceSettings))
    except EngineUnusable as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

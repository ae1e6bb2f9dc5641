"""What a server with the settings at hand could do for a flow, as far as can be told without starting one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callwright.cli.place import Place
    from callwright.flows.check import Abilities
    from callwright.settings import Loaded


def of(place: Place, loaded: Loaded) -> Abilities:
    from callwright.clock import SystemClock
    from callwright.egress.post import HttpDoor
    from callwright.flows.check import Abilities
    from callwright.settings import rooms
    from callwright.speech.studio import Studio
    from callwright.transcriptions import languages

    clock = SystemClock()
    door = HttpDoor(rooms.egress(loaded.settings), clock)
    speech_door = HttpDoor(rooms.speech_egress(), clock)
    studio = Studio(
        rooms.speech(loaded.settings), place.folder.speech_cache, speech_door, clock
    )  # its processes stay unstarted
    return Abilities(studio.library.refusal, languages.refusal, rooms.flows(loaded.settings), door.refusal)

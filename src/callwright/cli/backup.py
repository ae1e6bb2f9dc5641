"""``callwright backup`` and ``callwright restore``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from callwright import __version__
from callwright.backup.making import Made, make
from callwright.backup.restoring import Restored, restore
from callwright.cli import show
from callwright.cli.place import Place
from callwright.clock import SystemClock
from callwright.errors import SettingsError
from callwright.settings import Loaded

MB = 1_000_000


def back_up(place: Place, target: Path, *, overwrite: bool, recordings: bool, json: bool) -> None:
    folder = place.folder
    made = make(folder, target, SystemClock(), program=__version__, overwrite=overwrite, recordings=recordings)
    left_out = [*_left_out(place, recordings=recordings)]
    if json:
        told = {
            "file": str(target),
            "bytes": made.size,
            "database": made.database,
            "files": made.files,
            "notIncluded": left_out,
        }
        show.as_json(told)
        return
    for line in (_told(target, made), *left_out):
        show.aside(line)


def restore_from(place: Place, file: Path, *, replace: bool, resend: bool, json: bool) -> None:
    restored = restore(file, place.folder, SystemClock(), replace=replace, resend=resend)
    if json:
        told = {
            "madeAt": restored.about.made_at,
            "program": restored.about.program,
            "bytes": restored.size,
            "pending": restored.pending,
            "givenUp": restored.given_up,
            "aside": None if restored.aside is None else str(restored.aside),
        }
        show.as_json(told)
        return
    for line in _story(place, restored, resend=resend):
        show.aside(line)


def _told(target: Path, made: Made) -> str:
    others = f"{made.files - 1} other files" if made.files != 2 else "another file"
    return f"{target}: {made.size / MB:.1f} MB, of which the database is {made.database / MB:.1f} MB, and {others}."


def _left_out(place: Place, *, recordings: bool) -> Iterator[str]:
    """What a server needs and the backup does not hold."""
    folder = place.folder
    if not recordings and folder.recordings.is_dir() and any(folder.recordings.iterdir()):
        yield f"Recordings are not in it: copy {folder.recordings} after it, or say --recordings."
    try:
        loaded = place.settings()
    except SettingsError:
        yield "The settings cannot be used as they are; callwright settings tells why."
        return
    keys = loaded.settings.recordings.keys_file
    if keys and folder.root.absolute() not in Path(keys).absolute().parents:
        yield f"The keys of recordings are not in it: keep a copy of {keys} in another place. Without them none can be heard."
    if elsewhere := _elsewhere(place, loaded):
        yield f"Settings of these are not in it: {', '.join(elsewhere)}."


def _elsewhere(place: Place, loaded: Loaded) -> list[str]:
    """Where settings were set, besides the file in the data folder."""
    own = {"default", str(place.data / "callwright.toml")}
    return sorted(set(loaded.origins.values()) - own)


def _story(place: Place, restored: Restored, *, resend: bool) -> Iterator[str]:
    yield (
        f"{place.data} is as it was at {restored.about.made_at[:19]}Z (Callwright {restored.about.program}, "
        f"{restored.size / MB:.1f} MB)."
    )
    if restored.aside is not None:
        yield f"What was there before is in {restored.aside}."
    if not resend:
        yield f"{restored.given_up} callbacks that were pending are given up: callwright deliveries list --failed"
    elif restored.pending:
        yield (
            f"{restored.pending} callbacks were pending in the backup. They go out when the server starts, "
            "and receivers may have had them."
        )

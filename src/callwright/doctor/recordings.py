"""Recordings: whether their files are there, can be opened, and get to where they are to go; nothing where there are none."""

from __future__ import annotations

from typing import Any

from callwright.clock import SECOND_US
from callwright.doctor.findings import Findings, fault, ok, some, span, warning
from callwright.doctor.scene import Scene
from callwright.errors import SettingsError
from callwright.recordings.rewrap import missing_keys
from callwright.settings import rooms
from callwright.store.survey import Survey

_NEWEST = 2_000
_LATE_S = 3_600


def keys(scene: Scene, survey: Survey) -> Findings:
    """A server may have keys in its environment that this command is not given, so this is no more than a warning."""
    try:
        keyring = rooms.recording_keys(scene.settings)
    except SettingsError as error:
        yield fault("recordings.keys", str(error), "Correct it: the server does not start so.")
        return
    missing = missing_keys(survey, keyring)
    if missing:
        sealed = some([f"{count} with {name}" for name, count in sorted(missing.items())])
        yield warning(
            "recordings.keys",
            f"sealed with keys that are not in the settings seen here: {sealed}",
            "Unless the server is given them another way, put them back in recordings.keys: nobody can read those without.",
        )
    elif keyring.current:
        yield ok("recordings.keys", "all that is sealed can be opened")


def files(scene: Scene, survey: Survey) -> Findings:
    """The newest ones on this machine; with --deep all of them."""
    rows: list[Any] = survey.read("doctor.recordings_here", (-1 if scene.deep else _NEWEST,))
    missing = [file for (file,) in rows if not (scene.folder.recordings / file).exists()]
    if missing:
        yield fault(
            "recordings.files",
            f"{len(missing)} of {len(rows)} recordings have no file: {some(missing)}",
            "Restore them from a backup, or delete the recordings over the API, which answers 404 for their files.",
        )
    elif rows:
        yield ok("recordings.files", f"all of {len(rows)} are there")


def waiting(scene: Scene, survey: Survey) -> Findings:
    rows: list[Any] = survey.read("doctor.recordings_waiting")
    ((count, oldest_us),) = rows
    if not count:
        return
    waits_s = (scene.clock.now_us() - oldest_us) / SECOND_US
    if waits_s > _LATE_S:
        yield warning(
            "recordings.waiting",
            f"{count} wait for object storage, the oldest for {span(waits_s)}",
            "See the lines recording_not_kept in the log: bucket, keys or network; and have an eye on the disk.",
        )
    else:
        yield ok("recordings.waiting", f"{count} are on their way to object storage")

"""All checks, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from callwright.doctor import certificate, counters, database, files, host, ports, recordings, records, server, voices
from callwright.doctor.findings import Finding, Findings, Level, fault
from callwright.doctor.scene import Scene
from callwright.errors import DataFolderError
from callwright.store.survey import Survey

__all__ = ["OF_THE_DATABASE", "OF_THE_MACHINE", "Scene", "examine"]

OF_THE_MACHINE: tuple[Callable[[Scene], Findings], ...] = (
    files.place,
    files.modes,
    files.owner,
    files.left_behind,
    server.parts,
    server.children,
    files.disk,
    files.recordings,
    ports.listening,
    certificate.shown,
    ports.sound,
    ports.trunks,
    host.clock,
    host.limits,
    host.versions,
    voices.engines,
    voices.piper_folder,
)
OF_THE_DATABASE: tuple[Callable[[Scene, Survey], Findings], ...] = (
    database.integrity,
    database.history,
    database.schema,
    database.growth,
    records.readable,
    records.rules,
    records.stories,
    *counters.CHECKS,
    records.stuck,
    records.deliveries,
    records.failing,
    records.endpoints,
    records.heartbeats,
    recordings.keys,
    recordings.files,
    recordings.waiting,
)

_ATTEMPTS = 3


def examine(scene: Scene) -> Iterator[Finding]:
    """Run every check. One that fails itself is a fault, and the others go on."""
    for check in OF_THE_MACHINE:
        yield from _guarded(_name(check), check(scene))
    if not scene.folder.database.exists():
        return
    for _ in range(_ATTEMPTS):
        with database.opened(scene) as survey:
            if isinstance(survey, Finding):
                yield survey
                return
            findings = list(_of_the_database(scene, survey))
            overtaken = survey.overtaken  # by a server that starts or stops; what was read of pages it wrote means nothing
        if not overtaken:
            break
    yield from findings


def _of_the_database(scene: Scene, survey: Survey) -> Findings:
    told: set[Finding] = set()
    for look in OF_THE_DATABASE:
        findings = list(_guarded(_name(look), look(scene, survey)))
        yield from (finding for finding in findings if finding not in told)  # a damaged file stops several checks alike
        told.update(findings)
        if look is database.history and any(finding.level is not Level.OK for finding in findings):
            return  # rows of an older or newer schema are not ours to judge


def _name(check: Callable[..., Findings]) -> str:
    return f"{check.__module__.rpartition('.')[2]}.{check.__name__}"


def _guarded(name: str, findings: Findings) -> Findings:
    try:
        yield from findings
    except DataFolderError as error:
        yield database.unreadable(error)
    except (OSError, ValueError, LookupError) as error:
        yield fault(name, f"the check could not be made: {error}", "Run doctor as the user the server runs as.")

"""What the running server says of itself."""

from __future__ import annotations

from callwright import __version__
from callwright.doctor.findings import Findings, fault, note, ok, warning
from callwright.doctor.scene import Scene

_REMEDIES = {
    "database": "See to the disk, owner and mode of the data folder; calls are taken again as soon as it accepts writes.",
    "engine": "The log has the last words of the child that died; see child_died.",
    "admission": "The server is stopping; it takes no new calls.",
}


def parts(scene: Scene) -> Findings:
    server = scene.server
    if server is None:
        return
    for part, why in server.unhealthy.items():
        if part == "admission":
            yield note(f"server.{part}", why, _REMEDIES[part])
        else:
            yield fault(f"server.{part}", why, _REMEDIES.get(part, "The log says more."))
    if not server.unhealthy:
        yield ok("server.parts", f"pid {server.pid}, all parts are healthy")
    if server.version == __version__:
        yield ok("server.version", server.version)
    else:
        yield warning(
            "server.version",
            f"the server runs {server.version}, and {__version__} is installed",
            "Restart the server to finish the upgrade.",
        )


def children(scene: Scene) -> Findings:
    for child in () if scene.server is None else scene.server.children:
        check = f"server.{child.name}"
        if child.trouble is not None and not child.essential:
            yield warning(
                check, child.trouble, "Look for child_died in the log; calls go on, and other voices speak meanwhile."
            )
        elif child.trouble is not None:
            yield fault(
                check,
                child.trouble,
                "Look for child_died and child_last_words in the log; INVITEs get 503 until it is back.",
            )
        elif child.epoch > 1:
            yield warning(
                check, f"up, pid {child.pid}, in its life number {child.epoch}", "Look for child_died in the log: why it died."
            )
        else:
            yield ok(check, f"up, pid {child.pid}")

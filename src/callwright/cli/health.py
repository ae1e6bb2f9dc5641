"""``callwright health``: a word and an exit status, for what watches the server."""

from __future__ import annotations

from callwright.cli import show
from callwright.cli.control import NoServer, reach
from callwright.cli.place import Place

PATIENCE_S = 3.0
# One that answers has calls, whatever it lacks: only with `SILENT` may who watches it end it.
LACKING, SILENT = 1, 2


def run(place: Place, *, json: bool) -> int:
    """Print whether calls can be carried, and each part that cannot; the exit status."""
    silent = False
    try:
        with reach(place, server_only=True, answer_s=PATIENCE_S) as control:
            lacking = control.get("/api/state")["unhealthy"]
    except NoServer as error:
        lacking, silent = {"server": str(error)}, True
    status = "unhealthy" if lacking else "ok"
    if json:
        show.as_json({"status": status, "why": lacking})
    else:
        for line in (status, *(f"{part}: {why}" for part, why in lacking.items())):
            show.line(line)
    return SILENT if silent else LACKING if lacking else 0

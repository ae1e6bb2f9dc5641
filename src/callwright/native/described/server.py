"""How the server is, and what it was told (`native.operations`)."""

from __future__ import annotations

from functools import partial

from callwright.openapi.operation import Access, Answer, operation
from callwright.openapi.shapes import all_of, by_name, choice, identity, or_null, record, several, text, truth, whole

HEALTH = record(
    "Health",
    "Whether calls can be carried.",
    {
        "status": choice("`unhealthy` where any part is.", ("ok", "unhealthy")),
        "parts": by_name(choice("How the part is.", ("ok", "unhealthy")), "Each by its name.", {"store": "ok", "sip": "ok"}),
        "why": by_name(text("A sentence.", "disk is full"), "What a part lacks; over the control socket alone.", {}),
    },
    optional=("why",),
)
SETTING = record(
    "Setting",
    "A setting in force.",
    {
        "key": text("Section and name.", "http.port"),
        "value": text("As a settings file would have it; secrets are `***`.", "8080"),
        "origin": text("Where it is from.", "default"),
    },
)
CHILD = record(
    "ChildProcess",
    "A process that the server started.",
    {
        "name": text("What it does.", "media-1"),
        "state": text("What it is at.", "up"),
        "pid": or_null(whole("Its number while it runs.", 4711)),
        "epoch": whole("How many times it was started.", 1),
        "trouble": or_null(text("Why it cannot be relied on; null while it can.", "it does not answer"), None),
        "essential": truth("Whether calls need it.", True),
    },
)
STATE = record(
    "ServerState",
    "What only the running server knows of itself.",
    {
        "version": text("The version of the program.", "0.4.0"),
        "pid": whole("The number of its process.", 4710),
        "nowUs": whole("Its wall clock, in microseconds since 1970.", 1_777_888_800_000_000),
        "clockSteppedUs": whole("How far that clock was set since the start, in microseconds.", 0, None),
        "http": text("Where it takes HTTP.", "127.0.0.1:8080"),
        "sip": text("Where it takes SIP.", "127.0.0.1:5060"),
        "sipReceiveBuffer": whole("Bytes that the kernel keeps of SIP.", 4_194_304),
        "liveCalls": several(identity("A call."), "Calls that are up."),
        "children": several(CHILD, "Its processes."),
        "unhealthy": by_name(text("A sentence.", "draining"), "A sentence for each part that lacks something.", {}),
    },
)

_about_server = partial(operation, tag="server")

OPERATIONS = (
    _about_server(
        "GET /api/health",
        "showHealth",
        "Say whether calls can be carried",
        Answer(200, "All is well.", HEALTH, example={"status": "ok", "parts": {"store": "ok"}}),
        Answer(503, "Something is not.", HEALTH, example={"status": "unhealthy", "parts": {"store": "unhealthy"}}),
        sentence="For load balancers and monitors. Over the control socket the answer also says why not.",
        access=Access.ANYONE,
    ),
    _about_server(
        "GET /api/settings",
        "listSettings",
        "List the settings in force",
        Answer(200, "All settings.", all_of("Settings", SETTING, "The settings in force.")),
        sentence="With their origin: a flag, the environment, a file or the default. Secrets are masked.",
        access=Access.SOCKET,
    ),
    _about_server(
        "GET /api/state",
        "showState",
        "Show what only the running server knows",
        Answer(200, "The state.", STATE),
        sentence="Its live calls, its processes, its clock; 503 where no server runs on the data folder.",
        access=Access.SOCKET,
    ),
)

"""Numbers and call flows (`native.provisioning`)."""

from __future__ import annotations

from functools import cache, partial

from callwright.flows.json_schema import EXAMPLE, json_schema
from callwright.native.described.common import DONE, PAGED, identified, stamps
from callwright.native.described.common import NUMBER as NUMBER_IN_PATH
from callwright.openapi.operation import Access, Answer, Body, operation
from callwright.openapi.shapes import (
    Named,
    anything,
    body,
    choice,
    extended,
    identity,
    or_null,
    page_of,
    published,
    record,
    several,
    text,
    truth,
    whole,
)

NUMBER = record(
    "Number",
    "A number of a world.",
    {
        "id": identity("The number."),
        "number": text("Its digits.", "31205550100"),
        "flowId": or_null(identity("The flow that answers it; null where the default flow does.")),
        **stamps("When it was registered."),
    },
)
NUMBER_WANTED = body(
    "NumberWanted",
    "A number to be registered, or bound.",
    {
        "number": text("Digits, with or without a plus sign.", "+31205550100"),
        "flowId": or_null(identity("The flow that is to answer it.")),
    },
    wanted=("number",),
)
FINDING = record(
    "Finding",
    "What is said about a flow.",
    {
        "severity": choice("`error` for what keeps a flow from being saved.", ("warning", "error")),
        "step": or_null(text("The id of the step that is meant.", "greeting")),
        "parameter": or_null(text("The value that is meant.", "steps[0].options.payload")),
        "message": text("What is the matter.", "The step after this one is never reached."),
    },
)
FLOW = record(
    "Flow",
    "A call flow as it is kept: the keys that were sent, and what we know of it.",
    {
        "id": identity("The flow."),
        "title": or_null(text("What its owner calls it.", "Front desk")),
        "record": truth("Whether its calls are recorded."),
        "default": truth("Whether it answers every number of the world that has no flow."),
        "maxDuration": or_null(whole("Seconds a call may last.", 3600), None),
        "steps": several(
            anything("A step as it was sent.", {"action": "say", "options": {"payload": "Hello.", "language": "en-GB"}}),
            "What is done, in order.",
        ),
        **stamps(),
    },
)
FLOW["additionalProperties"] = True  # what a client sends beside is kept, as the compatible interface returns it
EXAMINED_FLOW = extended(
    "ExaminedFlow",
    "A call flow, and what is said about it today.",
    FLOW,
    {"warnings": several(FINDING, "Errors too, for a flow that would not be saved any more: a voice may be gone since.")},
)
EXAMINED_FLOW["additionalProperties"] = True
REPORT = record(
    "FlowReport",
    "What would be said about a flow if it were saved.",
    {"ok": truth("Whether it would be saved.", True), "findings": several(FINDING, "What would be said.")},
)
NUMBERS_WANTED = body(
    "NumbersWanted",
    "Numbers to be bound to a flow.",
    {"numbers": several(text("A number.", "31205550100"), "They are registered where they are not yet.", minItems=1)},
    wanted=("numbers",),
)
NUMBERS_WANTED["additionalProperties"] = True  # they are read as the compatible interface reads them
BOUND = record("BoundNumbers", "Numbers that a flow answers now.", {"data": several(NUMBER, "Those that were named.")})


@cache
def flow_wanted() -> Named:
    """The published schema of call flows, whose definitions are called ``FlowSay`` and so on here."""
    return published(json_schema(), "FlowWanted", "Flow")


_about_numbers, _about_flows = partial(operation, tag="numbers"), partial(operation, tag="flows")
_of_flow = partial(operation, tag="flows", parameters=(identified("the flow"),))
_FLOW, _FLOW_BODY = Answer(200, "The flow.", EXAMINED_FLOW), Body(flow_wanted(), example=EXAMPLE)

OPERATIONS = (
    _about_numbers(
        "GET /api/numbers",
        "listNumbers",
        "List numbers",
        Answer(200, "A page of numbers.", page_of("NumberPage", NUMBER)),
        parameters=PAGED,
    ),
    _about_numbers(
        "POST /api/numbers",
        "makeNumber",
        "Register a number, or bind one to a flow",
        Answer(201, "The number.", NUMBER),
        sentence='With numbers.claim = "listed" the control socket alone registers numbers.',
        body=Body(NUMBER_WANTED),
        failures=(403, 409),
    ),
    _about_numbers(
        "DELETE /api/numbers/{number}",
        "removeNumber",
        "Remove a number",
        DONE,
        sentence="Calls to it are turned away. Its webhook goes with it; the record of its calls stays.",
        parameters=(NUMBER_IN_PATH,),
        failures=(403,),
    ),
    _about_flows(
        "GET /api/flows",
        "listFlows",
        "List call flows",
        Answer(200, "A page of flows.", page_of("FlowPage", FLOW)),
        parameters=PAGED,
    ),
    _about_flows(
        "POST /api/flows",
        "makeFlow",
        "Make a call flow",
        Answer(201, "The flow.", EXAMINED_FLOW),
        body=_FLOW_BODY,
        failures=(409,),
    ),
    _about_flows(
        "POST /api/flows/check",
        "checkFlow",
        "Say what would be said about a flow if it were saved",
        Answer(200, "What would be said.", REPORT),
        sentence="Nothing is kept of it.",
        body=_FLOW_BODY,
    ),
    _of_flow("GET /api/flows/{id}", "showFlow", "Show a call flow", _FLOW),
    _of_flow(
        "PUT /api/flows/{id}",
        "replaceFlow",
        "Put another body in a flow's place",
        _FLOW,
        sentence="Its id and the numbers it answers stay.",
        body=_FLOW_BODY,
        failures=(409,),
    ),
    _of_flow(
        "POST /api/flows/{id}/default",
        "makeFlowDefault",
        "Let a flow answer every number that has none",
        _FLOW,
        failures=(409,),
    ),
    _of_flow(
        "POST /api/flows/{id}/numbers",
        "bindNumbers",
        "Let a flow answer these numbers too",
        Answer(200, "The numbers.", BOUND),
        body=Body(NUMBERS_WANTED),
        failures=(403, 409),
    ),
    _about_flows(
        "GET /api/schemas/flow.json",
        "showFlowSchema",
        "Show the JSON Schema of call flows",
        Answer(200, "A JSON Schema (2020-12).", anything("The schema.", {"title": "Call flow"})),
        failures=(422,),
        access=Access.ANYONE,
    ),
)

"""``/calls`` and ``/legs`` (`api.calls`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from callwright.api.described.accepted import accepted, in_all_forms
from callwright.api.described.common import PAGED, STAMPS, answer, identified, links, listing, next_, path, time
from callwright.api.described.failures import CONFLICT
from callwright.api.described.flows import flow_wanted
from callwright.api.described.recordings import RECORDING_ANSWER
from callwright.calls.labels import LONGEST_TAG, LONGEST_VALUE, MOST_METADATA, MOST_TAGS, NAME_PATTERN
from callwright.calls.model import CallStatus, Direction, LegStatus
from callwright.dialect.render import SIP_RESPONSE_CODES
from callwright.dialect.strictness import Strictness
from callwright.flows.json_schema import EXAMPLE as FLOW_EXAMPLE
from callwright.openapi.operation import Access, Answer, Body, Operation, Parameter, Place, operation
from callwright.openapi.shapes import (
    Named,
    Shape,
    choice,
    exactly,
    identity,
    or_null,
    said,
    several,
    text,
    texts_by_name,
    whole,
)

FROM, TO = text("Who calls: digits, or a URI.", "31205550100"), text("Who is called: digits, or a URI.", "31612345678")
ENDED = or_null(time("When it was over; null while it lasts."), None)
ADDRESS = "a telephone number, with or without `+`, `00`, `tel:` and separators, or `sip:user@host` or `client:name`"


def _call_keys(strictness: Strictness) -> dict[str, Shape]:
    statuses = strictness.call_statuses
    final = ", ".join(
        f"`{one.value}`" for one in statuses if one not in (CallStatus.QUEUED, CallStatus.STARTING, CallStatus.ONGOING)
    )
    return {
        "id": identity("The call."),
        "status": choice(f"Final: {final}.", [one.value for one in statuses], "queued"),
        "numberId": identity("The number of yours that was called, or that calls; not there without one."),
        **STAMPS,
        "endedAt": ENDED,
        "source": FROM,
        "destination": TO,
    }


CALL_LINKS = links(
    {"self": path("/calls/{}", "The call."), "legs": path("/calls/{}/legs", "Its legs.")},
)
_LEG_LINKS = links({"self": path("/calls/{}/legs/{}", "The leg.")})
_LEG_KEYS = {
    "id": identity("The leg."),
    "callId": identity("The call it is of."),
    "source": FROM,
    "destination": TO,
    "status": choice("`hangup`, `busy`, `no_answer` and `failed` are final.", LegStatus, "hangup"),
    "direction": choice("`incoming`: from the telephone network to us.", Direction),
    **STAMPS,
    "answeredAt": or_null(time("When it was answered; null when it was not, or not yet.")),
    "endedAt": or_null(time("When it was over; null while it lasts.")),
    "cost": {"type": "number", "enum": [0], "description": "0: nothing is billed here.", "examples": [0]},
    "currency": text("The setting calls.currency.", "EUR", pattern="^[A-Z]{3}$"),
    "duration": whole("Seconds from answer to end, rounded up; 0 until it is over.", 42),
    "sipResponseCode": {
        "type": "integer",
        "enum": sorted(SIP_RESPONSE_CODES),
        "description": "The last SIP answer, where it is among those that Java's library can read; else not there.",
        "examples": [200],
    },
}
LEG = exactly("VoiceLeg", "A leg of a call: one telephone's connection with us.", _LEG_KEYS, optional=("sipResponseCode",))
LISTED_LEG = exactly(
    "ListedVoiceLeg", "A leg as lists have it.", _LEG_KEYS | {"_links": _LEG_LINKS}, optional=("sipResponseCode",)
)
LEG_ANSWER = answer("VoiceLegAnswer", LEG, _LEG_LINKS)
LEGS = listing("VoiceLegList", LISTED_LEG, "/calls/{}/legs")

_WEBHOOK = Named(
    "VoiceCallWebhook",
    accepted(
        {
            "type": "object",
            "description": "Where to tell what happens to the call.",
            "properties": {
                "url": text("A URL.", "https://example.com/voice"),
                "token": text("What to sign with.", "s3cr3t-token"),
            },
        }
    ),
)
CALL_WANTED = Named(
    "VoiceCallWanted",
    {
        "type": "object",
        "description": "A call to be placed.",
        "properties": {
            "source": in_all_forms(text(f"Who calls: {ADDRESS}.", "31205550100"), wanted=True),
            "destination": in_all_forms(text(f"Whom to call: {ADDRESS}.", "31612345678"), wanted=True),
            "callFlow": said(in_all_forms(flow_wanted(), wanted=True), "What to do once it is answered."),
            "webhook": in_all_forms(_WEBHOOK),
            "tags": in_all_forms(
                several(
                    text("A word or a few, without a comma.", "vip", minLength=1, maxLength=LONGEST_TAG),
                    "Words to find it by. Callwright's own.",
                    maxItems=MOST_TAGS,
                )
            ),
            "metadata": in_all_forms(
                texts_by_name("Texts by name, to find it by. Callwright's own.", {"customer": "42"}, maxLength=LONGEST_VALUE)
                | {"maxProperties": MOST_METADATA, "propertyNames": {"pattern": NAME_PATTERN}}
            ),
        },
        "required": ["source", "destination", "callFlow"],
    },
)
FLOW_OF_CALL = Named(
    "VoiceCallFlowWanted",
    {
        "type": "object",
        "description": "Another flow for a call; other keys of a call are passed over.",
        "properties": {"callFlow": said(in_all_forms(flow_wanted(), wanted=True), "What to do from now on.")},
        "required": ["callFlow"],
    },
)
PARTY = Named(
    "VoicePartyWanted",
    {
        "type": "object",
        "description": "Who is to be added.",
        "properties": {
            "source": in_all_forms(text("What the party sees as the caller; without it, who called first.", "31205550100"))
        },
    },
)
_CALL, _LEG = identified("call"), identified("leg")
_about_calls = partial(operation, tag="voice calls", access=Access.NETWORK)
_of_call = partial(operation, tag="voice calls", access=Access.NETWORK, parameters=(_CALL,))
_of_leg = partial(operation, tag="voice calls", access=Access.NETWORK, parameters=(_LEG,))
_OVER, _LEG_SHOWN = Answer(204, "It is over."), Answer(200, "The leg.", LEG_ANSWER)
_DESTINATION = Parameter("destination", text(f"Whom to call: {ADDRESS}.", "31205550199", minLength=3), place=Place.PATH)
_CALL_NEXT = {
    "call": next_("showVoiceCall", "The call.", call="id"),
    "legs": next_("listVoiceLegs", "Its legs.", call="id"),
    "change": next_("changeVoiceCall", "Another flow for it.", call="id"),
    "party": next_("addVoiceParty", "Somebody else in it.", call="id"),
    "hangUp": next_("hangUpVoiceCall", "Its end.", call="id"),
}
_LEG_NEXT = {
    "leg": next_("showVoiceLeg", "The leg.", call="callId", leg="id"),
    "recordings": next_("listVoiceRecordings", "What was recorded of it.", call="callId", leg="id"),
    "hangUp": next_("hangUpVoiceLeg", "Its end.", leg="id"),
    "hold": next_("holdVoiceLeg", "Music for it.", leg="id"),
    "unhold": next_("unholdVoiceLeg", "The conversation again.", leg="id"),
}


def operations(strictness: Strictness) -> Sequence[Operation]:
    keys = _call_keys(strictness)
    call = exactly("VoiceCall", "A call. Its webhook is never shown.", keys, optional=("numberId",))
    listed = exactly("ListedVoiceCall", "A call as lists have it.", keys | {"_links": CALL_LINKS}, optional=("numberId",))
    placed = answer("PlacedVoiceCallAnswer", call, links({"self": path("/calls/{}", "The call.")}))
    shown = answer("VoiceCallAnswer", call, CALL_LINKS)
    return (
        _about_calls(
            "GET /calls",
            "listVoiceCalls",
            "List calls",
            Answer(200, "A page of calls.", listing("VoiceCallList", listed, "/calls"), links=_CALL_NEXT),
            parameters=PAGED,
        ),
        _about_calls(
            "POST /calls",
            "placeVoiceCall",
            "Place a call",
            Answer(201, "The call.", placed, links=_CALL_NEXT),
            sentence="It is `queued` and dialled at once. The flow runs when it is answered.",
            body=Body(
                CALL_WANTED,
                example={
                    "source": "31205550100",
                    "destination": "31612345678",
                    "callFlow": FLOW_EXAMPLE,
                    "webhook": {"url": "https://example.com/voice", "token": "s3cr3t-token"},
                },
            ),
        ),
        _about_calls(
            "GET /calls/{call}",
            "showVoiceCall",
            "Show a call",
            Answer(
                200,
                "The call, or the recording.",
                {"anyOf": [shown, RECORDING_ANSWER]},
                links={"legs": next_("listVoiceLegs", "Its legs.", call="path.call")},
            ),
            sentence="With both parameters it is a recording that is shown: Java's library asks for one so.",
            parameters=(
                _CALL,
                Parameter("legs", identity("A leg of the call.")),
                Parameter("recordings", identity("A recording of that leg.")),
            ),
        ),
        _of_call(
            "PUT /calls/{call}",
            "changeVoiceCall",
            "Give a call another flow",
            Answer(200, "The call.", shown),
            sentence="It takes the place of what remains of the one it has.",
            body=Body(FLOW_OF_CALL, example={"callFlow": FLOW_EXAMPLE}),
            failures=(CONFLICT,),
        ),
        _of_call(
            "DELETE /calls/{call}",
            "hangUpVoiceCall",
            "Hang up a call",
            _OVER,
            sentence="Every leg of it. It stays readable; one that is over stays as it is.",
        ),
        _about_calls(
            "POST /calls/{call}/{destination}",
            "addVoiceParty",
            "Call somebody else into a call",
            Answer(201, "The new leg.", LEG_ANSWER, links=_LEG_NEXT),
            sentence="Who answers joins those who talk. A party that nothing leads to is a leg that has failed.",
            parameters=(_CALL, _DESTINATION),
            body=Body(PARTY, optional=True),
            failures=(CONFLICT,),
        ),
        _about_calls(
            "GET /calls/{call}/legs",
            "listVoiceLegs",
            "List the legs of a call",
            Answer(200, "A page of legs.", LEGS, links=_LEG_NEXT),
            parameters=(_CALL, *PAGED),
        ),
        _about_calls("GET /calls/{call}/legs/{leg}", "showVoiceLeg", "Show a leg", _LEG_SHOWN, parameters=(_CALL, _LEG)),
        _of_leg("DELETE /legs/{leg}", "hangUpVoiceLeg", "Hang up a leg", _OVER),
        *(
            _of_leg(
                f"POST /legs/{{leg}}/{path_}", f"{path_}VoiceLeg", summary, _LEG_SHOWN, sentence=sentence, failures=(CONFLICT,)
            )
            for path_, summary, sentence in (
                ("hold", "Put a leg on hold", "It hears music, and nobody hears it."),
                ("unhold", "Take a leg off hold", "It is in the conversation again."),
            )
        ),
    )

"""``/calls`` and ``/legs`` (`api.calls`)."""

from __future__ import annotations

from collections.abc import Sequence

from callwright.api.described.accepted import accepted, in_all_forms
from callwright.api.described.common import (
    CHANGED,
    MADE,
    PAGED,
    answer,
    identified,
    links,
    listing,
    next_,
    path,
    time,
)
from callwright.api.described.failures import CONFLICT
from callwright.api.described.flows import EXAMPLE as FLOW_EXAMPLE
from callwright.api.described.flows import flow_wanted
from callwright.api.described.recordings import RECORDING_ANSWER
from callwright.calls.labels import LONGEST_TAG, LONGEST_VALUE, MOST_METADATA, MOST_TAGS, NAME_PATTERN
from callwright.calls.model import CallStatus, Direction, LegStatus
from callwright.dialect.render import SIP_RESPONSE_CODES
from callwright.dialect.strictness import Strictness
from callwright.openapi.operation import Access, Answer, Body, Operation, Parameter, Place
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
        "createdAt": time(MADE),
        "updatedAt": time(CHANGED),
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
    "createdAt": time(MADE),
    "updatedAt": time(CHANGED),
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
_DESTINATION = Parameter(
    name="destination", place=Place.PATH, shape=text(f"Whom to call: {ADDRESS}.", "31205550199", minLength=3)
)
_OF_CALL = {
    "call": next_("showVoiceCall", "The call.", call="id"),
    "legs": next_("listVoiceLegs", "Its legs.", call="id"),
    "change": next_("changeVoiceCall", "Another flow for it.", call="id"),
    "party": next_("addVoiceParty", "Somebody else in it.", call="id"),
    "hangUp": next_("hangUpVoiceCall", "Its end.", call="id"),
}
_OF_LEG = {
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
        Operation(
            method="GET",
            path="/calls",
            name="listVoiceCalls",
            access=Access.NETWORK,
            tag="voice calls",
            summary="List calls",
            parameters=PAGED,
            answers=(
                Answer(
                    status=200, sentence="A page of calls.", shape=listing("VoiceCallList", listed, "/calls"), links=_OF_CALL
                ),
            ),
        ),
        Operation(
            method="POST",
            path="/calls",
            name="placeVoiceCall",
            access=Access.NETWORK,
            tag="voice calls",
            summary="Place a call",
            sentence="It is `queued` and dialled at once. The flow runs when it is answered.",
            body=Body(
                shape=CALL_WANTED,
                example={
                    "source": "31205550100",
                    "destination": "31612345678",
                    "callFlow": FLOW_EXAMPLE,
                    "webhook": {"url": "https://example.com/voice", "token": "s3cr3t-token"},
                },
            ),
            answers=(Answer(status=201, sentence="The call.", shape=placed, links=_OF_CALL),),
        ),
        Operation(
            method="GET",
            path="/calls/{call}",
            name="showVoiceCall",
            access=Access.NETWORK,
            tag="voice calls",
            summary="Show a call",
            sentence="With both parameters it is a recording that is shown: Java's library asks for one so.",
            parameters=(
                _CALL,
                Parameter(name="legs", shape=identity("A leg of the call.")),
                Parameter(name="recordings", shape=identity("A recording of that leg.")),
            ),
            answers=(
                Answer(
                    status=200,
                    sentence="The call, or the recording.",
                    shape={"anyOf": [shown, RECORDING_ANSWER]},
                    links={"legs": next_("listVoiceLegs", "Its legs.", call="path.call")},
                ),
            ),
        ),
        Operation(
            method="PUT",
            path="/calls/{call}",
            name="changeVoiceCall",
            access=Access.NETWORK,
            tag="voice calls",
            summary="Give a call another flow",
            sentence="It takes the place of what remains of the one it has.",
            parameters=(_CALL,),
            body=Body(shape=FLOW_OF_CALL, example={"callFlow": FLOW_EXAMPLE}),
            answers=(Answer(status=200, sentence="The call.", shape=shown),),
            failures=(CONFLICT,),
        ),
        Operation(
            method="DELETE",
            path="/calls/{call}",
            name="hangUpVoiceCall",
            access=Access.NETWORK,
            tag="voice calls",
            summary="Hang up a call",
            sentence="Every leg of it. It stays readable; one that is over stays as it is.",
            parameters=(_CALL,),
            answers=(Answer(status=204, sentence="It is over."),),
        ),
        Operation(
            method="POST",
            path="/calls/{call}/{destination}",
            name="addVoiceParty",
            access=Access.NETWORK,
            tag="voice calls",
            summary="Call somebody else into a call",
            sentence="Who answers joins those who talk. A party that nothing leads to is a leg that has failed.",
            parameters=(_CALL, _DESTINATION),
            body=Body(shape=PARTY, optional=True),
            answers=(Answer(status=201, sentence="The new leg.", shape=LEG_ANSWER, links=_OF_LEG),),
            failures=(CONFLICT,),
        ),
        Operation(
            method="GET",
            path="/calls/{call}/legs",
            name="listVoiceLegs",
            access=Access.NETWORK,
            tag="voice calls",
            summary="List the legs of a call",
            parameters=(_CALL, *PAGED),
            answers=(Answer(status=200, sentence="A page of legs.", shape=LEGS, links=_OF_LEG),),
        ),
        Operation(
            method="GET",
            path="/calls/{call}/legs/{leg}",
            name="showVoiceLeg",
            access=Access.NETWORK,
            tag="voice calls",
            summary="Show a leg",
            parameters=(_CALL, _LEG),
            answers=(Answer(status=200, sentence="The leg.", shape=LEG_ANSWER),),
        ),
        Operation(
            method="DELETE",
            path="/legs/{leg}",
            name="hangUpVoiceLeg",
            access=Access.NETWORK,
            tag="voice calls",
            summary="Hang up a leg",
            parameters=(_LEG,),
            answers=(Answer(status=204, sentence="It is over."),),
        ),
        *(
            Operation(
                method="POST",
                path=f"/legs/{{leg}}/{path_}",
                name=f"{path_}VoiceLeg",
                access=Access.NETWORK,
                tag="voice calls",
                summary=summary,
                sentence=sentence,
                parameters=(_LEG,),
                answers=(Answer(status=200, sentence="The leg.", shape=LEG_ANSWER),),
                failures=(CONFLICT,),
            )
            for path_, summary, sentence in (
                ("hold", "Put a leg on hold", "It hears music, and nobody hears it."),
                ("unhold", "Take a leg off hold", "It is in the conversation again."),
            )
        ),
    )

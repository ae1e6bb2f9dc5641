"""What a query of calls says, and what is told of one that cannot be."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from starlette.requests import Request

from callwright.calls.filters import At, CallFilter, Sought
from callwright.calls.lists import EVER
from callwright.calls.model import CallStatus, Direction
from callwright.errors import BadQuery
from callwright.native import Authority
from callwright.native.asking import MOMENT, Ask
from callwright.native.filters import call_filter, text_of
from callwright.reasons import Reason
from support.native_room import NativeRoom

SOMEWHERE = "01890000-0000-7000-8000-000000000000"
MAY_US, JUNE_US = 1_777_593_600_000_000, 1_780_272_000_000_000
MAY, JUNE = "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"


async def asked(query: str) -> Ask:
    room = await NativeRoom.open()
    await room.numbers.make(room.accounts.world("live"), "31205550100")
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/calls", "headers": [], "query_string": query.encode()}
    return Ask(Request(scope), room.parts, Authority.SOCKET)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", CallFilter()),
        ("status=ended", CallFilter(statuses=frozenset({CallStatus.ENDED}))),
        # several times, or once with commas
        ("status=busy&status=failed", CallFilter(statuses=frozenset({CallStatus.BUSY, CallStatus.FAILED}))),
        ("status=busy,failed", CallFilter(statuses=frozenset({CallStatus.BUSY, CallStatus.FAILED}))),
        ("direction=incoming", CallFilter(direction=Direction.INCOMING)),
        ("reason=busy,no_answer", CallFilter(reasons=frozenset({Reason.BUSY, Reason.NO_ANSWER}))),
        # a number as people write it; a plus is one, raw and encoded
        ("source=+31612345678", CallFilter(source=Sought("31612345678"))),
        ("source=%2B31612345678", CallFilter(source=Sought("31612345678"))),
        ("source=0031%206-1234%205678", CallFilter(source=Sought("31612345678"))),
        ("destination=sip:alice@example.com", CallFilter(destination=Sought("sip:alice@example.com"))),
        ("source=anonymous", CallFilter(source=Sought("anonymous"))),
        # parts of one
        ("source=+316*", CallFilter(source=Sought("316", At.BEGINNING))),
        ("source=00316*", CallFilter(source=Sought("316", At.BEGINNING))),
        ("source=*5678", CallFilter(source=Sought("5678", At.END))),
        ("source=*%2056-78", CallFilter(source=Sought("5678", At.END))),
        ("source=*0056", CallFilter(source=Sought("0056", At.END))),
        ("destination=*@example.com", CallFilter(destination=Sought("@example.com", At.END))),
        ("destination=sip:*97@example.com", CallFilter(destination=Sought("sip:*97@example.com"))),
        (
            f"source=*345*&createdFrom={MAY}&createdTo={JUNE}",
            CallFilter(source=Sought("345", At.ANYWHERE), created=(MAY_US, JUNE_US)),
        ),
        (f"flow={SOMEWHERE}", CallFilter(flow_id=UUID(SOMEWHERE))),
        (f"number={SOMEWHERE}", CallFilter(number_id=UUID(SOMEWHERE))),
        ("tag=vip&tag=two%20words", CallFilter(tags=frozenset({"vip", "two words"}))),
        ("tag=a+b", CallFilter(tags=frozenset({"a+b"}))),
        ("metadata.customer=42&metadata.x=%C3%A9", CallFilter(metadata=frozenset({("customer", "42"), ("x", "é")}))),
        # spans, half open; a time may be in another zone
        (f"createdFrom={MAY}", CallFilter(created=(MAY_US, EVER[1]))),
        ("createdTo=2026-06-01T02:00:00+02:00", CallFilter(created=(EVER[0], JUNE_US))),
        (f"endedFrom={MAY}&endedTo={JUNE}", CallFilter(ended=(MAY_US, JUNE_US))),
        ("createdFrom=2026-05-01t00:00:00z", CallFilter(created=(MAY_US, EVER[1]))),
        ("durationFrom=10", CallFilter(duration=(10, 10**9))),
        ("durationTo=0", CallFilter(duration=(0, 0))),
    ],
)
async def test_a_query_is_read(query, wanted):
    assert call_filter(await asked(query)) == wanted


async def test_a_number_of_ones_own_is_found_by_its_digits():
    ask = await asked("number=%2B31%2020%20555%200100")
    number = ask.parts.numbers.find(ask.world.id, "31205550100")
    assert call_filter(ask) == CallFilter(number_id=number.id)


@pytest.mark.parametrize(
    ("query", "parameter", "said", "example"),
    [
        # unknown
        ("sources=1", "sources", "is not known here: the nearest is source; there are status, direction", "source=316*"),
        ("createdfrom=1", "createdfrom", "the nearest is createdFrom", f"createdFrom={MOMENT}"),
        ("meta.customer=1", "meta.customer", "the nearest is metadata.NAME", "metadata.customer=42"),
        ("metadata[customer]=1", "metadata[customer]", "the nearest is metadata.NAME", "metadata.customer=42"),
        ("metadata=1", "metadata", "the nearest is metadata.NAME", "metadata.customer=42"),
        ("created_from=1", "created_from", "the nearest is createdFrom", f"createdFrom={MOMENT}"),
        ("SINCE=1", "SINCE", "the nearest is createdFrom", f"createdFrom={MOMENT}"),
        ("caller=1", "caller", "the nearest is source", "source=316*"),
        ("order=1", "order", "is not known here; there are", "status=ended"),  # nothing to sort
        ("metadata.x=1&offset=1", "offset", "durationTo, metadata.NAME.", "status=ended"),
        ("source=1&source=2", "source", "given more than once", "source=316*"),
        ("metadata.customer=1&metadata.customer=2", "metadata.customer", "given more than once", "metadata.customer=1"),
        # bad words
        ("status=complete", "status", "of queued, starting, ongoing", "status=ended,failed"),
        ("status=no-answer", "status", "it was 'no-answer': the nearest is no_answer", "status=ended,failed"),
        ("status=", "status", "it was ''", "status=ended,failed"),
        ("status=ended,", "status", "it was ''", "status=ended,failed"),
        ("direction=both", "direction", "must be incoming or outgoing; it was 'both'", "direction=incoming"),
        ("reason=buzy", "reason", "it was 'buzy': the nearest is busy", "reason=busy,no_answer"),
        ("tag=", "tag", "must have 1 to 64 characters; it has 0", "tag=vip"),
        ("tag=vip,new", "tag", "none holds a comma; it was 'vip,new'", "tag=vip&tag=new"),
        (f"tag={'x' * 65}", "tag", "must have 1 to 64 characters; it has 65", "tag=vip"),
        ("metadata.customer=", "metadata.customer", "must have 1 to 500 characters; it has 0", "metadata.customer=42"),
        ("metadata.=1", "metadata.", "names no metadata", "metadata.customer=42"),
        ("metadata.a%20b=1", "metadata.a b", "names no metadata", "metadata.customer=42"),
        # numbers
        ("source=", "source", "says nothing to look for", "source=316*"),
        ("source=*", "source", "says nothing to look for", "source=316*"),
        ("source=**", "source", "says nothing to look for", "source=316*"),
        ("source=+*", "source", "says nothing to look for", "source=316*"),
        ("source=31*78", "source", "none within; it was '31*78'", "source=316*"),
        ("destination=*12", "destination", "an end of 4 characters or more; it was '*12'", "destination=*5678"),
        ("source=*1-2-3", "source", "an end of 4 characters or more", "source=*5678"),
        ("number=x", "number", "3 to 15 digits or the id of one; it was 'x'", "number=31205550100"),
        ("number=31205550199", "number", "31205550199 is none now", "destination=31205550199"),
        ("flow=main", "flow", "must be an id of 36 characters; it was 'main'", None),
        # anywhere in a number
        ("source=*1*", "source", "createdFrom and createdTo must both be given, at most 31 days apart", None),
        (f"source=*1*&createdFrom={MAY}", "source", "must both be given", None),
        (f"source=*1*&createdFrom={MAY}&createdTo=2026-06-01T00:00:01Z", "source", "at most 31 days apart; they are 32", None),
        ("source=%00", "source", "characters that can be printed; it was '\\x00'", "source=316*"),
        ("destination=sip:a%0A@example.com", "destination", "characters that can be printed", "destination=316*"),
        # what is no text
        ("source=%FF", "source", "'source=", "source=316*"),
        ("tag=%zz", "tag", "'tag=%zz' in the query is no text", "tag=vip"),
        ("tag=50%", "tag", "'tag=50%' in the query is no text", "tag=vip"),
        ("metadata.x=%C3", "metadata.x", "in the query is no text", "tag=caf%C3%A9"),
        ("a%FFb=1", "a\ufffdb", "in the query is no text", "tag=caf%C3%A9"),
        # times
        ("createdFrom=yesterday", "createdFrom", "must be a time such as", "createdFrom=2026-05-04T10:00:00Z"),
        ("createdFrom=2026-05-04", "createdFrom", "must be a time such as", "createdFrom=2026-05-04T10:00:00Z"),
        ("endedTo=1777593600", "endedTo", "must be a time such as", "endedTo=2026-05-04T10:00:00Z"),
        ("createdFrom=2026-W18-5T00:00:00Z", "createdFrom", "must be a time such as", f"createdFrom={MOMENT}"),
        ("durationFrom=1.5", "durationFrom", "must be a whole number from 0", "durationFrom=0"),
        # conflicts
        (f"createdFrom={MAY}&createdTo={MAY}", "createdTo", "createdFrom must be before createdTo", None),
        (f"endedFrom={JUNE}&endedTo={MAY}", "endedTo", "endedFrom must be before endedTo", None),
        ("durationFrom=9&durationTo=8", "durationTo", "must not be more than durationTo", None),
        (f"status=ongoing&endedTo={MAY}", "endedTo", "endedTo and status=ongoing can not both be", None),
        ("status=queued,ongoing&durationFrom=1", "durationFrom", "durationFrom=1 and status=queued,ongoing", None),
        ("status=busy&durationFrom=5", "durationFrom", "can not both be: such calls were never answered", None),
        ("direction=incoming&status=queued", "direction", "direction=incoming and status=queued can not both be", None),
        ("status=busy,queued&reason=caller_hangup", "reason", "end so are ended", "status=ended&reason=caller_hangup"),
        ("direction=incoming&reason=callee_hangup", "reason", "end so are outgoing", "direction=outgoing&reason=callee_hangup"),
        ("direction=outgoing&status=no_answer&reason=machine", "reason", "and direction=outgoing can not all be", None),
        (f"createdFrom={MAY}&endedTo=2026-05-01T00:00:09.5Z&durationFrom=11", "durationFrom", "lasts 10 s at most", None),
        ("&".join(f"tag={n}" for n in range(21)), "tag", "asked for 21 times, and no call has more than 20", "tag=vip"),
        ("&".join(f"metadata.{n}=1" for n in range(51)), "metadata", "and no call has more than 50", "metadata.customer=42"),
        ("status=ongoing&reason=busy", "reason", "reason=busy and status=ongoing can not both be", None),
        (f"createdFrom={JUNE}&endedTo={JUNE}", "endedTo", "endedTo and createdFrom can not both be: no call ends", None),
    ],
)  # fmt: skip
async def test_a_query_that_cannot_be_is_told_with_an_example(query, parameter, said, example):
    ask = await asked(query)
    with pytest.raises(BadQuery) as refused:
        call_filter(ask)
    problem = refused.value
    assert (problem.documented_http, problem.parameter) == (422, parameter)
    assert said in problem.message
    if example is not None:
        assert problem.example == example


@pytest.mark.parametrize(
    ("query", "said", "example"),
    [
        ("page=2", "the nearest is cursor", "limit=100"),
        ("order=oldest", "the nearest is sort", "sort=oldest"),
        ("per_page=5", "the nearest is limit", "limit=100"),
        ("zzz=1", "is not known here; there are", "status=ended"),
    ],
)
async def test_what_other_interfaces_have_is_told_by_its_name_here(query, said, example):
    room = await NativeRoom.open()
    error = (await room.customer("GET", f"/calls?{query}")).error
    assert said in error["message"]
    assert error["example"] == example
    assert (error["remedy"] is not None) == ("cursor" in said)
    assert (await room.customer("GET", f"/calls?{error['example']}")).status == 200


async def test_pages_by_counting_are_found_by_their_offset():
    room = await NativeRoom.open()
    error = (await room.customer("GET", "/numbers?page=2")).error
    assert ("the nearest is offset" in error["message"], error["example"]) == (True, "offset=0")


async def test_every_example_is_right():
    for query in ("status=x", "direction=x", "reason=x", "source=*1", "source=*1*", "flow=x",
                  "durationFrom=2&durationTo=1",
                  f"createdFrom={JUNE}&createdTo={MAY}", f"status=ongoing&endedFrom={MAY}", "status=ongoing&durationFrom=1",
                  "status=ongoing&reason=busy", "tag=a,b", "status=busy&durationFrom=1", "direction=incoming&status=queued",
                  "status=busy&reason=limit", "direction=incoming&reason=callee_hangup",
                  "direction=outgoing&status=no_answer&reason=machine",
                  f"createdFrom={MAY}&endedTo={JUNE}&durationFrom=9999999",
                  "metadata.x=", "metadata=1", "created=1", "zzz=1", "flow=&flow=",
                  f"createdFrom={JUNE}&endedTo={MAY}", "createdTo=x", "x=%FF", "tag=", "metadata.=", "source="):  # fmt: skip
        with pytest.raises(BadQuery) as refused:
            call_filter(await asked(query))
        assert refused.value.example is not None
        call_filter(await asked(quote(refused.value.example, safe="=&%")))


async def test_as_many_labels_as_a_call_has_may_be_asked_for():
    room = await NativeRoom.open()
    labels = [*(f"tag={n}" for n in range(20)), *(f"metadata.{n}=1" for n in range(50))]
    assert (await room.customer("GET", f"/calls?{'&'.join(labels)}")).content["data"] == []


async def test_who_does_not_search_needs_no_range():
    assert call_filter(await asked("source=*1*"), searched=False) == CallFilter(source=Sought("1", At.ANYWHERE))
    assert call_filter(await asked("call=x&type=leg"), besides=("call", "type")) == CallFilter()


async def test_equal_filters_have_one_text():
    one = await asked("status=busy,failed&tag=a&tag=b&metadata.x=1&metadata.y=2&source=%2B316*")
    two = await asked("metadata.y=2&source=00316*&metadata.x=1&tag=b&tag=a&status=failed&status=busy")
    assert text_of(call_filter(one)) == text_of(call_filter(two))
    texts = {
        text_of(call_filter(await asked(query)))
        for query in ("", "source=316*", "source=316", "destination=316", "durationTo=0", "tag=316", "metadata.tag=316")
    }
    assert len(texts) == 7

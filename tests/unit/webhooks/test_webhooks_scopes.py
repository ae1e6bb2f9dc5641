from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace

from callwright.calls.model import Call, CallStatus
from callwright.webhooks.model import Scope, Webhook
from callwright.webhooks.scopes import Receiver, receivers

WORLD = UUID(int=1)
NUMBER = UUID(int=2)
A, B, C = "https://a.test/", "https://b.test/", "https://c.test/x?y=1"
ACCOUNT_HOOK, SECOND_HOOK, NUMBER_HOOK = UUID(int=10), UUID(int=11), UUID(int=12)


def account(url: str, token: str | None, id_: UUID = ACCOUNT_HOOK) -> Webhook:
    return Webhook(id=id_, world_id=WORLD, url=url, target=url, token=token, created_us=0, updated_us=0)


def number(url: str, token: str | None) -> Webhook:
    return Webhook(
        id=NUMBER_HOOK, world_id=WORLD, number_id=NUMBER, url=url, target=url, token=token, created_us=0, updated_us=0
    )


def call(url: str | None = None, token: str | None = None) -> Call:
    return Call(
        id=UUID(int=3), world_id=WORLD, status=CallStatus.QUEUED, source="1", destination="2",
        webhook_url=url, webhook_token=token, created_us=0, updated_us=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "webhooks", "expected"),
    [
        pytest.param(call(), [], [], id="nobody asks"),
        pytest.param(call(), [account(A, "t")], [Receiver(A, A, Scope.ACCOUNT, "t", ACCOUNT_HOOK)], id="account"),
        pytest.param(call(), [number(A, "t")], [Receiver(A, A, Scope.NUMBER, "t", NUMBER_HOOK)], id="number"),
        pytest.param(call(A, "t"), [], [Receiver(A, A, Scope.CALL, "t", None)], id="call"),
        pytest.param(
            call(A, "c"),
            [account(B, "a"), number(C, "n")],
            [
                Receiver(A, A, Scope.CALL, "c", None),
                Receiver(C, "https://c.test/x", Scope.NUMBER, "n", NUMBER_HOOK),
                Receiver(B, B, Scope.ACCOUNT, "a", ACCOUNT_HOOK),
            ],
            id="each of the three, narrowest first",
        ),
        pytest.param(
            call(A, "c"),
            [account(A, "a"), number(A, "n")],
            [Receiver(A, A, Scope.CALL, "c", None)],
            id="call over number over account",
        ),
        pytest.param(
            call(),
            [account(A, "a"), number(A, "n")],
            [Receiver(A, A, Scope.NUMBER, "n", NUMBER_HOOK)],
            id="number over account",
        ),
        pytest.param(
            call(A, None),
            [account(A, "a"), number(A, "n")],
            [Receiver(A, A, Scope.CALL, "n", NUMBER_HOOK)],
            id="the narrowest token there is",
        ),
        pytest.param(
            call(A, ""),
            [account(A, "a"), number(A, None)],
            [Receiver(A, A, Scope.CALL, "a", ACCOUNT_HOOK)],
            id="an empty token is none",
        ),
        pytest.param(call(A, None), [account(A, None)], [Receiver(A, A, Scope.CALL, None, None)], id="no token anywhere"),
        pytest.param(
            call(),
            [account(A, "new", SECOND_HOOK), account(A, "old")],
            [Receiver(A, A, Scope.ACCOUNT, "new", SECOND_HOOK)],
            id="one URL in two webhooks of an account",
        ),
        pytest.param(
            call("HTTPS://A.test:443#x", "c"),
            [account(A, "a")],
            [Receiver(A, A, Scope.CALL, "c", None)],
            id="two spellings of a URL",
        ),
        pytest.param(
            call("https://c.test/x?y=2", None),
            [account(C, None)],
            [
                Receiver("https://c.test/x?y=2", "https://c.test/x", Scope.CALL, None, None),
                Receiver(C, "https://c.test/x", Scope.ACCOUNT, None, ACCOUNT_HOOK),
            ],
            id="two queries are two receivers at one endpoint",
        ),
    ],
)
def test_one_delivery_per_distinct_url_signed_for_the_narrowest(
    made: Call, webhooks: list[Webhook], expected: list[Receiver]
) -> None:
    assert receivers(made, webhooks) == expected


@pytest.mark.parametrize(
    ("asked", "otherwise", "expected"),
    [
        pytest.param([None], (), {"call"}, id="the settings ask for nothing"),
        pytest.param([None], ("call", "leg"), {"call", "leg"}, id="as the settings say"),
        pytest.param([()], ("leg",), {"call"}, id="none is an answer too"),
        pytest.param([("recording",)], ("leg",), {"call", "recording"}, id="its own list alone"),
        pytest.param([("recording",), ("leg",), None], ("webhook",), {"call", "recording", "leg", "webhook"}, id="a union"),
    ],
)
def test_a_receiver_hears_what_any_webhook_with_its_url_asks_for(
    asked: list[tuple[str, ...] | None], otherwise: tuple[str, ...], expected: set[str]
) -> None:
    webhooks = [replace(account(A, None), events=events) for events in asked]
    for order in (webhooks, webhooks[::-1]):
        (receiver,) = receivers(call(), order, otherwise)
        assert receiver.events == expected


def test_the_calls_own_webhook_goes_by_the_settings_and_joins_those_with_its_url() -> None:
    found = receivers(call(B, "c"), [replace(account(B, "a"), events=("leg",)), account(A, "a")], ("recording",))
    assert [(one.url, one.scope, one.token, one.events) for one in found] == [
        (B, Scope.CALL, "c", {"call", "recording", "leg"}),
        (A, Scope.ACCOUNT, "a", {"call", "recording"}),
    ]


def test_what_is_of_no_call_goes_to_webhooks_alone() -> None:
    assert receivers(None, [account(A, "a")]) == [Receiver(A, A, Scope.ACCOUNT, "a", ACCOUNT_HOOK)]

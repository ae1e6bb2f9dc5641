"""Numbers: how they are written, who owns them, and what they are bound to."""

import pytest

from callwright import ids
from callwright.accounts.worlds import Accounts
from callwright.clock import SystemClock
from callwright.errors import Invalid, NotFound, Unauthenticated
from callwright.numbers.numbers import Numbers, normalised
from callwright.store import Store


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("31205550123", "31205550123"),
        ("+31205550123", "31205550123"),
        ("0031205550123", "31205550123"),
        (" +31 (20) 555-01.23 ", "31205550123"),
        ("tel:+31-20-555-0123;phone-context=x", "31205550123"),
        ("112", "112"),
        ("12", None),
        ("1234567890123456", None),
        ("sip:alice@example.test", None),
        ("31205x", None),
        ("", None),
        ("٣١٢٠٥٥٥", None),
    ],
)
def test_numbers_are_their_digits(text: str, digits: str | None) -> None:
    assert normalised(text) == digits


async def test_a_live_number_belongs_to_one_world_and_test_worlds_never_conflict() -> None:
    store = Store.in_memory()
    accounts = Accounts(store, SystemClock())
    await accounts.prepare()
    numbers = Numbers(store, SystemClock())
    live, test = accounts.world("live"), accounts.world("test")
    await numbers.make(test, "31205550123")
    assert numbers.find_live("31205550123") is None
    mine = await numbers.make(live, "+31205550123")
    assert numbers.find_live("31205550123") == mine
    other = type(live)(ids.uuid7(1), live.account_id, "live", "k")
    with pytest.raises(Invalid, match="another account"):
        await numbers.make(other, "31205550123")
    with pytest.raises(NotFound):
        numbers.get(other.id, mine.id)


async def test_assigning_moves_numbers_and_replacing_lets_others_go() -> None:
    store = Store.in_memory()
    accounts = Accounts(store, SystemClock())
    await accounts.prepare()
    numbers = Numbers(store, SystemClock())
    world = accounts.world("live")
    first, second = ids.uuid7(1), ids.uuid7(2)

    def bound(flow: object) -> list[str]:
        return sorted(one.number for one in numbers.page(world.id, limit=9, offset=0, flow_id=flow).numbers)  # type: ignore[arg-type]

    await numbers.assign(world, first, ["31200000001", "+31 20 0000 002", "31200000001"], replace=False)
    assert bound(first) == ["31200000001", "31200000002"]
    await numbers.assign(world, second, ["31200000001"], replace=False)
    assert (bound(first), bound(second)) == (["31200000002"], ["31200000001"])
    await numbers.assign(world, first, ["31200000003"], replace=True)
    assert (bound(first), bound(second)) == (["31200000003"], ["31200000001"])
    assert numbers.page(world.id, limit=2, offset=1).total == 3
    with pytest.raises(Invalid, match="not a telephone number"):
        await numbers.assign(world, first, ["31200000004", "soup"], replace=True)
    assert bound(first) == ["31200000003"]


async def test_listed_numbers_are_made_by_the_operator_only() -> None:
    store = Store.in_memory()
    accounts = Accounts(store, SystemClock())
    await accounts.prepare()
    world = accounts.world("live")
    numbers = Numbers(store, SystemClock(), claim="listed")
    with pytest.raises(Invalid, match=r"numbers\.claim"):
        await numbers.claim(world, "31205550123")
    made = await numbers.make(world, "31205550123")
    assert await numbers.claim(world, "+31205550123") == made
    await numbers.remove(world, "31205550123")
    with pytest.raises(NotFound):
        await numbers.remove(world, "31205550123")


async def test_keys_open_their_world_until_they_are_revoked() -> None:
    store = Store.in_memory()
    accounts = Accounts(store, SystemClock())
    await accounts.prepare()
    live, test = await accounts.make_key("live", "shop"), await accounts.make_key("test")
    assert live.secret.startswith("live_")
    assert len(live.secret) == 48
    assert accounts.authenticate(f"AccessKey {live.secret}").kind == "live"
    assert accounts.authenticate(f" accesskey  {test.secret} ").kind == "test"
    for header in (None, "", live.secret, f"Bearer {live.secret}", "AccessKey ", f"AccessKey {live.secret}x"):
        with pytest.raises(Unauthenticated):
            accounts.authenticate(header)
    await accounts.revoke_key(live.key.id)
    with pytest.raises(Unauthenticated):
        accounts.authenticate(f"AccessKey {live.secret}")
    with pytest.raises(NotFound):
        await accounts.revoke_key(live.key.id)
    every = accounts.keys()
    assert [(key.label, key.kind, key.ending, key.revoked_us is None) for key in every] == [
        ("shop", "live", live.secret[-4:], False),
        ("", "test", test.secret[-4:], True),
    ]

    again = Accounts(store, SystemClock())
    await again.prepare()
    assert again.authenticate(f"AccessKey {test.secret}") == accounts.world("test")
    assert live.secret.encode() not in b"".join(
        value for row in store._reader.execute("SELECT hash FROM keys") for value in row
    )

"""Time, ids, reasons and errors: small things that everything rests on."""

import asyncio
import inspect
from uuid import UUID

import pytest

from callwright import errors, ids
from callwright.clock import SystemClock, VirtualClock, VirtualLoop, from_rfc3339, rfc3339
from callwright.reasons import Reason, Refusal


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_488_023_999_999_999, "2017-02-25T11:59:59Z"),
        (1_709_164_800_000_000, "2024-02-29T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ],
)
def test_times_are_floored_to_seconds(at_us: int, text: str) -> None:
    assert rfc3339(at_us) == text


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2017-02-25t12:59:59.9999999+01:00", 1_488_023_999_999_999),
        ("2017-02-25 11:59:59.5z", 1_488_023_999_500_000),
        ("1969-12-31T20:29:59-03:30", -1_000_000),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000_000),
        ("9999-12-31T23:59:59.999999-23:59", 253_402_387_139_999_999),
    ],
)
def test_times_are_read_as_rfc_3339_has_them(text: str, at_us: int) -> None:
    assert from_rfc3339(text) == at_us


@pytest.mark.parametrize(
    "text",
    [
        "2026-W48-4T00:00:00Z",
        "20261126T000000Z",
        "2026-05-04",
        "2026-05-04T10Z",
        "2026-05-04T10:00Z",
        "2026-05-04T10:00:00",
        "2026-05-04T10:00:00,5Z",
        "2026-05-04T10:00:00.Z",
        "2026-05-04T10:00:00+0200",
        "2026-05-04T10:00:00+02",
        "2026-05-04T10:00:00+02:60",
        "2026-05-04T24:00:00Z",
        "2026-02-29T10:00:00Z",
        "٢٠٢٦-05-04T10:00:00Z",
        "2026-05-04T10:00:00Z\n",
        "",
    ],
)
def test_other_times_of_iso_8601_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(text)


def test_virtual_time_jumps_and_keeps_order() -> None:
    async def story() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = VirtualClock(loop, start_us=0)
        told: list[tuple[str, float]] = []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            told.append((name, clock.now_us() / 1e6))

        clock.call_later(600, lambda: told.append(("timer", clock.mono_ns() / 1e9)))
        await asyncio.gather(sleeper("late", 3600), sleeper("early", 1.5), sleeper("now", 0))
        with pytest.raises(TimeoutError):
            async with clock.timeout(10):
                await asyncio.Event().wait()
        told.append(("end", clock.now_us() / 1e6))
        return told

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(story()) == [("now", 0), ("early", 1.5), ("timer", 600), ("late", 3600), ("end", 3610)]


def test_virtual_time_names_a_deadlock() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    loop = VirtualLoop()
    task = loop.create_task(story())
    with pytest.raises(RuntimeError, match="every task waits"):
        loop.run_until_complete(task)
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


def test_the_system_clock_tells_microseconds_and_nanoseconds() -> None:
    clock = SystemClock()
    assert 1_700_000_000_000_000 < clock.now_us() < 4_000_000_000_000_000
    assert clock.mono_ns() <= clock.mono_ns()


def test_ids_are_version_7_and_sort_by_time() -> None:
    made = [ids.uuid7(at_us) for at_us in range(1_700_000_000_000_000, 1_700_000_000_100_000, 1_000)]
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {"specified in RFC 4122"}
    assert made == sorted(made)
    assert made[0].int >> 80 == 1_700_000_000_000
    assert len(set(ids.uuid7(0) for _ in range(1000))) == 1000  # noqa: C401


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("f1aa71c0-8f2a-4fe8-b5ef-9a330454ef58", True),
        ("F1AA71C0-8F2A-4FE8-B5EF-9A330454EF58", True),
        ("f1aa71c08f2a4fe8b5ef9a330454ef58", False),
        ("{1aa71c0-8f2a-4fe8-b5ef-9a330454ef5}", False),
        ("", False),
    ],
)
def test_only_the_usual_spelling_of_an_id_is_read(text: str, read: bool) -> None:
    assert ids.parse(text) == (UUID(text) if read else None)


@pytest.mark.parametrize("reason", [*Reason], ids=lambda reason: reason.value)
def test_a_reason_explains_itself(reason: Reason) -> None:
    assert reason.value == reason.name.lower()
    assert reason.sentence.endswith(".")
    assert reason.remedy.endswith(".")
    assert Reason(reason.value) is reason


@pytest.mark.parametrize("refusal", [*Refusal], ids=lambda refusal: refusal.value)
def test_a_refusal_has_a_final_code(refusal: Refusal) -> None:
    assert 400 <= refusal.sip_code < 700
    assert refusal.sip_phrase
    assert refusal.sentence.endswith(".")


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    _, _, tree = (errors.__doc__ or "").partition("\n\n")
    drawn = [line.split()[0] for line in tree.splitlines()]
    defined = [name for name, one in vars(errors).items() if inspect.isclass(one) and one.__module__ == errors.__name__]
    assert sorted(drawn) == sorted(defined)
    for name in defined:
        assert str(getattr(errors, name)()) == getattr(errors, name).__doc__.splitlines()[0]

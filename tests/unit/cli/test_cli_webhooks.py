"""``callwright webhooks``, ``endpoints`` and ``deliveries`` on a folder that no server works on."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest
import typer

from callwright import ids
from callwright.accounts.worlds import Accounts
from callwright.cli import main
from callwright.cli.deliveries import attempt_line, outcome, told_of_resent
from callwright.cli.moments import ago
from callwright.cli.webhooks import endpoint_state
from callwright.clock import SystemClock
from callwright.egress import Answer, Fault, Timings
from callwright.store import Change, Store
from callwright.webhooks import ledger, switching
from callwright.webhooks.log import DeliveryLog
from callwright.webhooks.model import Endpoint, Message, Scope, State
from callwright.webhooks.notices import Why
from callwright.webhooks.scopes import Receiver

AGAIN = "1 are due again, and go when the server runs. Start it: callwright serve\n"
PENDING = "1 of them were pending anyway, and are due now.\n"
SOMEWHERE = "01890000-0000-7000-8000-000000000000"
# The server of the settings at hand listens on loopback alone, so these may be posted to.
HOOK, OTHER = "http://127.0.0.1:9/hook", "http://127.0.0.1:9/other"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    assert run("keys", "create", "live")[0] == 0
    return run


@pytest.fixture
def made(tmp_path, run):
    """Three deliveries of the live world: one given up after an attempt, one delivered, one pending elsewhere."""

    async def make():
        store = Store.open(tmp_path / "callwright-data" / "callwright.db", SystemClock())
        accounts = Accounts(store, SystemClock())
        await accounts.prepare()
        world = accounts.world("live").id
        found = []
        for url, state in ((HOOK, State.EXHAUSTED), (HOOK, State.DELIVERED), (OTHER, State.PENDING)):
            now_us = SystemClock().now_us()
            made = ids.uuid7(now_us)
            message = Message(ids.uuid7(now_us), "callCreated", b'{"items":[]}')
            receiver = Receiver(url, url, Scope.CALL, None, None)
            arrival = ledger.Arrival(world, UUID(int=9), message, receiver, made)
            await store.transact(partial(ledger.insert, arrivals=(arrival,), now_us=now_us))
            pos = DeliveryLog(store, SystemClock()).get(world, made).pos
            delivery = ledger.find_deliveries(store, (pos,), ())[pos]
            if state is State.EXHAUSTED:
                answer = Answer(
                    url, status=500, headers=[("Server", "x")], body=b"oops", whole=True, fault=Fault.HTTP_ERROR,
                    detail="it said 500", timings=Timings(dns_us=1_000, total_us=20_000),
                )  # fmt: skip
                write = ledger.insert_attempt(delivery, now_us, [("webhook-id", "m")], answer, "http_error", None)
                await store.commit(Change((write,)))
            if state is not State.PENDING:
                settled = ledger.settle(delivery, state, now_us, made=1, status=500, error="http_error")
                await store.commit(Change(settled))
            found.append(str(made))
        store.close()
        return found

    return asyncio.run(make())


def lines(result):
    assert result[0] == 0, result
    return [line.split("\t") for line in result[1].splitlines()]


def test_a_webhook_is_made_listed_changed_and_deleted(run):
    code, webhook_id, aside = run("webhooks", "create", HOOK, "--token", "secret", "--events", "leg, recording")
    assert (code, aside) == (0, f"See that it works: callwright webhooks test {webhook_id}")
    webhook_id = webhook_id.strip()
    of_number = run("webhooks", "create", OTHER, "--number", "+31205550100")[1].strip()
    assert lines(run("webhooks", "list")) == [
        [of_number, "31205550100", "default", OTHER],
        [webhook_id, "all calls", "call, leg, recording", HOOK],
    ]
    assert run("webhooks", "list", "--test")[1] == ""
    shown = json.loads(run("webhooks", "show", webhook_id)[1])
    assert (shown["hasToken"], "secret" in shown.values()) == (True, False)
    assert run("webhooks", "set", webhook_id, "--url", OTHER, "--events", "default", "--no-token")[2] == (
        f"The webhook {webhook_id} posts to {OTHER} and hears of default.\n"
    )
    assert json.loads(run("webhooks", "set", webhook_id, "--token", "t", "--json")[1])["hasToken"] is True
    assert run("webhooks", "delete", webhook_id)[0] == 0
    assert run("webhooks", "show", webhook_id)[0] == 1


@pytest.mark.parametrize("mending", ["create", "set"])
def test_whoever_makes_or_mends_a_webhook_has_its_endpoint_enabled_without_a_server_too(run, tmp_path, mending):
    webhook_id = run("webhooks", "create", HOOK)[1].strip()

    async def disable():
        store = Store.open(tmp_path / "callwright-data" / "callwright.db", SystemClock())
        accounts = Accounts(store, SystemClock())
        await accounts.prepare()
        world = accounts.world("live").id
        await store.transact(lambda told: switching.switch_off(told, Endpoint(world, HOOK), Why.GONE, 5_000_000))
        store.close()

    asyncio.run(disable())
    assert json.loads(run("endpoints", "list", "--json")[1])[0]["disabledWhy"] == "gone"
    arguments = ("create", HOOK) if mending == "create" else ("set", webhook_id, "--token", "another")
    assert run("webhooks", *arguments)[0] == 0
    assert json.loads(run("endpoints", "list", "--json")[1])[0]["disabledWhy"] is None


def test_a_token_is_rotated(run):
    webhook_id = run("webhooks", "create", HOOK, "--test")[1].strip()
    code, out, err = run("webhooks", "secret", webhook_id, "--test")
    assert (code, out, "callwright keys signing --test" in err) == (1, "", True)
    run("webhooks", "set", webhook_id, "--token", "old", "--test")
    assert run("webhooks", "secret", webhook_id, "--test") == (0, "whsec_b2xk\n", "Its token is old\n")
    code, token, aside = run("webhooks", "rotate", webhook_id, "--test", "--token", "new", "--overlap", "2h")
    assert (code, token) == (0, "new\n")
    assert f"callwright webhooks rotate {webhook_id} --finish --test" in aside
    assert "this is good too: whsec_b2xk (token old)" in run("webhooks", "secret", webhook_id, "--test")[2]
    assert run("webhooks", "rotate", webhook_id, "--test")[0] == 1
    assert run("webhooks", "rotate", webhook_id, "--test", "--finish")[2] == "The new token alone is good now.\n"
    again = run("webhooks", "rotate", webhook_id, "--test", "--finish")
    assert (again[0], again[2]) == (0, "No rotation was under way, so nothing has changed.\n")
    made = run("webhooks", "rotate", webhook_id, "--test", "--overlap", "0")
    assert (made[0], len(made[1]) > 20, made[2]) == (0, True, "It holds at once.\n")


def test_a_first_token_takes_the_place_of_the_signing_key(run):
    webhook_id = run("webhooks", "create", HOOK, "--test")[1].strip()
    aside = run("webhooks", "rotate", webhook_id, "--test", "--token", "new")[2]
    assert aside.startswith("The signing key, as it had no token before, is good until ")
    aside = run("webhooks", "secret", webhook_id, "--test")[2]
    assert aside.endswith(" UTC this is good too: the signing key, callwright keys signing --test\n")
    assert run("webhooks", "rotate", webhook_id, "--test", "--finish")[2] == "The new token alone is good now.\n"
    assert run("webhooks", "secret", webhook_id, "--test")[2] == "Its token is new\n"


def test_types_are_listed(run):
    listed = lines(run("webhooks", "types"))
    assert ["callCreated", "call, always"] in [line[:2] for line in listed]
    assert {line[1] for line in listed} == {"call, always", "leg", "recording", "transcription", "webhook"}


def test_endpoints_are_limited_and_listed(run, made):
    assert run("endpoints", "limit", f"{HOOK}?a=1", "--concurrency", "4", "--rate", "2.5")[2] == (
        f"{HOOK} gets 4 at once, and 2.5 a second.\n"
    )
    assert lines(run("endpoints", "list")) == [[HOOK, "well", "4", "2.5", "0", "1"]]
    assert run("endpoints", "limit", HOOK, "--concurrency", "default")[2] == (
        f"{HOOK} gets as many requests at once as the settings say, and 2.5 a second.\n"
    )
    assert json.loads(run("endpoints", "list", "--json")[1])[0]["countedTo"] == 100
    assert run("endpoints", "list", "--test")[1] == ""
    for what in ("enable", "disable"):
        code, _, err = run("endpoints", what, HOOK)
        assert (code, "No server works on" in err) == (1, True)


def test_deliveries_are_listed(run, made, monkeypatch):
    given_up, delivered, pending = made
    monkeypatch.setattr("callwright.cli.deliveries.PAGE", 2)
    assert [[line[0], *line[2:]] for line in lines(run("deliveries", "list"))] == [
        [pending, "callCreated 1", "pending", OTHER],
        [delivered, "callCreated 2", "delivered 500", HOOK],
        [given_up, "callCreated 1", "exhausted 500", HOOK],
    ]
    some = lambda *arguments: [line[0] for line in lines(run("deliveries", "list", *arguments))]  # noqa: E731
    assert some("--failed") == some("--state", "exhausted") == [given_up]
    assert some("--endpoint", OTHER, "--since", "1h", "--event", "call") == [pending]
    assert some("--until", "1h") == some("--test") == some("--event", "leg") == []
    assert some("--call", str(UUID(int=9))) == made[::-1]
    assert some("--limit", "1") == [pending]
    assert "These are the newest 1" in run("deliveries", "list", "--limit", "1")[2]
    assert [one["id"] for one in json.loads(run("deliveries", "list", "--json")[1])] == made[::-1]


def test_a_delivery_is_told(run, made):
    told = run("deliveries", "show", made[0])[1].splitlines()
    assert told[0].startswith(f"callCreated 1 of call {UUID(int=9)}, message ")
    assert told[1] == f"to {HOOK} (call webhook)"
    assert told[2].endswith("500 failed: it said 500 (DNS 1.0, total 20.0 ms)")
    assert told[3:] == [f"exhausted (http_error); send it again with: callwright deliveries resend {made[0]}"]
    assert run("deliveries", "show", made[2])[1].splitlines()[2].startswith("pending: due at ")
    exchange = run("deliveries", "show", made[0], "--attempt", "1")[1].splitlines()
    assert exchange[1:] == [
        "", f"POST {HOOK}", "webhook-id: m", "", '{"items":[]}', "", "500", "Server: x", "", "oops",
    ]  # fmt: skip
    assert json.loads(run("deliveries", "show", made[0], "--attempt", "1", "--json")[1])["answer"]["body"] == "oops"
    assert run("deliveries", "show", made[0], "--attempt", "2")[0] == 1
    assert run("deliveries", "show", made[0], "--test")[0] == 1


def test_deliveries_are_resent(run, made):
    given_up, delivered, _ = made
    assert run("deliveries", "resend", "--endpoint", HOOK, "--since", "2h", "--failed")[::2] == (
        0,
        AGAIN,
    )
    assert run("deliveries", "resend", "--endpoint", HOOK, "--delivered")[2] == AGAIN
    assert run("deliveries", "resend", "--since", "2h", "--until", "1h")[2] == AGAIN.replace("1 ", "0 ", 1)
    assert run("deliveries", "resend", given_up)[::2] == (0, AGAIN + PENDING)
    assert "after the earlier ones of its call" in run("deliveries", "resend", delivered)[2]
    code, _, err = run("deliveries", "resend", given_up, SOMEWHERE)
    assert (code, err) == (1, AGAIN + PENDING + "1 are not: there are no such deliveries in this world.\n")
    assert run("deliveries", "resend", SOMEWHERE)[0] == 1
    assert json.loads(run("deliveries", "resend", "--since", "2h", "--json")[1]) == {
        "resent": 0, "wasPending": 0, "skipped": {}, "held": []
    }  # fmt: skip


def test_what_waits_says_until_when_and_how_to_try_it_at_once():
    held = [{"endpoint": HOOK, "health": "resting", "until": "2026-05-04T15:54:00.000000Z"}]
    told = {"resent": 2, "wasPending": 0, "skipped": {}, "held": held}
    assert list(told_of_resent(told, served=True, test=True)) == [
        "2 are due again.",
        f"What goes to {HOOK} waits until 2026-05-04 15:54:00 UTC: it asked for a pause, or failed too often in a row. "
        f"To try it at once: callwright endpoints enable {HOOK} --test",
    ]
    assert list(told_of_resent({**told, "held": []}, served=True, test=True)) == ["2 are on their way again."]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("webhooks", "create", "http://10.0.0.1/"), 1, "10.0.0.1 is refused: private"),
        (("webhooks", "create", HOOK, "--events", "legs"), 1, "which is no type of event"),
        (("webhooks", "set", SOMEWHERE), 2, "name what to change"),
        (("webhooks", "set", SOMEWHERE, "--token", "t", "--no-token"), 2, "cannot go together"),
        (("webhooks", "set", SOMEWHERE, "--url", HOOK), 1, "No webhook found"),
        (("webhooks", "rotate", SOMEWHERE, "--finish", "--token", "t"), 2, "takes nothing else"),
        (("webhooks", "rotate", SOMEWHERE, "--overlap", "soon"), 2, "write 90s, 10m, 2h or 3d, or 0"),
        (("webhooks", "test", SOMEWHERE), 1, "No server works on"),
        (("endpoints", "limit", HOOK), 2, "name a limit"),
        (("endpoints", "limit", HOOK, "--rate", "fast"), 2, "is not a number, nor default"),
        (("endpoints", "limit", HOOK, "--rate", "0"), 1, "from 0.01 to 100000"),
        (("deliveries", "list", "--failed", "--state", "pending"), 2, "give one of them"),
        (
            ("deliveries", "list", "--since", "1h", "--until", "2h"),
            1,
            ": --since must be before --until. Write it so: --since 20",
        ),
        (("deliveries", "resend", "--since", "1h", "--until", "2h"), 1, ": --since must be before --until."),
        (("deliveries", "list", "--since", "yesterday"), 2, "write 90s, 10m, 2h or 3d, or a time such as"),
        (("deliveries", "list", "--state", "failed"), 1, "of pending, delivered, exhausted"),
        (("deliveries", "resend"), 1, "all that was ever given up"),
        (("deliveries", "resend", SOMEWHERE, "--failed"), 2, "not both"),
        (("deliveries", "resend", "--failed", "--delivered"), 2, "cannot go together"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_said_in_a_sentence(run, command, code, said):
    got, out, err = run(*command)
    assert (got, out) == (code, "")
    assert said in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_times_as_people_write_them():
    now = datetime(2026, 5, 4, 10, tzinfo=UTC)
    assert [ago(text, "--since", now) for text in ("90s", "10m", "2h", "3d")] == [
        "2026-05-04T09:58:30Z", "2026-05-04T09:50:00Z", "2026-05-04T08:00:00Z", "2026-05-01T10:00:00Z",
    ]  # fmt: skip
    assert ago("2026-05-04T12:00:00.5+02:00", "--since") == "2026-05-04T10:00:00.500000Z"
    for text in ("", "2", "h", "2w", "-1h", "9999999d", "2026-05-04T10:00:00", "999999d"):
        with pytest.raises(typer.BadParameter):
            ago(text, "--since", now)


def test_states_in_a_few_words():
    well = {"disabledAt": None, "failingSince": None, "live": None}
    at = "2026-05-04T10:00:00.000000Z"
    resting, later = {"health": "resting", "until": at}, {"health": "broken", "until": "9026-05-04T10:00:00.000000Z"}
    assert endpoint_state(well) == endpoint_state({**well, "live": {"health": "healthy", "until": None}})[:0] + "well"
    assert endpoint_state({**well, "failingSince": at}) == "failing since 2026-05-04 10:00:00"
    assert endpoint_state({**well, "failingSince": at, "live": resting}) == (
        "resting, probed with the next callback, failing since 2026-05-04 10:00:00"
    )
    assert endpoint_state({**well, "failingSince": at, "live": later}) == (
        "broken until 9026-05-04 10:00:00, failing since 2026-05-04 10:00:00"
    )
    assert endpoint_state({**well, "disabledAt": at, "disabledWhy": "gone"}) == "disabled 2026-05-04 10:00:00: gone"
    assert outcome({"state": "pending", "lastStatus": None, "lastError": "dns"}) == "pending dns"
    silent = {
        "n": 2, "at": at, "status": None, "error": "timeout", "detail": None, "dnsMs": None, "connectMs": 1.25, "tlsMs": None,
        "firstByteMs": None, "totalMs": 10_000.0, "nextAttemptAt": at,
    }  # fmt: skip
    assert attempt_line(silent) == (
        "attempt 2 at 2026-05-04T10:00:00.000Z  timeout (connect 1.2, total 10000.0 ms); again at 2026-05-04T10:00:00Z"
    )

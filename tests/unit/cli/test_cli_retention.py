"""`callwright retention` on a folder that no server works on."""

from __future__ import annotations

import asyncio
import json

import pytest

from callwright.accounts.worlds import Accounts
from callwright.cli import main
from callwright.clock import SystemClock
from callwright.datafolder import DataFolder
from callwright.store import Store
from support.old_calls import OldCalls

CLOCK = SystemClock()


@pytest.fixture
def run(tmp_path, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["--data", str(tmp_path), *arguments])
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    return run


def record(folder: DataFolder, *calls: tuple[float, str], world: str = "live") -> list[str]:
    """Put calls on record, each by its age in days and a tag."""
    folder.prepare()
    store = Store.open(folder.database, CLOCK)

    async def make() -> list[str]:
        accounts = Accounts(store, CLOCK)
        await accounts.prepare()
        old = OldCalls(folder.recordings, store)
        old.clock.us, old.world = CLOCK.now_us(), accounts.world(world).id
        made = [str(await old.call(age, *filter(None, [tag]))) for age, tag in calls]
        await old.fan_out()
        return made

    try:
        return asyncio.run(make())
    finally:
        store.close()


def test_what_is_kept_and_how_many_calls_would_go(run, tmp_path):
    folder = DataFolder(tmp_path)
    record(folder, (1, ""), (20, ""), (30, ""), (20, "keep"), (40, "keep"))
    assert run("retention", "show") == (0, "calls\tever\n", "0 calls are older than that and would go now.\n")
    (tmp_path / "callwright.toml").write_text('[retention]\ncalls = 10\n[[retention.tags]]\ntag = "keep"\ndays = 35\n')
    assert run("retention", "show") == (
        0,
        "calls\t10 days\ntag keep\t35 days\n",
        "3 calls are older than that and would go now. The server looks a minute after it starts, and then every hour.\n",
    )
    told = json.loads(run("retention", "show", "--calls", "25", "--json")[1])
    assert told == {"calls": 25, "tags": [{"tag": "keep", "days": 35}], "old": 2}


@pytest.mark.parametrize(("days", "code"), [(36_500, 0), (36_501, 2), (99_999_999_999_999, 2), (-1, 2)])
def test_what_is_asked_for_is_what_could_be_set(run, tmp_path, days, code):
    record(DataFolder(tmp_path), (1, ""))
    (tmp_path / "callwright.toml").write_text(f"[retention]\ncalls = {days}\n")
    assert (run("retention", "show")[0] == 0) is (code == 0)
    (tmp_path / "callwright.toml").unlink()
    told = run("retention", "show", "--calls", str(days))
    assert told[0] == code
    assert code == 0 or days < 0 or "36500" in told[2]


def test_there_must_be_something_to_look_at(run):
    code, _, err = run("retention", "show")
    assert (code, "holds no Callwright data" in err) == (1, True)


def test_a_tag_has_one_time(run, tmp_path):
    (tmp_path / "callwright.toml").write_text('[retention]\ntags = [{tag = "a", days = 1}, {tag = "a", days = 2}]\n')
    code, _, err = run("retention", "show")
    assert code == 1
    assert "retention.tags[1].tag" in err
    assert "retention.tags[0]" in err


@pytest.mark.parametrize(
    ("tag", "why"), [(" vip", "must not begin or end with a space"), ("", "1 to 64 characters"), ("x" * 65, "64")]
)
def test_a_tag_that_no_call_can_have(run, tmp_path, tag, why):
    (tmp_path / "callwright.toml").write_text(f'[retention]\ntags = [{{tag = "{tag}", days = 1}}]\n')
    code, _, err = run("retention", "show")
    assert code == 1
    assert "retention.tags[0].tag" in err
    assert why in err


def test_one_call_is_forgotten(run, tmp_path):
    first, second = record(DataFolder(tmp_path), (1, ""), (1, ""))
    assert run("retention", "forget", first)[0] == 0
    code, _, err = run("retention", "forget", first)
    assert (code, err.splitlines()[0]) == (1, f"callwright: No call found for ID `{first}`.")
    assert run("journal", second)[0] == 0


def test_one_of_the_test_world_is_forgotten_with_a_word_more(run, tmp_path):
    (call_id,) = record(DataFolder(tmp_path), (1, ""), world="test")
    code, _, err = run("retention", "forget", call_id)
    assert (code, err.splitlines()[1]) == (1, "Say --test if it is of the test world.")
    assert run("retention", "forget", call_id, "--test")[0] == 0
    code, _, err = run("retention", "forget", call_id, "--test")
    assert (code, err.splitlines()[1]) == (1, "Leave --test out if it is of the live world.")

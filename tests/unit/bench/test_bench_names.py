"""`scripts/bench` names the benchmarks, and runs nothing else that lies beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("arguments", [[], [""], ["machine"], ["rest_by_hand"], ["sip"], ["."]])
def test_what_is_no_benchmark_is_answered_with_those_there_are(arguments: list[str]) -> None:
    done = subprocess.run([ROOT / "scripts/bench", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    first, *names = done.stderr.splitlines()
    assert first == "usage: scripts/bench <name> [arguments], name one of:"
    assert [name.strip() for name in names] == [
        *(
            "first_sound",
            "http_clients",
            "lists",
            "media",
            "media_streams",
            "rest",
            "retention",
            "simulation",
            "sip_calls",
            "soak",
        ),
        *("start", "webhooks", "writes"),
    ]

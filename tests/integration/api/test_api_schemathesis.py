"""Both interfaces against their own OpenAPI document, by requests that Schemathesis makes up of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from callwright.native import described
from callwright.openapi.operation import Access
from support.contract_tests import BY_FORM_ALONE, LAX, LONG, SHORT, Door, Extent, configuration, run, seed, start
from support.server import Server

# Answers that do not end; what is told there is proven elsewhere (`support.described`).
ENDLESS = ("listen", "watchEvents")


class Stage(NamedTuple):
    server: Server
    seeded: Mapping[str, list[str]]
    folder: Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("schemathesis")
    server = start(folder)
    try:
        yield Stage(server, seed(server.test, 4), folder)
        assert server.process.poll() is None, "the server is gone"
        assert server.logged(event="request_failed") == []
        assert "Traceback" not in server.log.read_text()
    finally:
        server.kill()


def _key(stage: Stage) -> dict[str, str]:
    return {"Authorization": f"AccessKey {stage.server.keys['test']}"}


def _compatible(stage: Stage, extent: Extent) -> None:
    config = configuration(stage.seeded, extent, (*LAX, *BY_FORM_ALONE))
    filters = "--exclude-path-regex=^/api"
    run(stage.server.http, stage.folder, config, filters, headers=_key(stage), name="compatible", again_s=extent.again_s)


def _native(stage: Stage, extent: Extent) -> None:
    config = configuration(stage.seeded, extent, BY_FORM_ALONE)
    left_out = [one.name for one in described.chapter().operations if one.access is Access.SOCKET] + [*ENDLESS]
    filters = ("--include-path-regex=^/api", f"--exclude-operation-id-regex={_any_of(left_out)}")
    run(stage.server.http, stage.folder, config, *filters, headers=_key(stage), name="native", again_s=extent.again_s)


def _operator(stage: Stage, extent: Extent) -> None:
    # The one thing that is made here is a key, and all that can be done with it is to revoke it.
    config = configuration(stage.seeded, extent._replace(chains=5), BY_FORM_ALONE)
    wanted = [one.name for one in described.chapter().operations if one.access is Access.SOCKET]
    filters = f"--include-operation-id-regex={_any_of(wanted)}"
    with Door(stage.server.folder / "data" / "run" / "control.sock") as door:
        run(
            door.url,
            stage.folder,
            config,
            filters,
            headers={"Callwright-World": "test"},
            name="operator",
            again_s=extent.again_s,
        )


def _any_of(names: list[str]) -> str:
    return f"^({'|'.join(map(re.escape, names))})$"


@pytest.mark.parametrize("go", [_compatible, _native, _operator])
def test_what_is_answered_is_what_is_described(stage: Stage, go) -> None:
    go(stage, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("go", [_compatible, _native, _operator])
def test_what_is_answered_is_what_is_described_in_full(stage: Stage, go) -> None:
    go(stage, LONG)

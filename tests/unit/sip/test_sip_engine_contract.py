"""The rules of the engine port, on the SIP engine between children that take their time."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "support.engine_contract",
    "support.engine_contract_parties",
    "support.engine_contract_sound",
    "support.engine_story",
)

from support.engine_contract import EngineContract  # noqa: E402
from support.sip_driver import SipDriver  # noqa: E402


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "second.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(bytes(16000))
    return path


@pytest.fixture(params=[0.0, 0.001, 0.4], ids=["at once", "1 ms", "400 ms"])
def fresh(request: pytest.FixtureRequest, second: Path) -> Callable[[], SipDriver]:
    return lambda: SipDriver(second, request.param)


class TestSipEngine(EngineContract):
    @pytest.fixture
    def driver(self, fresh: Callable[[], SipDriver]) -> SipDriver:
        return fresh()

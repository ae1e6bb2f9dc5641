"""What the interface is built on: the rooms it asks, and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from callwright.accounts.worlds import Accounts
from callwright.clock import Clock
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.flows.flows import Flows
from callwright.numbers.numbers import Numbers
from callwright.recordings.files import Files
from callwright.recordings.recordings import Recordings
from callwright.store import Store
from callwright.switch.switch import Switch
from callwright.transcriptions.transcriptions import Transcriptions
from callwright.webhooks.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a request body and of a call flow (contract §1.1)."""

    body: int = 65_536
    flow: int = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`currency` is what legs are shown with (ISO 4217)."""

    store: Store
    clock: Clock
    accounts: Accounts
    numbers: Numbers
    flows: Flows
    webhooks: Webhooks
    switch: Switch
    recordings: Recordings
    transcriptions: Transcriptions
    files: Files
    limits: Limits = Limits()
    currency: str = "EUR"
    strictness: Strictness = LENIENT

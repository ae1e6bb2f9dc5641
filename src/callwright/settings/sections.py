"""All settings, section by section.

The texts at each setting, with its type, its limits and its default, are the documentation: `callwright.settings.document`
makes the reference file of them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from callwright.settings import checks
from callwright.settings.http import ApiSection, CompatibilitySection, HttpSection
from callwright.settings.operations import DrainSection, LogSection, RetentionSection, StoreSection
from callwright.settings.recorded import RecordingsSection, TranscriptionSection
from callwright.settings.section import Section
from callwright.settings.spoken import SpeechSection
from callwright.settings.steps import FlowsSection, SoundsSection, TransferSection
from callwright.settings.telephony import CallsSection, MediaSection, NumbersSection, SipSection, TrunkSection
from callwright.settings.webhooks import EgressSection, WebhooksSection
from callwright.simulator.settings import SimulatorSettings


class Settings(Section, frozen=True, kw_only=True):
    """All settings, in the order of the reference file."""

    http: HttpSection = HttpSection()
    sip: SipSection = SipSection()
    media: MediaSection = MediaSection()
    calls: CallsSection = CallsSection()
    transfer: TransferSection = TransferSection()
    flows: FlowsSection = FlowsSection()
    simulator: SimulatorSettings = SimulatorSettings()
    sounds: SoundsSection = SoundsSection()
    egress: EgressSection = EgressSection()
    webhooks: WebhooksSection = WebhooksSection()
    speech: SpeechSection = SpeechSection()
    recordings: RecordingsSection = RecordingsSection()
    transcription: TranscriptionSection = TranscriptionSection()
    retention: RetentionSection = RetentionSection()
    numbers: NumbersSection = NumbersSection()
    store: StoreSection = StoreSection()
    drain: DrainSection = DrainSection()
    log: LogSection = LogSection()
    api: ApiSection = ApiSection()
    compatibility: CompatibilitySection = CompatibilitySection()
    trunks: Annotated[
        tuple[TrunkSection, ...],
        Meta(description="One such table for every SIP trunk; calls to telephone numbers leave by the first."),
    ] = ()

    @property
    def loopback_only(self) -> bool:
        """Whether nobody but this machine can reach the server."""
        return all(checks.is_loopback(host) for host in (self.http.host, self.sip.host, self.media.host or self.sip.host))

    @property
    def sound_address(self) -> str:
        """The address told to the far end for sound."""
        return self.sip.advertised_address or self.media.host or self.sip.host

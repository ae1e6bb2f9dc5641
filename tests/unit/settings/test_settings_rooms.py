from __future__ import annotations

from callwright.egress.door import EgressSettings
from callwright.flows.settings import FlowSettings
from callwright.media.settings import MediaSettings
from callwright.settings import Settings, rooms
from callwright.settings.http import HttpSection
from callwright.settings.operations import LogSection
from callwright.settings.steps import FlowsSection, TransferSection
from callwright.settings.telephony import CallsSection, MediaSection, SipSection, TrunkSection
from callwright.settings.webhooks import EgressSection, WebhooksSection
from callwright.sip.legs import EngineSettings
from callwright.sip.settings import SignallingSettings, TrunkSource
from callwright.switch.settings import CallSettings
from callwright.trunks.routes import Trunk
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signature import Encoding

CARRIER = TrunkSection(name="carrier", address="sip.example.com", username="u", password="p", from_=("192.0.2.0/28",))
BACKUP = TrunkSection(name="backup", address="192.0.2.70:5080")


def test_the_defaults_of_settings_and_rooms_agree():
    settings = Settings()
    assert rooms.signalling(settings) == SignallingSettings()
    assert rooms.media(settings, 0) == MediaSettings()
    assert rooms.engine(settings) == EngineSettings(address="127.0.0.1")
    assert rooms.call_control(settings) == CallSettings(max_live=1_000)
    assert rooms.flows(settings) == FlowSettings()
    assert rooms.webhooks(settings) == WebhookSettings()
    assert rooms.egress(settings) == EgressSettings(allow=("127.0.0.0/8", "::1/128"), connections_remedy=rooms.FEW_CONNECTIONS)
    assert rooms.trunks(settings) == ()


def test_signalling():
    settings = Settings(
        sip=SipSection(
            advertised_address="198.51.100.1",
            user_agent="PBX",
            from_=("192.0.2.99",),
            new_legs_per_second=10,
            max_late_ms=200.0,
        ),
        trunks=(CARRIER, BACKUP),
        log=LogSection(level="debug"),
    )
    assert rooms.signalling(settings) == SignallingSettings(
        advertised="198.51.100.1",
        user_agent="PBX",
        trunks=(TrunkSource("carrier", ("192.0.2.0/28",)), TrunkSource("sip.from", ("192.0.2.99",))),
        new_legs_per_s=10,
        max_late_ms=200.0,
        log_level="debug",
    )


def test_media_processes_share_the_ports():
    media = MediaSection(processes=3, ports=(20_000, 20_020), host="192.0.2.1", silence=5.0)
    settings = Settings(media=media, log=LogSection(level="warning"))
    assert [rooms.media(settings, process) for process in range(3)] == [
        MediaSettings("192.0.2.1", first, last, 5.0, log_level="warning")
        for first, last in [(20_000, 20_005), (20_006, 20_011), (20_012, 20_017)]
    ]


def test_the_address_for_sound():
    def address(sip: SipSection, media: MediaSection) -> str:
        return rooms.engine(Settings(sip=sip, media=media)).address

    assert address(SipSection(host="192.0.2.1"), MediaSection()) == "192.0.2.1"
    assert address(SipSection(host="192.0.2.1"), MediaSection(host="192.0.2.2")) == "192.0.2.2"
    assert address(SipSection(advertised_address="198.51.100.1"), MediaSection(host="192.0.2.2")) == "198.51.100.1"
    assert rooms.engine(Settings(media=MediaSection(max_calls=7))) == EngineSettings(address="127.0.0.1", max_calls=7)


def test_call_control():
    settings = Settings(
        calls=CallsSection(ring_timeout=5.0, max_duration=60, max_live=9),
        sip=SipSection(new_legs_per_second=10),
        transfer=TransferSection(early_media=True),
    )
    assert rooms.call_control(settings) == CallSettings(
        ring_timeout=5.0, max_duration=60, max_live=9, new_legs_per_second=10, early_media=True
    )


def test_flows():
    settings = Settings(
        calls=CallsSection(max_duration=60),
        flows=FlowsSection(
            language="nl-NL", voice="male", if_machine="hangup", longest_recording=30.0, fetches=7, fallback_answers=True
        ),
    )
    assert rooms.flows(settings) == FlowSettings(
        language="nl-NL",
        voice="male",
        if_machine="hangup",
        longest_recording=30.0,
        longest_call=60,
        fetches=7,
        fallback_answers=True,
    )


def test_only_a_server_for_itself_may_reach_itself():
    allow = EgressSection(allow=("10.0.0.0/8",))
    assert rooms.egress(Settings(egress=allow)).allow == ("10.0.0.0/8", "127.0.0.0/8", "::1/128")
    assert rooms.egress(Settings(egress=allow, http=HttpSection(host="0.0.0.0"))).allow == ("10.0.0.0/8",)


def test_there_are_connections_for_all_webhooks_that_may_be_under_way_and_for_fetches():
    settings = Settings(webhooks=WebhooksSection(concurrency=2_000, slow_slots=3_000))
    assert rooms.egress(settings).connections == 2_000 + 3_000 + rooms.FETCHES
    assert rooms.egress(settings, 524_288).connections == 2_000 + 3_000 + rooms.FETCHES
    assert rooms.egress(settings, 1_024).connections == 512


def test_webhooks():
    section = WebhooksSection(
        events=("leg", "call"),
        timeout=1.0,
        retry=(2.0,),
        then_every=3.0,
        give_up_after=4.0,
        concurrency=5,
        per_endpoint=6,
        rate=7.0,
        slow_after=8.0,
        slow_slots=9,
        break_after=10,
        break_first=11.0,
        break_longest=12.0,
        retry_after_at_most=13.0,
        disable_after=14.0,
        head_wait=15.0,
        keep=60.0,
        keep_exhausted=61.0,
        legacy_signature="hex",
    )
    assert rooms.webhooks(Settings(webhooks=section)) == WebhookSettings(
        events=("leg", "call"),
        timeout=1.0,
        retry=(2.0,),
        then_every=3.0,
        give_up_after=4.0,
        concurrency=5,
        per_endpoint=6,
        rate=7.0,
        slow_after=8.0,
        slow_slots=9,
        break_after=10,
        break_first=11.0,
        break_longest=12.0,
        retry_after_at_most=13.0,
        disable_after=14.0,
        head_wait=15.0,
        keep=60.0,
        keep_exhausted=61.0,
        encoding=Encoding.HEX,
    )


def test_the_longest_pause_of_a_host_is_no_shorter_than_the_first():
    section = WebhooksSection(break_first=60.0, break_longest=10.0)
    assert rooms.webhooks(Settings(webhooks=section)).break_longest == 60.0


def test_trunks():
    assert rooms.trunks(Settings(trunks=(CARRIER, BACKUP))) == (
        Trunk("carrier", "sip.example.com", 5060, "u", "p", ("192.0.2.0/28",)),
        Trunk("backup", "192.0.2.70", 5080),
    )

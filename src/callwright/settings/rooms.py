"""What each room is told: its own small settings, cut from those of the operator."""

from __future__ import annotations

from pathlib import Path

from callwright.certificates import CertificateFiles
from callwright.clock import Clock
from callwright.dialect.callbacks import CALL, TYPES
from callwright.dialect.strictness import Strictness
from callwright.egress.door import EgressSettings, Poster
from callwright.errors import SettingsError
from callwright.flows.settings import FlowSettings
from callwright.media.settings import MediaSettings
from callwright.recordings.keyfile import read_keys
from callwright.recordings.keys import Keyring
from callwright.recordings.objects import Objects
from callwright.recordings.s3 import S3Objects, S3Settings
from callwright.retention.rules import Rules
from callwright.settings.checks import host_and_port
from callwright.settings.sections import Settings
from callwright.sip.legs import EngineSettings
from callwright.sip.settings import SignallingSettings, TrunkSource
from callwright.speech.recognition import whisper
from callwright.speech.recognition.absent import NoTranscriber
from callwright.speech.recognition.recogniser import Recogniser
from callwright.speech.recognition.service import Service
from callwright.speech.recognition.settings import RecogniserSettings, ServiceSettings
from callwright.speech.settings import ProviderSettings, SpeechSettings
from callwright.switch.fetching import FetchSettings
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import SoundSettings
from callwright.telephony import Transcriber
from callwright.trunks.routes import Trunk
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signature import Encoding

# Both: `localhost` is mostly the two of them, and of a name every address must be allowed.
# Requests that are no webhooks: flows, sounds and the like, while every webhook hangs.
FETCHES = 1_000
FEW_CONNECTIONS = "webhooks.concurrency and webhooks.slow_slots say how many there are, half of LimitNOFILE (ulimit -n) at most"
LOOPBACK = ("127.0.0.0/8", "::1/128")


def certificate(settings: Settings) -> CertificateFiles | None:
    given = settings.http
    return CertificateFiles(Path(given.certificate), Path(given.key)) if given.certificate else None


def signalling(settings: Settings) -> SignallingSettings:
    return SignallingSettings(
        advertised=settings.sip.advertised_address,
        user_agent=settings.sip.user_agent,
        # Who may call in without a trunk: the records name the setting that let them.
        trunks=tuple(TrunkSource(trunk.name, trunk.from_) for trunk in settings.trunks if trunk.from_)
        + ((TrunkSource("sip.from", settings.sip.from_),) if settings.sip.from_ else ()),
        new_legs_per_s=settings.sip.new_legs_per_second,
        max_late_ms=settings.sip.max_late_ms,
        log_level=settings.log.level,
    )


def media(settings: Settings, process: int) -> MediaSettings:
    """Settings of one media process, counted from 0: each has an equal share of the ports, whole pairs of them."""
    first, last = settings.media.ports
    share = (last - first + 1) // 2 // settings.media.processes * 2
    return MediaSettings(
        bind=settings.media.host or settings.sip.host,
        first_port=first + process * share,
        last_port=first + (process + 1) * share - 1,
        silence_s=settings.media.silence,
        log_level=settings.log.level,
    )


def engine(settings: Settings) -> EngineSettings:
    return EngineSettings(address=settings.sound_address, max_calls=settings.media.max_calls)


def call_control(settings: Settings) -> CallSettings:
    return CallSettings(
        ring_timeout=settings.calls.ring_timeout,
        max_duration=settings.calls.max_duration,
        max_live=settings.calls.max_live,
        new_legs_per_second=settings.sip.new_legs_per_second,
        early_media=settings.transfer.early_media,
        hold_music=settings.transfer.hold_music,
        max_parties=settings.transfer.parties,
        machine_patience=settings.flows.machine_patience,
    )


def sounds(settings: Settings) -> SoundSettings:
    return SoundSettings(decoders=settings.sounds.decoders, cache_bytes=settings.sounds.cache_mb * 1_000_000)


def flows(settings: Settings) -> FlowSettings:
    given = settings.flows
    return FlowSettings(
        language=given.language,
        voice=given.voice,
        if_machine=given.if_machine,
        machine_timeout=given.machine_timeout,
        key_timeout=given.key_timeout,
        transcribe_language=settings.transcription.language,
        longest_recording=given.longest_recording,
        longest_call=settings.calls.max_duration,
        fetches=given.fetches,
        fallback_answers=given.fallback_answers,
    )


def flow_fetching(settings: Settings) -> FetchSettings:
    kind = settings.compatibility.on_finish_content_type
    return FetchSettings(
        timeout=settings.flows.fetch_timeout,
        limit=settings.api.flow_limit,
        content_type="" if kind == "none" else kind,
    )


def strictness(settings: Settings) -> Strictness:
    given = settings.compatibility
    return Strictness(
        documented_status_codes=given.documented_status_codes,
        collapse_statuses=given.collapse_statuses,
        authentication_code=given.authentication_code,
        method_on_get=given.method_on_get,
    )


def egress(settings: Settings, descriptors: int | None = None) -> EgressSettings:
    """A server that nobody else can reach may reach this machine. So many `descriptors` may be open, None for any number;
    half of them are for this.
    """
    given = settings.egress
    wanted = settings.webhooks.concurrency + settings.webhooks.slow_slots + FETCHES
    return EgressSettings(
        connections=wanted if descriptors is None else min(wanted, max(1, descriptors // 2)),
        connections_remedy=FEW_CONNECTIONS,
        allow=(*given.allow, *LOOPBACK) if settings.loopback_only else given.allow,
        ca_file=given.ca_file,
        proxy=given.proxy,
    )


def webhooks(settings: Settings) -> WebhookSettings:
    given = settings.webhooks
    return WebhookSettings(
        events=given.events,
        sent=(CALL,) if settings.compatibility.documented_events else TYPES,
        timeout=given.timeout,
        retry=given.retry,
        then_every=given.then_every,
        give_up_after=given.give_up_after,
        concurrency=given.concurrency,
        per_endpoint=given.per_endpoint,
        rate=given.rate,
        slow_after=given.slow_after,
        slow_slots=given.slow_slots,
        break_after=given.break_after,
        break_first=given.break_first,
        break_longest=max(given.break_first, given.break_longest),
        retry_after_at_most=given.retry_after_at_most,
        disable_after=given.disable_after,
        head_wait=given.head_wait,
        keep=given.keep,
        keep_exhausted=given.keep_exhausted,
        encoding=Encoding(given.legacy_signature),
    )


def speech(settings: Settings) -> SpeechSettings:
    given = settings.speech
    return SpeechSettings(
        engines=given.engines,
        providers=tuple(
            ProviderSettings(
                name=one.name,
                kind=one.kind,
                url=one.url,
                voices=one.voices,
                key=one.key,
                model=one.model,
                timeout=one.timeout,
            )
            for one in given.providers
        ),
        piper_folder=given.piper_folder,
        piper_genders=given.piper_genders,
        cache_bytes=given.cache_mb << 20,
        cache_age_s=given.cache_days * 86_400,
        keep_s=settings.calls.max_duration,
        patience_s=given.patience,
        deadline_s=given.deadline,
        log_level=settings.log.level,
    )


def speech_egress() -> EgressSettings:
    """Speech services are the operator's own choice, wherever they are; nobody else can name their addresses."""
    return EgressSettings(allow=("0.0.0.0/0", "::/0"), connections=64, idle_connections=16)


def recording_keys(settings: Settings) -> Keyring:
    """Raises `SettingsError` when the file of keys cannot be used."""
    return Keyring(read_keys(settings.recordings.keys, settings.recordings.keys_file))


def recording_objects(settings: Settings) -> Objects | None:
    """The bucket, also while new recordings stay here, so that older ones can be read. Raises `SettingsError`."""
    given = settings.recordings
    if not given.bucket:
        return None
    return S3Objects(
        S3Settings(
            bucket=given.bucket,
            endpoint=given.endpoint,
            region=given.region,
            prefix=given.prefix,
            access_key=given.access_key,
            secret_key=given.secret_key,
        )
    )


def retention(settings: Settings) -> Rules:
    return Rules(settings.retention.calls, {one.tag: one.days for one in settings.retention.tags})


def transcriber(settings: Settings, door: Poster, clock: Clock) -> Transcriber:
    """Whoever writes down; `door` leads to services. Raises `SettingsError` when the model cannot be used."""
    given = settings.transcription
    if given.model:
        if fault := whisper.fault_of(given.model):
            raise SettingsError(f"transcription.model = {given.model}: {fault}.")
        return Recogniser(RecogniserSettings(folder=given.model, threads=given.threads, log_level=settings.log.level), clock)
    if given.url:
        return Service(ServiceSettings(url=given.url, key=given.api_key, model=given.service_model), door, clock)
    return NoTranscriber()


def trunks(settings: Settings) -> tuple[Trunk, ...]:
    """The trunks in their order; the first is the one that numbers leave by."""
    return tuple(
        Trunk(trunk.name, *host_and_port(trunk.address), trunk.username, trunk.password, trunk.from_)
        for trunk in settings.trunks
    )

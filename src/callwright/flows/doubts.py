"""What in a flow is allowed, and hardly meant: it does nothing, or not what it seems to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from callwright.flows.findings import Finding, about
from callwright.flows.labels import variables_of
from callwright.flows.model import (
    DEAF,
    KEYS_IN_OPTIONS,
    FetchCallFlowOptions,
    Flow,
    Options,
    PlayOptions,
    RecordOptions,
    SayOptions,
    Step,
    TagOptions,
    TransferOptions,
)
from callwright.flows.settings import FlowSettings

SOUND = (".wav", ".mp3", ".ogg", ".oga", ".opus", ".flac", ".m4a", ".aac")
MACHINE_MODES = ("continue", "delay", "hangup")
_ANYWHERE = {*KEYS_IN_OPTIONS, "token"}  # one of the vendor's libraries lists the last without saying what it is


def doubts(flow: Flow, sent: Sequence[dict[str, Any]], settings: FlowSettings) -> Iterator[Finding]:
    """`sent` are the steps as they were sent, `settings` those of the server that is to run them."""
    if flow.title is not None:
        yield Finding(
            sentence="title is deprecated: it is kept and returned, and newer client libraries do not know it.",
            parameter="title",
        )
    if flow.max_duration is not None and flow.max_duration > settings.longest_call:
        longest = f"{settings.longest_call:g} seconds (setting calls.max_duration)"
        yield Finding(sentence=f"maxDuration does nothing: no call is longer than {longest} here.", parameter="maxDuration")
    for index, step in enumerate(flow.steps):
        yield from _unknown(flow, index, sent[index])
        yield from _of_keys(flow, index, step)
        yield from _of_variables(flow, index, step)
        yield from _of_options(flow, index, step.options)


def _unknown(flow: Flow, index: int, sent: dict[str, Any]) -> Iterator[Finding]:
    step = flow.steps[index]
    known = {*_names(Step), "action", "options"}
    if strange := ", ".join(sorted(name for name in sent if name not in known)):
        yield about(flow, index, "", f"a step has no {strange[:200]}; it is ignored.")
    options = sent.get("options") or {}
    known = {*_names(type(step.options)), *_ANYWHERE}
    if strange := ", ".join(sorted(name for name in options if name not in known)):
        yield about(flow, index, "options", f"{step.action} has no option {strange[:200]}; it is ignored.")


def _of_keys(flow: Flow, index: int, step: Step) -> Iterator[Finding]:
    given = {
        "onKeypressGoto": step.on_keypress_goto,
        "onKeypressVar": step.on_keypress_var,
        "endKey": step.end_key,
        "maxNumKeys": step.max_num_keys,
    }
    names = [name for name, value in given.items() if value is not None]
    if names and step.action in DEAF:
        yield about(flow, index, names[0], f"{step.action} waits for no keys; ignored: {', '.join(names)}.")
    elif names and step.on_keypress_goto is None and step.on_keypress_var is None:
        yield about(flow, index, names[0], "keys end this step and are forgotten; onKeypressVar would keep them.")
    elif step.on_keypress_var is not None and not _is_read(flow, step.on_keypress_var):
        told = f"no condition reads {step.on_keypress_var!r}, no tag step writes it, and no fetch tells of it."
        yield about(flow, index, "onKeypressVar", told)


def _is_read(flow: Flow, variable: str) -> bool:
    """By a condition, by a tag step, or by whoever is asked for a flow, who gets all of them."""
    read = any(condition.variable == variable for step in flow.steps for condition in step.conditions)
    written = any(variable == name for step in flow.steps for _, name in _written(step.options))
    return read or written or any(_fetches(step.options) for step in flow.steps)


def _written(options: Options) -> Iterator[tuple[str, str]]:
    """The variables that are written on the call's record, each with the option that does."""
    return variables_of(options) if isinstance(options, TagOptions) else iter(())


def _fetches(options: Options) -> bool:
    match options:
        case FetchCallFlowOptions():
            return True
        case RecordOptions(on_finish=on_finish):
            return on_finish is not None
    return False


def _of_variables(flow: Flow, index: int, step: Step) -> Iterator[Finding]:
    kept = {one.on_keypress_var for one in flow.steps}
    read = [(f"conditions[{number}].variable", one.variable) for number, one in enumerate(step.conditions)]
    read += [(f"options.{option}", variable) for option, variable in _written(step.options)]
    for place, variable in read:
        if variable not in kept:
            told = f"no step of this flow sets {variable[:40]!r}; it is empty unless an earlier flow of the call did."
            yield about(flow, index, place, told)


def _of_options(flow: Flow, index: int, options: Options) -> Iterator[Finding]:
    match options:
        case TransferOptions():
            yield from _of_transfer(flow, index, options)
        case SayOptions(voice=voice) if voice is not None and voice.lower() not in ("male", "female"):
            yield about(flow, index, "options.voice", "voice is male or female; another is ignored.")
        case PlayOptions(urls=urls):
            for url in urls:
                if not _is_sound(url):
                    told = f"{url[:80]!r} does not say that it is a sound; a name that ends in .wav or .mp3 would."
                    yield about(flow, index, "options.media", told)
        case RecordOptions():
            yield from _of_record(flow, index, options)


def _of_transfer(flow: Flow, index: int, options: TransferOptions) -> Iterator[Finding]:
    scheme = options.destination.strip().partition(":")[0].lower()
    if scheme == "client":
        yield about(flow, index, "options.destination", "client: addresses cannot be reached here; the transfer will fail.")
    if scheme == "sip" and options.mask:
        yield about(flow, index, "options.mask", "a sip: destination may know callers by more than the number that mask shows.")
    if options.if_machine is not None and options.if_machine not in MACHINE_MODES:
        yield about(flow, index, "options.ifMachine", "ifMachine is continue, delay or hangup; another is ignored.")
    if options.machine_timeout is not None and options.if_machine in (None, "continue"):
        yield about(flow, index, "options.machineTimeout", "machineTimeout does nothing unless ifMachine is delay or hangup.")


def _of_record(flow: Flow, index: int, options: RecordOptions) -> Iterator[Finding]:
    if options.transcribe_language is not None and not options.transcribe:
        yield about(flow, index, "options.transcribeLanguage", "transcribeLanguage does nothing unless transcribe is true.")


def _is_sound(url: str) -> bool:
    """By its path, or by the end of its last query parameter (contract §2.3.2)."""
    if url.startswith("file:"):
        return True
    parts = urlsplit(url)
    last = parse_qsl(parts.query)[-1:]
    return parts.path.lower().endswith(SOUND) or any(value.lower().endswith(SOUND) for _, value in last)


@cache
def _names(kind: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))

"""The machine: its clock, its limits, and the versions of what the program stands on."""

from __future__ import annotations

import re
import sys
from importlib import metadata

from callwright.clock import SECOND_US
from callwright.descriptors import RECEIVE_BUFFER
from callwright.doctor.findings import Findings, fault, note, ok, size, warning
from callwright.doctor.ports import LEGS_A_CALL
from callwright.doctor.scene import Scene
from callwright.speech import local
from callwright.store import survey

_RECEIVE_MOST = "proc/sys/net/core/rmem_max"
_OVERCOMMIT = "proc/sys/vm/overcommit_memory"
_STEP_US = SECOND_US // 2
# RTP and RTCP of a leg, and what a process has open besides.
_SOCKETS_A_LEG, _OTHER_FILES = 2, 200
_BASE_MEMORY, _MEMORY_A_PROCESS = 256 << 20, 128 << 20
_MEMORY_A_VOICE = {"espeak": 48 << 20, "pico": 48 << 20, "hibari": 224 << 20, "piper": 256 << 20}
# SQLite before these may damage a database that several connections write back at once (sqlite.org/wal.html#walresetbug).
_MENDED = {(3, 44): 6, (3, 50): 7}
_MENDED_SINCE = (3, 51, 3)


def clock(scene: Scene) -> Findings:
    told = scene.machine.synchronised()
    if told is None:
        yield note("clock.synchronised", "the kernel does not say whether the clock is synchronised")
    elif told:
        yield ok("clock.synchronised", "the kernel's clock is synchronised")
    else:
        yield warning(
            "clock.synchronised",
            "the kernel's clock is not synchronised",
            "Run chrony or systemd-timesyncd; the times of records and signatures are worth what the clock is.",
        )
    if scene.server is None:
        return
    stepped_us = scene.server.clock_stepped_us
    if abs(stepped_us) > _STEP_US:
        yield warning(
            "clock.steps",
            f"since the server started the clock was moved by {stepped_us / SECOND_US:+.1f} s",
            "Let time synchronisation slew the clock; records made across the step have wrong lengths. "
            "A machine that slept shows the same.",
        )
    else:
        yield ok("clock.steps", "not moved since the server started")


def limits(scene: Scene) -> Findings:
    machine, media = scene.machine, scene.settings.media
    wanted = media.max_calls * LEGS_A_CALL * _SOCKETS_A_LEG + _OTHER_FILES
    files = machine.open_files_limit(scene.server_pid)
    if files < wanted:
        yield fault(
            "limits.files",
            f"a process may open {files} files, and a media process of media.max_calls = {media.max_calls} wants {wanted}",
            "Raise LimitNOFILE in the unit, or ulimit -Hn; or lower media.max_calls.",
        )
    else:
        yield ok("limits.files", f"{files} open files a process, {wanted} wanted")
    yield from _receive_buffer(scene)
    cores = machine.cores(scene.server_pid)
    if media.processes > cores:
        yield warning(
            "limits.cores",
            f"media.processes = {media.processes} on {cores:g} processors",
            "Lower media.processes, or give the machine more; sound stutters when processes wait for each other.",
        )
    else:
        yield ok("limits.cores", f"{cores:g} processors, {media.processes} media processes")
    memory = machine.memory(scene.server_pid)
    speech = scene.settings.speech
    engines = [one for one in speech.engines if local.missing(one) is None and (one != "piper" or speech.piper_folder)]
    voices = sum(_MEMORY_A_VOICE[engine] for engine in engines)
    least = _BASE_MEMORY + media.processes * _MEMORY_A_PROCESS + voices
    if memory is None:
        yield note("limits.memory", "the memory of the machine cannot be learnt")
    elif memory < least:
        yield warning("limits.memory", f"{size(memory)}, and {size(least)} are wanted", "Raise MemoryMax, or the memory.")
    else:
        yield ok("limits.memory", size(memory))
    if killed := machine.killed_for_memory(scene.server_pid):
        yield warning(
            "limits.killed",
            f"the kernel has ended {killed} processes of the control group for want of memory",
            "Raise the memory limit; look for child_died in the log.",
        )
    if machine.number(_OVERCOMMIT) == 2:
        yield note(
            "limits.overcommit",
            "vm.overcommit_memory is 2",
            "A child that dies may not be started again while memory is short; 0 or 1 avoids that.",
        )


def _receive_buffer(scene: Scene) -> Findings:
    """What may wait for a signalling process that is held up."""
    has = scene.machine.number(_RECEIVE_MOST) if scene.server is None else scene.server.sip_receive_buffer
    if has is None:
        yield note("limits.receive_buffer", "net.core.rmem_max cannot be learnt")
    elif has < RECEIVE_BUFFER:
        yield warning(
            "limits.receive_buffer",
            f"{size(has)} of SIP may wait, and {size(RECEIVE_BUFFER)} are wanted",
            f"sysctl net.core.rmem_max={RECEIVE_BUFFER}, then restart; until then a burst of calls may lose messages.",
        )
    else:
        yield ok("limits.receive_buffer", f"{size(has)} of SIP may wait")


def versions(scene: Scene) -> Findings:
    python = ".".join(str(part) for part in sys.version_info[:3])
    try:
        required = metadata.requires("callwright") or []
    except metadata.PackageNotFoundError:
        yield note("versions.packages", "not installed as a package, so its requirements cannot be compared")
        required = []
    matches = [match for line in required if (match := re.fullmatch(r"([\w.-]+)==([^;,\s]+)", line))]
    pinned = {match[1]: match[2] for match in matches}
    for name, wanted in pinned.items():
        try:
            has = metadata.version(name)
        except metadata.PackageNotFoundError:
            has = "none"
        if has != wanted:
            yield fault("versions.packages", f"{name} {has} is installed", f"pip install {name}=={wanted}: no other one works.")
            break
    else:
        if pinned:
            yield ok("versions.packages", ", ".join(f"{name} {wanted}" for name, wanted in pinned.items()))
    yield ok("versions.python", python)
    if mended(survey.LIBRARY):
        yield ok("versions.sqlite", survey.LIBRARY)
    else:
        yield warning(
            "versions.sqlite",
            f"SQLite {survey.LIBRARY} can damage a database while its log is written back",
            "pip install --upgrade apsw",
        )


def mended(version: str) -> bool:
    """Whether a version of SQLite is past its fault with logs that are reset during a checkpoint.

    >>> [mended(version) for version in ("3.50.6", "3.50.7", "3.51.2", "3.51.3")]
    [False, True, False, True]
    """
    numbers = tuple(int(part) for part in version.split("."))
    return numbers >= _MENDED_SINCE or numbers[2] >= _MENDED.get((numbers[0], numbers[1]), sys.maxsize)

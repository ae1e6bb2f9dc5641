"""Ports of HTTP, SIP and sound, and the trunks calls leave by."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from callwright.descriptors import bind_http, bind_sip
from callwright.doctor.findings import Findings, fault, note, ok, some, warning
from callwright.doctor.scene import Scene
from callwright.errors import SettingsError
from callwright.settings import rooms

LEGS_A_CALL = 2
_LOCAL_PORTS = "proc/sys/net/ipv4/ip_local_port_range"
_RESERVED_PORTS = "proc/sys/net/ipv4/ip_local_reserved_ports"


def listening(scene: Scene) -> Findings:
    """HTTP and SIP: ours where a server runs, else free to be had."""
    if scene.server is not None:
        yield ok("ports.http", f"the server listens on {scene.server.http}")
        yield ok("ports.sip", f"the server listens on {scene.server.sip} (UDP)")
        return
    if scene.holder is not None:
        yield note("ports.http", "not looked at, while another process works on the folder")
        return
    http, sip = scene.settings.http, scene.settings.sip
    wanted: list[tuple[str, str, int, Callable[[str, int], socket.socket]]] = [
        ("ports.http", http.host, http.port, bind_http),
        ("ports.sip", sip.host, sip.port, bind_sip),
    ]
    if http.plain_port:
        plain = partial(bind_http, setting="http.plain_port")
        wanted.insert(1, ("ports.plain_http", http.host, http.plain_port, plain))
    for check, host, port, bind in wanted:
        if port == 0:
            yield note(check, f"any free port of {host}", "Set a number: clients and trunks have to know it.")
            continue
        try:
            bind(host, port).close()
        except SettingsError as error:
            seen, _, remedy = str(error).partition("; ")
            yield fault(check, seen, f"{remedy[:1].upper()}{remedy[1:]}." if remedy else "See which program has it: ss -lntup")
        else:
            yield ok(check, f"{host} port {port} is free")


def sound(scene: Scene) -> Findings:
    """The range of RTP: wide enough, and ours alone."""
    media = scene.settings.media
    first, last = media.ports
    share = rooms.media(scene.settings, 0)
    legs = (share.last_port - share.first_port + 1) // 2
    seen = f"{first} to {last}, for {legs} legs a media process"
    if legs < LEGS_A_CALL * media.max_calls:
        yield warning(
            "ports.sound",
            f"{seen}; media.max_calls = {media.max_calls} takes {LEGS_A_CALL * media.max_calls} with transfers",
            "Widen media.ports or lower media.max_calls; calls beyond the ports end with media_capacity.",
        )
    else:
        yield ok("ports.sound", seen)
    unused = last - first + 1 - 2 * legs * media.processes
    if unused:
        yield note("ports.sound_pairs", f"{unused} of the ports are never used: sound takes pairs, as many for each process")
    taken = _taken(scene, first, last)
    if taken:
        yield warning(
            "ports.sound_taken",
            f"other programs have ports of the range: {some(taken, 5)}",
            "Stop those programs or move media.ports; those ports are passed over, so fewer calls fit.",
        )
    else:
        yield ok("ports.sound_taken", "no other program has a port of the range")
    yield from _ephemeral(scene, first, last)


def _taken(scene: Scene, first: int, last: int) -> list[str]:
    """Ports of the range that somebody else has."""
    machine = scene.machine
    # Legs come and go: what is there before and after our processes were looked at, and is in none of them, is not theirs.
    before = {bound.inode for bound in machine.sockets("udp")}
    ours: set[int] = set()
    if scene.server is not None:
        pid = scene.server_pid
        for one in () if pid is None else (pid, *(child.pid for child in scene.server.children if child.pid is not None)):
            ours |= machine.open_sockets(one)
        if not ours:  # another user's server, or one in a container: its sockets cannot be told from others
            return []
    address = scene.settings.media.host or scene.settings.sip.host
    strange = before - ours
    there = [bound for bound in machine.sockets("udp") if first <= bound.port <= last and bound.inode in strange]
    return sorted({str(bound.port) for bound in there if bound.stands_in(address)}, key=int)


def _ephemeral(scene: Scene, first: int, last: int) -> Findings:
    given = scene.machine.numbers(_LOCAL_PORTS)
    if len(given) != 2:
        yield note("ports.ephemeral", "the range of the kernel's own ports cannot be learnt")
        return
    low, high = max(first, given[0]), min(last, given[1])
    if low > high or _reserved(scene.machine.text(_RESERVED_PORTS) or "", low, high):
        yield ok("ports.ephemeral", f"apart from the kernel's own, {given[0]} to {given[1]}")
    else:
        yield warning(
            "ports.ephemeral",
            f"the kernel gives out {low} to {high} of media.ports to any program that asks for a port",
            f"sysctl net.ipv4.ip_local_reserved_ports={first}-{last}, or move media.ports.",
        )


def _reserved(text: str, low: int, high: int) -> bool:
    """Whether all ports of a range are in a list such as ``8080,9148-9150``."""
    ranges = [part.partition("-") for part in text.strip().split(",") if part]
    reserved = sorted((int(begin), int(end or begin)) for begin, _, end in ranges)
    for begin, end in reserved:
        if begin <= low <= end:
            low = end + 1
    return low > high


def trunks(scene: Scene) -> Findings:
    """Whether the trunks' names have addresses; nothing is sent to them."""
    routes = rooms.trunks(scene.settings)
    if not routes:
        yield note("trunks", "there is none", "Calls to telephone numbers end with no_route until [[trunks]] names one.")
    for trunk in routes:
        try:
            addresses = scene.machine.resolve(trunk.host)
        except OSError as error:
            yield fault(
                f"trunks.{trunk.name}",
                f"{trunk.host} has no IPv4 address: {error.strerror or error}",
                "Correct the trunk's address, or see to the name server in /etc/resolv.conf.",
            )
        else:
            yield ok(f"trunks.{trunk.name}", f"{trunk.host} is {some(addresses)}, port {trunk.port}")

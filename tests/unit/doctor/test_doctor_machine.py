"""Ports, trunks, clock, limits, versions, and what the server says of itself."""

from __future__ import annotations

import socket
from contextlib import closing
from importlib import metadata

import msgspec
import pytest

from callwright import __version__
from callwright.doctor import Level, Machine, exit_status, host, ports, server, settings_faults, worst
from callwright.doctor.findings import Finding, some
from callwright.doctor.machine import Bound
from callwright.errors import SettingsError
from callwright.native import ChildState
from callwright.settings import Settings
from callwright.settings.http import HttpSection
from callwright.settings.telephony import MediaSection, SipSection, TrunkSection
from callwright.store import survey
from support.machines import StillMachine
from support.patient import Said, said, server_state
from support.ports import free_port

LOOPBACK = "0100007F"


def levels(found):
    return {finding.check: finding.level for finding in found}


# ports


def bound(kind):
    taken = socket.socket(socket.AF_INET, kind)
    taken.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        taken.listen()
    return closing(taken)


def on(http, sip):
    return Settings(http=HttpSection(port=http), sip=SipSection(port=sip))


def test_ports_that_are_free(patient):
    free = on(free_port(), free_port())
    assert levels(said(ports.listening(patient.scene(settings=free)))) == {"ports.http": "ok", "ports.sip": "ok"}


def test_ports_that_others_have(patient):
    with bound(socket.SOCK_STREAM) as http, bound(socket.SOCK_DGRAM) as sip:
        taken = on(http.getsockname()[1], sip.getsockname()[1])
        assert said(ports.listening(patient.scene(settings=taken))) == [
            Said("ports.http", "fault", f"HTTP cannot listen on 127.0.0.1 port {taken.http.port}: another program has it"),
            Said("ports.sip", "fault", f"SIP cannot listen on 127.0.0.1 port {taken.sip.port}: another program has it"),
        ]
        # Where our server runs they are its own.
        assert levels(said(ports.listening(patient.scene(settings=taken, server=server_state())))) == {
            "ports.http": "ok",
            "ports.sip": "ok",
        }


def test_an_address_the_machine_does_not_have(patient):
    strange = Settings(http=HttpSection(host="192.0.2.1"), sip=SipSection(host="192.0.2.1"))
    found = said(ports.listening(patient.scene(settings=strange)))
    assert levels(found) == {"ports.http": "fault", "ports.sip": "fault"}
    assert "does not have that address" in found[0].seen


def test_ports_that_are_any(patient):
    assert levels(said(ports.listening(patient.scene(settings=on(0, 0))))) == {"ports.http": "note", "ports.sip": "note"}


def test_ports_are_not_tried_while_the_folder_is_worked_on(patient):
    with patient.folder.lock("callwright serve"):
        found = said(ports.listening(patient.scene(machine=Machine())))
    assert levels(found) == {"ports.http": "note"}


def sounding(first, last, **media):
    return Settings(media=MediaSection(ports=(first, last), **media))


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        (sounding(20_000, 29_999), "ok"),
        (sounding(20_000, 21_199), "ok"),
        (sounding(20_000, 21_197), "warning"),
        (sounding(20_000, 21_199, processes=2), "warning"),
        (sounding(20_000, 21_199, processes=2, max_calls=150), "ok"),
    ],
)
def test_a_range_of_sound_ports_for_the_calls(patient, settings, level):
    assert levels(said(ports.sound(patient.scene(settings=settings))))["ports.sound"] == level


def test_ports_without_a_partner(patient):
    assert levels(said(ports.sound(patient.scene(settings=sounding(20_000, 22_000)))))["ports.sound_pairs"] == "note"
    assert "ports.sound_pairs" not in levels(said(ports.sound(patient.scene())))


def test_sound_ports_that_others_have(patient):
    there = [
        Bound(LOOPBACK, 20_004, 1),
        Bound("00000000", 20_002, 2),
        Bound("0200007F", 20_006, 3),  # 127.0.0.2
        Bound("0" * 32, 20_008, 4),
        Bound(LOOPBACK, 30_000, 5),
    ]
    machine = StillMachine(sockets=there)
    (told,) = [one for one in said(ports.sound(patient.scene(machine=machine))) if one.check == "ports.sound_taken"]
    assert told == Said("ports.sound_taken", "warning", "other programs have ports of the range: 20002, 20004, 20008")
    # A server's own, unless its process cannot be seen from here.
    for ours, level in (({1, 2, 4}, "ok"), ({1, 2}, "warning"), (set(), "ok")):
        beside = StillMachine(sockets=there, open_sockets=ours, has_open=True)
        running = patient.scene(machine=beside, server=server_state(children=[child()]))
        assert levels(said(ports.sound(running)))["ports.sound_taken"] == level


def test_a_real_socket_in_the_range(patient):
    first = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", first))
        found = said(ports.sound(patient.scene(settings=sounding(first, first + 1), machine=Machine())))
        assert Said("ports.sound_taken", "warning", f"other programs have ports of the range: {first}") in found
    found = said(ports.sound(patient.scene(settings=sounding(first, first + 1), machine=Machine())))
    assert levels(found)["ports.sound_taken"] == "ok"


@pytest.mark.parametrize(
    ("given", "reserved", "level"),
    [
        ("32768 60999", "", "ok"),
        ("1024 65535", "", "warning"),
        ("25000 60999", "", "warning"),
        ("1024 65535", "8080,20000-24999,25000-29999", "ok"),
        ("1024 65535", "20000-24999,25001-29999", "warning"),
        ("25000 60999", "25000-29999", "ok"),
        ("", "", "note"),
    ],
)
def test_the_ports_the_kernel_gives_out(patient, given, reserved, level):
    machine = StillMachine(
        {"proc/sys/net/ipv4/ip_local_port_range": given, "proc/sys/net/ipv4/ip_local_reserved_ports": reserved}
    )
    assert levels(said(ports.sound(patient.scene(machine=machine))))["ports.ephemeral"] == level


def test_trunks(patient):
    assert levels(said(ports.trunks(patient.scene()))) == {"trunks": "note"}
    trunks = (TrunkSection(name="one", address="sip.example.com"), TrunkSection(name="two", address="sip.nowhere.example"))
    assert said(ports.trunks(patient.scene(settings=Settings(trunks=trunks)))) == [
        Said("trunks.one", "ok", "sip.example.com is 192.0.2.7, port 5060"),
        Said("trunks.two", "fault", "sip.nowhere.example has no IPv4 address: Name or service not known"),
    ]
    assert Machine().resolve("127.0.0.1") == ["127.0.0.1"]


# the machine


@pytest.mark.parametrize(("told", "level"), [(True, "ok"), (False, "warning"), (None, "note")])
def test_a_clock_that_is_synchronised_or_not(patient, told, level):
    machine = StillMachine(synchronised=told)
    assert levels(said(host.clock(patient.scene(machine=machine)))) == {"clock.synchronised": level}


@pytest.mark.parametrize(("stepped", "level"), [(0, "ok"), (400_000, "ok"), (-600_000, "warning"), (3_600_000_000, "warning")])
def test_a_clock_that_was_moved(patient, stepped, level):
    found = said(host.clock(patient.scene(server=server_state(clock_stepped_us=stepped))))
    assert levels(found)["clock.steps"] == level


def limits(patient, files=None, settings=None, server=None, **answers):
    scene = patient.scene(machine=StillMachine(files, **answers), settings=settings or Settings(), server=server)
    return levels(said(host.limits(scene)))


def test_a_machine_that_is_large_enough(patient):
    names = ("limits.files", "limits.receive_buffer", "limits.cores", "limits.memory")
    assert limits(patient) == dict.fromkeys(names, "ok")


def test_too_few_descriptors(patient):
    assert limits(patient, open_files_limit=1024)["limits.files"] == "fault"
    few = Settings(media=MediaSection(max_calls=100))
    assert limits(patient, open_files_limit=1024, settings=few)["limits.files"] == "ok"


def test_a_receive_buffer_that_is_small(patient):
    small = {"proc/sys/net/core/rmem_max": "212992\n"}
    assert limits(patient, small)["limits.receive_buffer"] == "warning"
    assert limits(patient, {"proc/sys/net/core/rmem_max": ""})["limits.receive_buffer"] == "note"
    # What the server has got counts for more than what another would get.
    assert limits(patient, small, server=server_state())["limits.receive_buffer"] == "ok"
    assert limits(patient, server=server_state(sip_receive_buffer=212_992))["limits.receive_buffer"] == "warning"


def test_more_media_processes_than_processors(patient):
    many = Settings(media=MediaSection(processes=64))
    assert limits(patient, settings=many)["limits.cores"] == "warning"
    half = {"sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert limits(patient, half)["limits.cores"] == "warning"
    assert limits(patient, {"sys/fs/cgroup/cpu.max": "max 100000\n"})["limits.cores"] == "ok"


def test_little_memory(patient):
    group = {"proc/self/cgroup": "0::/system.slice/callwright.service\n"}
    path = "sys/fs/cgroup/system.slice/callwright.service"
    assert limits(patient, group | {f"{path}/memory.max": "268435456\n"})["limits.memory"] == "warning"
    assert limits(patient, group | {f"{path}/memory.max": "max\n"})["limits.memory"] == "ok"
    assert limits(patient, {"proc/meminfo": "MemTotal: 200000 kB\n"})["limits.memory"] == "warning"
    assert limits(patient, {"proc/meminfo": ""})["limits.memory"] == "note"
    assert limits(patient, group | {f"{path}/memory.events": "oom 1\noom_kill 2\n"})["limits.killed"] == "warning"
    assert limits(patient, {"proc/sys/vm/overcommit_memory": "2\n"})["limits.overcommit"] == "note"


def test_limits_are_those_of_the_server(patient):
    """Doctor itself runs in a shell, with limits of its own."""
    files = {
        "proc/self/cgroup": "0::/user.slice\n",
        "proc/4711/cgroup": "0::/system.slice/callwright.service\n",
        **{f"sys/fs/cgroup/user.slice/{name}": text for name, text in (("cpu.max", "max 100000\n"), ("memory.max", "max\n"))},
        "sys/fs/cgroup/system.slice/callwright.service/cpu.max": "10000 100000\n",
        "sys/fs/cgroup/system.slice/callwright.service/memory.max": "268435456\n",
        "sys/fs/cgroup/system.slice/callwright.service/memory.events": "oom_kill 2\n",
    }
    names = ("limits.cores", "limits.memory", "limits.killed")
    alone = limits(patient, files)
    assert [alone.get(name) for name in names] == ["ok", "ok", None]
    beside = limits(patient, files, server=server_state(), has_open=True)
    assert [beside.get(name) for name in names] == ["warning"] * 3
    unseen = limits(patient, files, server=server_state(), has_open=False)  # in a container, say
    assert [unseen.get(name) for name in names] == ["ok", "ok", None]


def test_versions(patient, monkeypatch):
    assert levels(said(host.versions(patient.scene()))) == {
        "versions.packages": "ok",
        "versions.python": "ok",
        "versions.sqlite": "ok",
    }
    monkeypatch.setattr(survey, "LIBRARY", "3.51.2")
    assert levels(said(host.versions(patient.scene())))["versions.sqlite"] == "warning"
    monkeypatch.setattr(metadata, "version", lambda name: "2.4.0")
    found = said(host.versions(patient.scene()))
    assert Said("versions.packages", "fault", "sippy 2.4.0 is installed") in found


@pytest.mark.parametrize(
    ("version", "mended"),
    [
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.0", False),
        ("3.50.7", True),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.54.1", True),
    ],
)
def test_which_sqlite_can_be_trusted(version, mended):
    assert host.mended(version) is mended


def test_the_real_machine_has_limits():
    machine = Machine()
    assert machine.cores() > 0
    assert machine.memory() > 0
    assert machine.open_files_limit(None) > 0
    assert machine.synchronised() in (True, False, None)


# the server


def child(**changes):
    return msgspec.structs.replace(ChildState(name="media-1", state="up", pid=1, epoch=1, trouble=None), **changes)


def test_a_server_that_is_well(patient):
    scene = patient.scene(server=server_state(children=[child()]))
    assert levels([*said(server.parts(scene)), *said(server.children(scene))]) == {
        "server.parts": "ok",
        "server.version": "ok",
        "server.media-1": "ok",
    }
    assert [*server.parts(patient.scene()), *server.children(patient.scene())] == []


def test_a_server_that_is_not(patient):
    ill = server_state(
        version="0.0.1",
        unhealthy={"database": "FullError: database or disk is full", "admission": "draining", "new": "x"},
        children=[child(trouble="media-1 died more than 5 times within 60 s"), child(name="media-2", epoch=3)],
    )
    scene = patient.scene(server=ill)
    assert [*said(server.parts(scene)), *said(server.children(scene))] == [
        Said("server.database", "fault", "FullError: database or disk is full"),
        Said("server.admission", "note", "draining"),
        Said("server.new", "fault", "x"),
        Said("server.version", "warning", f"the server runs 0.0.1, and {__version__} is installed"),
        Said("server.media-1", "fault", "media-1 died more than 5 times within 60 s"),
        Said("server.media-2", "warning", "up, pid 1, in its life number 3"),
    ]


# findings


@pytest.mark.parametrize(
    ("levels_", "plain", "strict"),
    [((), 0, 0), (("ok", "note"), 0, 0), (("warning", "ok"), 0, 1), (("note", "fault", "ok"), 1, 1)],
)
def test_the_exit_status(levels_, plain, strict):
    findings = [Finding("x", Level(level), "") for level in levels_]
    assert (exit_status(findings, strict=False), exit_status(findings, strict=True)) == (plain, strict)


def test_the_worst_counts():
    assert worst([Finding("x", Level.NOTE, ""), Finding("x", Level.WARNING, ""), Finding("x", Level.OK, "")]) is Level.WARNING
    assert [finding.seen for finding in settings_faults(SettingsError("one\ntwo"))] == ["one", "two"]
    assert (some(["a", "b"]), some(["a", "b", "c", "d", "e"])) == ("a, b", "a, b, c and 2 more")

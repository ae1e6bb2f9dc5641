"""The folder, its disk, and what a dead server left in it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from callwright.datafolder import DataFolder
from callwright.doctor import Machine, files
from callwright.doctor.machine import Disk
from callwright.settings import Settings
from callwright.settings.telephony import TrunkSection
from support.machines import StillMachine
from support.patient import Patient, Said, said, server_state

GB = 1_000_000_000


def levels(found):
    return {finding.check: finding.level for finding in found}


def test_a_healthy_folder(patient):
    scene = patient.scene()
    found = [*said(files.place(scene)), *said(files.disk(scene)), *said(files.modes(scene)), *said(files.owner(scene))]
    assert levels(found) == dict.fromkeys(
        ("folder", "disk.space", "disk.inodes", "disk.kind", "files.modes", "files.owner"), "ok"
    )
    assert said(files.left_behind(scene)) == [Said("server.lock", "ok", "free; no server runs on the folder")]


def test_no_folder_yet(tmp_path):
    scene = Patient(DataFolder(tmp_path / "none" / "data")).scene()
    assert said(files.place(scene)) == [Said("folder", "warning", f"{tmp_path / 'none' / 'data'} holds no Callwright data")]
    assert scene.there == tmp_path
    assert [*files.modes(scene), *files.owner(scene)] == []
    assert levels(said(files.disk(scene)))["disk.space"] == "ok"


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "data").write_text("")
    (told,) = said(files.place(Patient(DataFolder(tmp_path / "data")).scene()))
    assert (told.check, told.level) == ("folder", "fault")


@pytest.mark.parametrize(
    ("disk", "space", "inodes"),
    [
        (Disk(50 * GB, 100 * GB, 900_000, 1_000_000), "ok", "ok"),
        (Disk(4 * GB, 100 * GB, 900_000, 1_000_000), "warning", "ok"),
        (Disk(GB - 1, 10 * GB, 900_000, 1_000_000), "warning", "ok"),
        (Disk(50_000_000, 100 * GB, 900_000, 1_000_000), "fault", "ok"),
        (Disk(0, 0, 900_000, 1_000_000), "fault", "ok"),
        (Disk(50 * GB, 100 * GB, 9_999, 1_000_000), "ok", "warning"),
        (Disk(50 * GB, 100 * GB, 0, 0), "ok", None),
    ],
    ids=["roomy", "under 5 %", "under 1 GB", "full", "no size", "no inodes left", "inodes are not counted"],
)
def test_what_is_left_of_the_disk(patient, disk, space, inodes):
    found = levels(said(files.disk(patient.scene(machine=StillMachine(disk=disk)))))
    assert (found["disk.space"], found.get("disk.inodes")) == (space, inodes)


def test_recordings_on_a_disk_of_their_own(patient, monkeypatch):
    folder = patient.folder.recordings
    folder.mkdir(exist_ok=True)
    assert said(files.recordings(patient.scene())) == []
    flags = SimpleNamespace(f_flag=os.ST_RDONLY)
    monkeypatch.setattr(files.os, "statvfs", lambda path: flags)
    (told,) = said(files.recordings(patient.scene()))
    assert (told.check, told.level, told.seen) == ("disk.recordings", "fault", f"{folder} cannot be written to")


@pytest.mark.parametrize(
    ("kind", "level"),
    [("ext4", "ok"), ("xfs", "ok"), ("nfs4", "fault"), ("fuse.sshfs", "fault"), ("tmpfs", "warning"), ("overlay", "warning")],
)
def test_the_file_system(patient, kind, level):
    root = patient.folder.root.parent
    mounts = ("/ / rw - ext4", f"/ {root} rw shared:2 - {kind}", f"/ {root}x rw - proc")
    told = "".join(f"{n} 1 8:{n} {mount} none rw\n" for n, mount in enumerate(mounts))
    machine = StillMachine({"proc/self/mountinfo": told})
    assert levels(said(files.disk(patient.scene(machine=machine))))["disk.kind"] == level


def test_a_file_system_that_is_not_told(patient):
    machine = StillMachine({"proc/self/mountinfo": ""})
    assert levels(said(files.disk(patient.scene(machine=machine))))["disk.kind"] == "note"


def test_a_log_that_is_never_written_back(patient):
    log = patient.folder.root / "callwright.db-wal"
    log.touch()
    os.truncate(log, 1000)
    assert levels(said(files.disk(patient.scene())))["disk.log"] == "ok"
    os.truncate(log, 300_000_000)
    (told,) = [finding for finding in said(files.disk(patient.scene())) if finding.check == "disk.log"]
    assert told == Said("disk.log", "warning", "callwright.db-wal has grown to 300 MB")


def test_secrets_that_are_open(patient):
    secret = patient.folder.secrets / "signing.key"
    secret.write_text("")
    secret.chmod(0o640)
    assert said(files.modes(patient.scene())) == [Said("files.modes", "fault", f"open to other users: {secret}")]
    secret.chmod(0o600)
    patient.folder.secrets.chmod(0o755)
    assert said(files.modes(patient.scene())) == [
        Said("files.modes", "fault", f"open to other users: {patient.folder.secrets}")
    ]


def test_a_database_others_can_read(patient):
    patient.folder.database.chmod(0o644)
    assert levels(said(files.modes(patient.scene()))) == {"files.modes": "ok"}  # nobody else comes into the folder
    patient.folder.root.chmod(0o755)
    assert said(files.modes(patient.scene())) == [
        Said("files.modes", "fault", f"open to other users: {patient.folder.database}")
    ]
    patient.folder.database.chmod(0o600)
    assert levels(said(files.modes(patient.scene()))) == {"files.modes": "note"}


def test_a_settings_file_with_a_password(patient):
    patient.folder.root.chmod(0o755)
    file = patient.folder.root / "callwright.toml"
    file.write_text("")
    file.chmod(0o644)
    trunk = TrunkSection(name="one", address="192.0.2.7", username="me", password="secret")
    assert levels(said(files.modes(patient.scene()))) == {"files.modes": "note"}
    assert said(files.modes(patient.scene(settings=Settings(trunks=(trunk,))))) == [
        Said("files.modes", "fault", f"open to other users: {file}")
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_another_user(patient):
    os.chown(patient.folder.database, 12345, 12345)
    (told,) = said(files.owner(patient.scene()))
    assert told == Said("files.owner", "fault", "the server's user (uid 0) does not own callwright.db")
    # Where a server runs, its user is the one that made the control socket.
    patient.folder.control_socket.touch()
    os.chown(patient.folder.control_socket, 12345, 12345)
    (told,) = said(files.owner(patient.scene(server=server_state())))
    assert told.seen.startswith("the server's user (uid 12345) does not own ., cache, ")
    for path in (patient.folder.root, *patient.folder.root.iterdir()):
        os.chown(path, 12345, 12345)
    assert levels(said(files.owner(patient.scene(server=server_state())))) == {"files.owner": "ok"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_the_file_system_keeps_there(patient):
    """The root of an ext4 file system has it, and it is root's."""
    found = patient.folder.root / "lost+found"
    found.mkdir(mode=0o700)
    for path in (patient.folder.root, *patient.folder.root.iterdir()):
        os.chown(path, 12345, 12345)
    os.chown(found, 0, 0)
    assert said(files.owner(patient.scene())) == [Said("files.owner", "ok", "all belongs to uid 12345")]


def test_a_lock_and_a_socket_left_by_a_killed_server(patient):
    patient.folder.bind_control().close()
    patient.folder.lock_file.write_text("callwright serve\n2147483000\n")
    assert said(files.left_behind(patient.scene(machine=Machine()))) == [
        Said("server.lock", "note", "left by a server that was killed"),
        Said("server.socket", "note", "left by a server that was killed"),
    ]


def test_a_socket_left_by_a_server_that_was_stopped(patient):
    patient.folder.bind_control().close()
    patient.folder.lock("callwright serve").release()
    assert levels(said(files.left_behind(patient.scene(machine=Machine())))) == {"server.lock": "ok", "server.socket": "ok"}


def test_a_process_id_that_is_another_program_now(patient):
    patient.folder.lock_file.write_text(f"callwright serve\n{os.getpid()}\n")
    (told,) = said(files.left_behind(patient.scene(machine=Machine())))
    assert told.seen == "left by a server that was killed"


class Shut(Machine):
    """Open files of processes cannot be seen; the process is of some user."""

    def __init__(self, root: Path, user: int) -> None:
        super().__init__(root)
        process = root / "proc" / "4711"
        process.mkdir(parents=True)
        (process / "stat").write_text("4711 (some (odd) name) T 1")
        if user != os.getuid():
            os.chown(process, user, user)


@pytest.fixture
def shut(monkeypatch):
    def iterdir(path):
        if path.name == "fd":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", iterdir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes what is another user's")
def test_a_process_id_that_is_another_user_s_now(patient, tmp_path, shut):
    """After a power cut the file has the words of a server that is no more."""
    patient.folder.lock_file.write_text("callwright serve\n4711\n")
    scene = patient.scene(machine=Shut(tmp_path, user=12345))
    assert said(files.left_behind(scene)) == [Said("server.lock", "note", "left by a server that was killed")]
    running = patient.scene(machine=scene.machine, server=server_state())
    assert (scene.holder, running.server_pid) == (None, None)


def test_nobody_is_to_be_ended_who_was_not_seen_to_hold_the_folder(patient, tmp_path, shut):
    patient.folder.lock_file.write_text("callwright serve\n4711\n")
    (told,) = files.left_behind(patient.scene(machine=Shut(tmp_path, user=os.getuid())))
    seen = "callwright serve (pid 4711) may hold the folder, and does not answer; it is stopped (SIGSTOP)"
    assert (told.check, told.level.value, told.seen) == ("server.lock", "fault", seen)
    assert "kill" not in told.remedy


def test_a_server_that_holds_the_folder_and_is_silent(patient):
    with patient.folder.lock("callwright serve"):
        (told,) = said(files.left_behind(patient.scene(machine=Machine())))
    assert told == Said("server.lock", "fault", f"callwright serve (pid {os.getpid()}) holds the folder and does not answer")
    with patient.folder.lock("callwright serve"):
        stopped = StillMachine(has_open=True, process_state="T")
        (told,) = said(files.left_behind(patient.scene(machine=stopped)))
    assert told.seen.endswith("does not answer; it is stopped (SIGSTOP)")
    assert said(files.left_behind(patient.scene(machine=Machine())))[0].level == "ok"


def test_a_command_that_works_on_the_folder(patient):
    with patient.folder.lock("callwright (command line)"):
        (told,) = said(files.left_behind(patient.scene(machine=Machine())))
    assert told == Said("server.lock", "note", f"callwright (command line) (pid {os.getpid()}) works on the folder")


def test_a_lock_file_that_was_removed_under_a_server(patient):
    listening = patient.folder.bind_control()
    listening.listen()
    try:
        told = said(files.left_behind(patient.scene()))
    finally:
        listening.close()
    assert told[1] == Said("server.socket", "fault", "something listens on the control socket without holding the lock")


def test_a_file_in_the_place_of_the_socket(patient):
    patient.folder.control_socket.write_text("")
    assert said(files.left_behind(patient.scene()))[1].level == "fault"


def test_a_running_server_holds_the_lock(patient):
    told = said(files.left_behind(patient.scene(server=server_state())))
    assert told == [Said("server.lock", "ok", "held by the server, pid 4711")]


def test_the_real_machine_answers(tmp_path):
    machine = Machine()
    disk = machine.disk(tmp_path)
    assert 0 <= disk.free <= disk.total
    assert machine.file_system(tmp_path)
    assert machine.process_state(os.getpid()) in ("R", "S")
    assert machine.process_state(2147483000) is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        (ours,) = [one for one in machine.sockets("udp") if one.inode == os.fstat(bound.fileno()).st_ino]
        assert ours.port == bound.getsockname()[1]
        assert (ours.stands_in("127.0.0.1"), ours.stands_in("0.0.0.0"), ours.stands_in("127.0.0.2")) == (True, True, False)
        assert ours.inode in machine.open_sockets(os.getpid())

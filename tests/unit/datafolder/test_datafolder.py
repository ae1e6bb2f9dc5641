from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from callwright.datafolder import DataFolder, FolderInUse
from callwright.errors import DataFolderError
from support.litter import clear_litter

NOBODY = 65534


@pytest.fixture
def folder(tmp_path):
    made = DataFolder(tmp_path / "data")
    made.prepare()
    return made


@pytest.fixture
def foreign():
    """A folder of root's, made in a place that another user can reach."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o700)
    shutil.rmtree(path)


@contextmanager
def as_somebody_else():
    """Root may write anywhere, so a test of permissions must be someone else."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_layout(folder):
    assert {str(path.relative_to(folder.root)) for path in folder.root.rglob("*")} == {
        "recordings", "sounds", "cache", "cache/media", "cache/speech", "secrets", "run",
    }  # fmt: skip
    assert [mode(path) for path in (folder.root, folder.recordings, folder.secrets, folder.run)] == [0o700] * 4


def test_secrets_and_sockets_are_closed_again(folder):
    for path in (folder.root, folder.secrets, folder.run):
        path.chmod(0o755)
    folder.prepare()
    assert [mode(path) for path in (folder.root, folder.secrets, folder.run)] == [0o755, 0o700, 0o700]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataFolderError) as caught:
        DataFolder(tmp_path / "data").prepare()
    assert str(caught.value) == f"{tmp_path}/data is not a folder; remove it, or choose another folder with --data"
    with pytest.raises(DataFolderError) as caught:
        DataFolder(tmp_path / "data" / "below").prepare()
    assert str(caught.value) == f"{tmp_path}/data/below cannot be made, because a part of its path is not a folder"


def test_a_folder_of_someone_else(foreign):
    foreign.chmod(0o555)
    with as_somebody_else() as uid:
        remedy = f"make it writable for this user (uid {uid}), or choose another folder with --data"
        with pytest.raises(DataFolderError) as caught:
            DataFolder(foreign).prepare()
        assert str(caught.value) == f"{foreign} cannot be written; {remedy}"
        with pytest.raises(DataFolderError) as caught:
            DataFolder(foreign / "data").prepare()
        assert str(caught.value) == f"{foreign}/data cannot be made: Permission denied; {remedy}"
        with pytest.raises(DataFolderError) as caught:
            DataFolder(foreign).lock("test")
        assert str(caught.value) == f"{foreign}/lock cannot be opened: Permission denied; {remedy}"


def test_a_second_master_is_refused_by_name_and_pid(folder):
    with folder.lock("callwright serve"), pytest.raises(FolderInUse) as caught:
        folder.lock("callwright keys")
    assert (caught.value.name, caught.value.pid) == ("callwright serve", os.getpid())
    assert str(caught.value) == (
        f"{folder.root} is in use by callwright serve (pid {os.getpid()}); stop it, or choose another folder with --data"
    )
    with folder.lock("callwright keys"):
        pass


def test_a_master_that_has_not_said_its_name(folder):
    with folder.lock("x"):
        (folder.root / "lock").write_text("")
        with pytest.raises(FolderInUse, match="is in use by another process;"):
            folder.lock("y")


def test_a_disk_without_room_for_the_name_of_the_master(folder, monkeypatch):
    folder.prepare()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("callwright.datafolder.os.pwrite", full)
    with folder.lock("first"), pytest.raises(FolderInUse) as refused:
        folder.lock("second")
    assert (refused.value.name, refused.value.pid) == ("", None)


def test_a_killed_master_leaves_the_folder_free(folder):
    program = (
        "import sys, time, subprocess; from pathlib import Path; from callwright.datafolder import DataFolder;"
        "lock = DataFolder(Path(sys.argv[1])).lock('callwright serve');"
        "child = subprocess.Popen(['sleep', '120']); print(child.pid, flush=True); time.sleep(120)"
    )
    with subprocess.Popen([sys.executable, "-c", program, folder.root], stdout=subprocess.PIPE, env=with_source()) as master:
        orphan = int(master.stdout.readline())
        try:
            with pytest.raises(FolderInUse) as caught:
                folder.lock("callwright keys")
            assert (caught.value.name, caught.value.pid) == ("callwright serve", master.pid)
            master.kill()
            master.wait()
            # its name is still in the file, and its child still runs
            assert (folder.root / "lock").read_text() == f"callwright serve\n{master.pid}\n"
            with folder.lock("callwright serve"):
                assert (folder.root / "lock").read_text() == f"callwright serve\n{os.getpid()}\n"
        finally:
            os.kill(orphan, signal.SIGKILL)


def with_source() -> dict[str, str]:
    import callwright

    return {**os.environ, "PYTHONPATH": str(Path(callwright.__file__).parents[1])}


@pytest.mark.parametrize("deep", [False, True], ids=["short path", "path longer than an address"])
def test_the_control_socket(tmp_path, deep):
    folder = DataFolder(tmp_path / ("d" * 120 if deep else "d"))
    folder.prepare()
    folder.control_socket.write_text("left by a server that was killed")
    with folder.bind_control() as bound, socket.socket(socket.AF_UNIX) as client:
        bound.listen()
        assert stat.S_ISSOCK(folder.control_socket.stat().st_mode)
        assert mode(folder.control_socket) == 0o600
        with folder.control_address() as address:
            assert len(address) < 108
            assert (address == str(folder.control_socket)) is not deep
            client.connect(address)
        accepted, _ = bound.accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_a_control_socket_that_cannot_be_made(folder):
    folder.control_socket.mkdir()
    with pytest.raises(DataFolderError, match=r"control\.sock cannot be made: Is a directory; make it writable"):
        folder.bind_control()


def test_no_descriptor_is_left_behind(tmp_path):
    folder = DataFolder(tmp_path / ("d" * 120))
    folder.prepare()
    clear_litter()
    before = len(os.listdir("/proc/self/fd"))
    with folder.lock("x"), pytest.raises(FolderInUse):
        folder.lock("y")
    with folder.control_address():
        pass
    folder.bind_control().close()
    assert len(os.listdir("/proc/self/fd")) <= before

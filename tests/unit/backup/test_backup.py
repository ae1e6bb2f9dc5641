"""Backups of a folder that nobody works on, and what is done with a file that is none."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import apsw
import msgspec
import pytest

from callwright.backup import archive, making, restoring
from callwright.backup.archive import BadBackup
from callwright.backup.making import BackupFailed, make
from callwright.backup.restoring import RestoreRefused, restore
from callwright.clock import SystemClock
from callwright.datafolder import DataFolder
from callwright.doctor import fix
from callwright.errors import DataFolderError
from callwright.store import Store
from callwright.store.survey import Survey
from support.old_calls import OldCalls

CLOCK = SystemClock()


@pytest.fixture
async def folder(tmp_path):
    """A folder with calls, one of which is up, and with a callback that is pending."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    store = Store.open(folder.database, CLOCK)
    old = OldCalls(folder.recordings, store)
    call_id = await old.with_everything(20)
    await old.deliver(call_id, "pending")
    await old.call(None)
    store.close()
    (folder.root / "callwright.toml").write_text("# ours\n")
    (folder.secrets / "key").write_text("secret")
    (folder.sounds / "de").mkdir()
    (folder.sounds / "de" / f"{'long' * 30}.wav").write_bytes(b"sound" * 1000)
    return folder


def back_up(folder, target, **options):
    return make(folder, target, CLOCK, program="9.9", **({"overwrite": False, "recordings": False} | options))


def put_back(file, folder, **options):
    return restore(file, folder, CLOCK, **({"replace": False, "resend": True} | options))


def content(folder):
    """What is in the database, apart from SQLite's own counters and where the numbering of rows goes on."""
    connection = apsw.Connection(str(folder.database))
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    tables.remove("sqlite_sequence")
    found = {name: list(connection.execute(f"SELECT * FROM {name}")) for name in tables}
    connection.close()
    return found


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(("callwright.db", "lock"))
    }


def names(file):
    with tarfile.open(file) as tar:
        return tar.getnames()


def test_what_was_backed_up_is_restored(folder, tmp_path):
    file = tmp_path / "backup"
    made = back_up(folder, file)
    assert (made.size, made.files, file.stat().st_mode & 0o777) == (file.stat().st_size, 4, 0o600)
    assert made.database == folder.database.stat().st_size
    assert sorted(os.listdir(tmp_path)) == ["backup", "data"]
    assert not [name for name in os.listdir(folder.root) if "-wal" in name or "-shm" in name]
    assert names(file)[:3] == ["callwright.db", "callwright.toml", "secrets/key"]
    new = DataFolder(tmp_path / "new" / "data")
    restored = put_back(file, new)
    assert (restored.about.program, restored.pending, restored.given_up, restored.aside) == ("9.9", 1, 0, None)
    assert content(new) == content(folder)
    there = files(folder.root)
    assert files(new.root) == {name: there[name] for name in there if not name.startswith("recordings/")}
    assert new.root.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in new.root.rglob("*")} == {0}
    new.prepare()
    store = Store.open(new.database, CLOCK)
    store.close()


def test_what_is_restored_goes_on_behind_whatever_came_after_the_backup(folder, tmp_path):
    def newest(folder):
        connection = apsw.Connection(str(folder.database))
        found = dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
        connection.close()
        return found

    back_up(folder, tmp_path / "backup")
    before, new = newest(folder), DataFolder(tmp_path / "new")
    put_back(tmp_path / "backup", new)
    assert newest(new) == before | {name: before[name] + 2**32 for name in ("calls", "events")}
    back_up(new, tmp_path / "again")
    put_back(tmp_path / "again", new, replace=True)
    assert newest(new)["events"] == before["events"] + 2 * 2**32


def test_recordings_when_they_are_asked_for(folder, tmp_path):
    file = tmp_path / "backup"
    back_up(folder, file, recordings=True)
    new = DataFolder(tmp_path / "new")
    put_back(file, new)
    assert files(new.root) == files(folder.root)
    assert any(name.startswith("recordings/") for name in files(new.root))


def test_a_log_of_writes_that_a_dead_server_left_is_in_it(folder, tmp_path):
    store = Store.open(folder.database, CLOCK)
    store._writer._connection.execute("INSERT INTO nodes VALUES ('late', 1)")
    assert folder.database.with_name("callwright.db-wal").stat().st_size
    back_up(folder, tmp_path / "backup")
    store.close()
    new = DataFolder(tmp_path / "new")
    put_back(tmp_path / "backup", new)
    assert content(new)["nodes"] == [("late", 1)]


def test_what_is_there_is_not_written_over(folder, tmp_path):
    file = tmp_path / "backup"
    back_up(folder, file)
    before = file.read_bytes()
    (folder.secrets / "key").write_text("another")
    with pytest.raises(BackupFailed, match="--overwrite"):
        back_up(folder, file)
    assert file.read_bytes() == before
    back_up(folder, file, overwrite=True)
    assert file.read_bytes() != before
    assert names(file)[0] == "callwright.db"


@pytest.mark.parametrize("dear", [b"", b"dear", b"SQLite format 3\0" * 100, b"\0" * 1024, "tar"])
def test_what_is_no_backup_is_never_written_over(folder, tmp_path, dear):
    file = tmp_path / "file"
    if dear == "tar":
        tar(file, [("homework", b"dear")])
    else:
        file.write_bytes(dear)
    before = file.read_bytes()
    with pytest.raises(BackupFailed, match="is no backup, so it is not written over"):
        back_up(folder, file, overwrite=True)
    assert file.read_bytes() == before


def test_nor_is_a_link_or_what_is_no_file(folder, tmp_path):
    file, link_, pipe = tmp_path / "backup", tmp_path / "latest", tmp_path / "pipe"
    back_up(folder, file)
    link_.symlink_to(file)
    os.mkfifo(pipe)
    for overwrite in (False, True):
        with pytest.raises(BackupFailed, match="latest is a link"):
            back_up(folder, link_, overwrite=overwrite)
        with pytest.raises(BackupFailed, match="pipe is no regular file"):
            back_up(folder, pipe, overwrite=overwrite)
    file.unlink()
    with pytest.raises(BackupFailed, match="latest is a link"):
        back_up(folder, link_)
    assert link_.is_symlink()
    assert pipe.is_fifo()


def test_what_came_there_while_it_was_written_is_not_written_over(folder, tmp_path, monkeypatch):
    file = tmp_path / "backup"
    monkeypatch.setattr(making, "_examine", lambda path, size: file.write_bytes(b"dear"))
    with pytest.raises(BackupFailed, match="is no backup"):
        back_up(folder, file, overwrite=True)
    assert file.read_bytes() == b"dear"
    assert sorted(os.listdir(tmp_path)) == ["backup", "data"]


SERVERS_OWN = [
    *("callwright.db", "callwright.db-wal", "callwright.db-journal", "callwright.toml", "lock"),
    *("run/control.sock", "cache/media/file", ".unfinished"),
]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", SERVERS_OWN)
def test_no_name_in_the_data_folder_that_the_server_uses(folder, tmp_path, name, overwrite):
    before = {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}
    (tmp_path / "same").symlink_to(folder.root)
    for root in (folder.root, tmp_path / "same", tmp_path / "data" / ".." / "data"):
        with pytest.raises(BackupFailed, match="the server uses itself"):
            back_up(folder, root / name, overwrite=overwrite)
    assert {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()} == before


def test_another_name_in_the_data_folder(folder):
    back_up(folder, folder.root / "backup")
    assert names(folder.root / "backup")[-1] == archive.LIST


def test_standard_output_is_no_target(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackupFailed, match="standard output"):
        back_up(folder, Path("-"))
    assert os.listdir(tmp_path) == ["data"]


def test_one_that_cannot_be_looked_at(folder, tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    back_up(folder, tmp_path / "backup")
    monkeypatch.setattr(making, "begins_like_a_backup", denied)
    with pytest.raises(BackupFailed, match=r"backup cannot be written: Permission denied"):
        back_up(folder, tmp_path / "backup", overwrite=True)


@pytest.mark.parametrize(("target", "why"), [("data", "is a folder"), ("nowhere/backup", "Make it first")])
def test_a_target_that_cannot_be(folder, tmp_path, target, why):
    with pytest.raises(BackupFailed, match=why):
        back_up(folder, tmp_path / target)


def test_a_folder_without_a_database(tmp_path):
    with pytest.raises(DataFolderError, match="holds no Callwright data"):
        back_up(DataFolder(tmp_path), tmp_path / "backup")


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("INSERT INTO migrations VALUES (9999, 'later', 'x')", "9999"),
        ("INSERT INTO uncounted SELECT world_id, NULL, pos, direction, NULL, status, 1, NULL FROM calls", "not counted"),
    ],
)
def test_a_database_that_is_not_well_is_no_backup(folder, tmp_path, sql, why):
    connection = apsw.Connection(str(folder.database))
    connection.execute(sql)
    connection.close()
    with pytest.raises(BackupFailed, match=why):
        back_up(folder, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


def test_a_damaged_database_is_no_backup(folder, tmp_path):
    with folder.database.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(b"\xff" * 4096)
    with pytest.raises(BackupFailed, match="The database is damaged"):
        back_up(folder, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("portion", [0, 1, 2])
def test_a_full_disk_leaves_nothing(folder, tmp_path, monkeypatch, portion):
    copied = []

    def copy(source, target, size, name, real=archive._copy):
        copied.append(name)
        if len(copied) > portion:
            raise OSError(28, os.strerror(28))
        return real(source, target, size, name)

    monkeypatch.setattr(archive, "_copy", copy)
    with pytest.raises(BackupFailed, match="No space left on device"):
        back_up(folder, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


def test_a_disk_that_is_full_for_the_database(folder, tmp_path, monkeypatch):
    def full(path, into, offset):
        raise DataFolderError("FullError")

    monkeypatch.setattr(making, "copy_database", full)
    with pytest.raises(DataFolderError, match="FullError"):
        back_up(folder, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


def test_who_comes_when_another_is_just_done_leaves_what_that_one_made(folder, tmp_path, monkeypatch):
    target = tmp_path / "backup"

    def locked(descriptor, how, real=making.fcntl.flock):
        if making.fcntl.flock is not real:
            (tmp_path / ".backup.partial").rename(target)  # as the other does before it lets go of its lock
            target.write_text("whole")
        return real(descriptor, how)

    monkeypatch.setattr(making.fcntl, "flock", locked)
    with pytest.raises(BackupFailed, match="Another backup"):
        back_up(folder, target)
    assert target.read_text() == "whole"


@pytest.mark.parametrize("name", ["secrets", "secrets/deep", "sounds"])
def test_a_folder_that_cannot_be_read_is_not_left_out(folder, tmp_path, monkeypatch, name):
    def scandir(path, real=os.scandir):
        if str(path) == str(folder.root / name):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    (folder.secrets / "deep").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(BackupFailed, match=rf"{name} cannot be read: Permission denied"):
        back_up(folder, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


def test_a_file_that_cannot_be_read_is_named(folder, tmp_path, monkeypatch):
    def opened(path, *arguments, real=making.Path.open, **named):
        if path.name == "key":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **named)

    monkeypatch.setattr(making.Path, "open", opened)
    with pytest.raises(BackupFailed, match="secrets/key cannot be read: Permission denied"):
        back_up(folder, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("place", ["secrets", "sounds/de", "recordings"])
def test_a_backup_is_no_part_of_the_next(folder, place):
    with pytest.raises(BackupFailed, match=r"lies in .* which is backed up itself"):
        back_up(folder, folder.root / place / "backup")


@pytest.mark.parametrize(("number", "fails"), [(22, False), (95, False), (5, True)])
def test_a_disk_of_a_network_that_syncs_no_folders(folder, tmp_path, monkeypatch, number, fails):
    def sync(descriptor, real=os.fsync):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    if fails:
        with pytest.raises(BackupFailed, match="is written, but"):
            back_up(folder, tmp_path / "backup")
    else:
        back_up(folder, tmp_path / "backup")
    assert names(tmp_path / "backup")[-1] == archive.LIST


def test_a_disk_of_a_network_that_locks_nothing(folder, tmp_path, monkeypatch):
    def flock(descriptor, how):
        raise OSError(37, os.strerror(37))

    with monkeypatch.context() as patched:
        patched.setattr(making.fcntl, "flock", flock)
        back_up(folder, tmp_path / "backup")
    put_back(tmp_path / "backup", DataFolder(tmp_path / "new"))


def test_a_disk_of_a_network_where_its_lock_is_one_that_sqlite_minds(folder, tmp_path, monkeypatch):
    """NFS makes one kind of lock of the other, so that the lock on the file looks like that of another program."""
    program = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, 2); print(flush=True); sys.stdin.read()"
    others = []

    def flock(descriptor, how):
        arguments = [sys.executable, "-c", program, str(tmp_path / ".backup.partial")]
        others.append(subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        others[0].stdout.readline()

    monkeypatch.setattr(making.fcntl, "flock", flock)
    try:
        back_up(folder, tmp_path / "backup")
    finally:
        others[0].communicate()


def test_two_at_once_do_not_write_into_each_other(folder, tmp_path):
    with making._partial(tmp_path / "backup"), pytest.raises(BackupFailed, match="Another backup"):
        back_up(folder, tmp_path / "backup")


@pytest.mark.parametrize("name", [b"back\\slash.wav", b"latin-\xe9.wav"])
def test_a_name_that_could_not_be_restored(folder, tmp_path, name):
    (folder.sounds / os.fsdecode(name)).write_bytes(b"sound")
    with pytest.raises(BadBackup, match="Rename it"):
        back_up(folder, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


def test_what_a_killed_one_left_is_written_over(folder, tmp_path):
    (tmp_path / ".backup.partial").write_bytes(b"x" * 10_000_000)
    made = back_up(folder, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_size == made.size
    put_back(tmp_path / "backup", DataFolder(tmp_path / "new"))


class TestRestore:
    def test_what_is_there_stays_without_replace(self, folder, tmp_path):
        back_up(folder, tmp_path / "backup")
        before = content(folder), files(folder.root)
        with pytest.raises(RestoreRefused, match=r"callwright\.db, callwright\.toml, secrets, sounds already"):
            put_back(tmp_path / "backup", folder)
        assert (content(folder), files(folder.root)) == before

    def test_what_is_there_is_moved_aside(self, folder, tmp_path):
        back_up(folder, tmp_path / "backup")
        before = content(folder)
        (folder.root / "callwright.toml").write_text("# changed since\n")
        connection = apsw.Connection(str(folder.database))
        connection.execute("DELETE FROM calls")
        connection.close()
        recordings = {name for name in files(folder.root) if name.startswith("recordings/")}
        restored = put_back(tmp_path / "backup", folder, replace=True)
        assert content(folder) == before
        assert (folder.root / "callwright.toml").read_text() == "# ours\n"
        assert (restored.aside / "callwright.toml").read_text() == "# changed since\n"
        assert recordings <= set(files(folder.root))  # the backup has none, and these are still spoken of
        assert not folder.unfinished.exists()
        folder.prepare()

    def test_not_under_a_running_server(self, folder, tmp_path):
        back_up(folder, tmp_path / "backup")
        with folder.lock("callwright serve"), pytest.raises(DataFolderError, match="in use by callwright serve"):
            put_back(tmp_path / "backup", folder, replace=True)

    def test_empty_folders_are_not_in_the_way(self, folder, tmp_path):
        back_up(folder, tmp_path / "backup")
        new = DataFolder(tmp_path / "new")
        new.prepare()
        put_back(tmp_path / "backup", new)
        assert content(new) == content(folder)

    def test_callbacks_that_were_pending_are_given_up_when_it_is_asked_for(self, folder, tmp_path):
        back_up(folder, tmp_path / "backup")
        new = DataFolder(tmp_path / "new")
        assert put_back(tmp_path / "backup", new, resend=False).given_up == 1
        assert {(row[14], row[-1]) for row in content(new)["deliveries"]} == {("delivered", None), ("exhausted", "restored")}
        survey = Survey.of(new.database)
        assert survey.read("backup.pending") == [(0,)]
        assert survey.select("SELECT COUNT(*) FROM events WHERE pos > (SELECT pos FROM fanned_out)", ()) == [(0,)]

    @pytest.mark.parametrize("moves", range(9))
    def test_one_that_was_killed_while_it_moved_is_told_and_done_again(self, folder, tmp_path, monkeypatch, moves):
        back_up(folder, tmp_path / "backup")
        before = content(folder)

        with monkeypatch.context() as patched:
            patched.setattr(restoring.Path, "rename", _renaming(moves))
            with pytest.raises(Cut):
                put_back(tmp_path / "backup", folder, replace=True)
        if moves:
            with pytest.raises(DataFolderError, match="callwright restore again"):
                folder.prepare()
        else:
            folder.prepare()
            assert content(folder) == before
        put_back(tmp_path / "backup", folder, replace=True)
        folder.prepare()
        assert content(folder) == before
        assert set(files(tmp_path)) >= {"data/callwright.toml", "data/secrets/key"}

    def test_one_that_is_killed_again_while_it_clears_up_keeps_servers_away(self, folder, tmp_path, monkeypatch):
        back_up(folder, tmp_path / "backup")
        before = content(folder)
        with monkeypatch.context() as patched:
            patched.setattr(restoring.Path, "rename", _renaming(3))
            with pytest.raises(Cut):
                put_back(tmp_path / "backup", folder, replace=True)
        with monkeypatch.context() as patched:
            patched.setattr(restoring.Path, "rename", _renaming(0))  # the old files are gone, the new not in their place
            with pytest.raises(Cut):
                put_back(tmp_path / "backup", folder, replace=True)
        with pytest.raises(DataFolderError, match="callwright restore again"):
            folder.prepare()
        put_back(tmp_path / "backup", folder, replace=True)
        folder.prepare()
        assert content(folder) == before
        assert not {".restoring", ".unfinished"} & set(os.listdir(folder.root))

    def test_a_full_disk_is_told_of_the_folder_and_not_of_the_backup(self, folder, tmp_path, monkeypatch):
        back_up(folder, tmp_path / "backup")

        def copy(source, target, size, name):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(archive, "_copy", copy)
        new = DataFolder(tmp_path / "new")
        with pytest.raises(RestoreRefused, match=rf"^{new.root} cannot be used: No space left"):
            put_back(tmp_path / "backup", new)
        assert not new.root.exists()

    def test_one_that_is_refused_leaves_no_new_folder(self, tmp_path):
        bad = tar(tmp_path / "bad", [DB])
        there = DataFolder(tmp_path / "there")
        there.root.mkdir()
        for folder in (DataFolder(tmp_path / "new" / "data"), there):
            with pytest.raises(BadBackup):
                put_back(bad, folder)
        assert sorted(os.listdir(tmp_path)) == ["bad", "there"]

    def test_a_new_folder_that_somebody_else_uses_by_then_stays(self, tmp_path, monkeypatch):
        new = DataFolder(tmp_path / "new")

        def extract(self, into):
            (new.root / "theirs").write_text("dear")
            raise BadBackup("bad")

        monkeypatch.setattr(archive.Contents, "extract", extract)
        with pytest.raises(BadBackup):
            put_back(tar(tmp_path / "bad", [DB]), new)
        assert sorted(os.listdir(new.root)) == ["lock", "theirs"]

    def test_a_disk_within_the_folder_is_seen_before_anything_is_moved(self, folder, tmp_path, monkeypatch):
        back_up(folder, tmp_path / "backup")
        before = content(folder), files(folder.root)
        monkeypatch.setattr(os.path, "ismount", lambda path: path == folder.root / "secrets")
        with pytest.raises(RestoreRefused, match="secrets is a disk of its own"):
            put_back(tmp_path / "backup", folder, replace=True)
        assert (content(folder), files(folder.root)) == before
        folder.prepare()

    def test_a_folder_of_somebody_else(self, folder, tmp_path, monkeypatch):
        back_up(folder, tmp_path / "backup")
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
        with pytest.raises(RestoreRefused, match="sudo -u '#"):
            put_back(tmp_path / "backup", folder, replace=True)
        with pytest.raises(DataFolderError, match="sudo -u '#"):
            back_up(folder, tmp_path / "another")


class Cut(BaseException):
    pass


def _renaming(most):
    """So many times, and then no more."""
    real = restoring.Path.rename
    left = [most]

    def rename(self, target):
        if not left[0]:
            raise Cut
        left[0] -= 1
        return real(self, target)

    return rename


def tar(path, members, lines=None, about=None):
    """An archive as somebody else may make it: pairs of a member, or its name, and its bytes; then a list."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as made:
        listed = [] if lines is None else lines
        for member, data in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
            if lines is None:
                sum_ = archive.hashlib.sha256(data).hexdigest()
                listed.append({"name": info.name, "size": len(data), "sha256": sum_})
        head = about or {"format": 1, "program": "1", "madeAt": "2026-01-01T00:00:00Z"}
        text = b"".join(json.dumps(line).encode() + b"\n" for line in (head, *listed))
        info = tarfile.TarInfo(archive.LIST)
        info.size = len(text)
        made.addfile(info, io.BytesIO(text))
    return path


def link(name, to):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


def pipe(name):
    info = tarfile.TarInfo(name)
    info.type = tarfile.FIFOTYPE
    return info


DB = ("callwright.db", b"not a database")
DB_SUM = archive.hashlib.sha256(DB[1]).hexdigest()
BAD = {
    "out of the folder": ([DB, ("secrets/../../out", b"x")], None, "no backup has"),
    "from the root": ([DB, ("/tmp/out", b"x")], None, "no backup has"),
    "a file of another kind": ([DB, ("lock", b"x")], None, "no backup has"),
    "a folder's own name": ([DB, ("secrets", b"x")], None, "no backup has"),
    "a link": (
        [DB, (link("secrets/key", "/etc/passwd"), b"")],
        None,
        "is listed, secrets/key as a link is there",
    ),
    "a pipe": ([DB, (pipe("secrets/key"), b"")], None, "is listed, secrets/key, which is no file, is there"),
    "a file that is shorter than listed": (
        [DB, ("secrets/a", b"x")],
        [{"name": "callwright.db", "size": 14, "sha256": DB_SUM}, {"name": "secrets/a", "size": 2, "sha256": ""}],
        "secrets/a with 2 bytes is listed, secrets/a with 1 bytes is there",
    ),
    "listed, and another is there": (
        [DB, ("secrets/a", b"x")],
        [{"name": "callwright.db", "size": 14, "sha256": DB_SUM}, {"name": "secrets/b", "size": 1, "sha256": ""}],
        "secrets/b with 1 bytes is listed, secrets/a with 1 bytes is there",
    ),
    "not listed": (
        [DB, ("secrets/a", b"x")],
        [{"name": "callwright.db", "size": 14, "sha256": DB_SUM}],
        "its list does not have",
    ),
    "no database": ([("secrets/a", b"x")], None, "has no database"),
    "nothing": ([], None, "has no database"),
    "a database that is none": ([DB], None, r"The database in .*/file is damaged: NotADB"),
    "another sum": ([DB], [{"name": "callwright.db", "size": 14, "sha256": "0" * 64}], "damaged"),
    "twice": ([DB, DB], None, "exists|File"),
}


@pytest.mark.parametrize("which", BAD)
def test_a_file_that_was_made_to_do_harm_or_damaged(tmp_path, which):
    members, lines, why = BAD[which]
    file = tar(tmp_path / "file", members, lines)
    new = DataFolder(tmp_path / "new")
    with pytest.raises((BadBackup, DataFolderError, RestoreRefused), match=why):
        put_back(file, new)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("old", [b"secrets/key", b"madeAt"])
@pytest.mark.parametrize("bad", [b"\xff", b"\0"])
def test_a_list_that_is_no_text_any_more(folder, tmp_path, old, bad):
    file = tmp_path / "backup"
    back_up(folder, file)
    whole = file.read_bytes()
    at = whole.rindex(old)
    file.write_bytes(whole[:at] + bad + whole[at + 1 :])
    with pytest.raises(BadBackup):
        put_back(file, DataFolder(tmp_path / "new"))


def test_a_file_of_a_newer_program(tmp_path):
    about = {"format": 2, "program": "7.0", "madeAt": "2030-01-01T00:00:00Z", "more": 1}
    with pytest.raises(BadBackup, match=r"Callwright 7\.0.*Restore it with that version"):
        put_back(tar(tmp_path / "file", [DB], about=about), DataFolder(tmp_path / "new"))


def test_a_database_of_a_newer_program(folder, tmp_path):
    database = tmp_path / "newer.db"
    database.write_bytes(folder.database.read_bytes())
    connection = apsw.Connection(str(database))
    connection.execute("INSERT INTO migrations VALUES (9999, 'later', 'x')")
    connection.close()
    file = tar(tmp_path / "file", [("callwright.db", database.read_bytes())])
    with pytest.raises(BadBackup, match="9999"):
        put_back(file, DataFolder(tmp_path / "new"))


@pytest.mark.parametrize(
    ("made", "part"),
    [
        ("CREATE TRIGGER worm AFTER INSERT ON events BEGIN DELETE FROM calls; END", "trigger worm"),
        ("CREATE UNIQUE INDEX one_only ON calls (source) WHERE source = 'none'", "index one_only"),
        ("DROP TRIGGER calls_made; CREATE TRIGGER calls_made AFTER INSERT ON calls BEGIN SELECT 1; END", "trigger calls_made"),
    ],
)
def test_a_database_with_what_is_not_ours(folder, tmp_path, monkeypatch, made, part):
    connection = apsw.Connection(str(folder.database))
    connection.execute(made)
    connection.close()
    with pytest.raises(BackupFailed, match=f"has what Callwright did not make: the {part}\\. A backup with it would not be"):
        back_up(folder, tmp_path / "backup")
    monkeypatch.setattr(making, "_examine", lambda path, size: None)
    back_up(folder, tmp_path / "backup")
    new = DataFolder(tmp_path / "new")
    with pytest.raises(BadBackup, match=f"has what Callwright did not make: the {part}\\."):
        put_back(tmp_path / "backup", new)
    assert not new.database.exists()


def test_a_database_in_which_something_is_missing_is_restored_and_can_be_mended(folder, tmp_path):
    connection = apsw.Connection(str(folder.database))
    connection.execute("DROP INDEX calls_by_flow; CREATE TABLE lost_and_found (a)")
    connection.close()
    back_up(folder, tmp_path / "backup")
    put_back(tmp_path / "backup", DataFolder(tmp_path / "new"))
    assert fix(DataFolder(tmp_path / "new"), CLOCK).seen.endswith("made again: index calls_by_flow")


def test_no_end_that_is_missing_is_overlooked(folder, tmp_path):
    file, cut = tmp_path / "backup", tmp_path / "cut"
    back_up(folder, file)
    whole = file.read_bytes()
    ends = [0, 1, 511, 512, 513, 5000, len(whole) // 2, *(len(whole) - less for less in (1536, 1025, 1024, 1023, 512, 1))]
    for end in ends:
        cut.write_bytes(whole[:end])
        with pytest.raises(BadBackup):
            put_back(cut, DataFolder(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_file_that_was_cut_off_or_written_on_behind_its_list(folder, tmp_path):
    file, changed = tmp_path / "backup", tmp_path / "changed"
    back_up(folder, file)
    whole = file.read_bytes()
    changed.write_bytes(whole[:-3])
    with pytest.raises(BadBackup, match="cut off: the last 3 bytes are missing"):
        put_back(changed, DataFolder(tmp_path / "new"))
    for more in (b"x", b"\0" * 5000 + b"x"):
        changed.write_bytes(whole + more)
        with pytest.raises(BadBackup, match="something behind its end"):
            put_back(changed, DataFolder(tmp_path / "new"))
    changed.write_bytes(whole + b"\0" * 9000)  # as a tape or another program fills it up
    put_back(changed, DataFolder(tmp_path / "new"))


@pytest.mark.parametrize("what", [b"", b"\0" * 10_240, b"SQLite format 3\0" * 100, b"<html>" * 1000])
def test_a_file_that_is_something_else(tmp_path, what):
    (tmp_path / "file").write_bytes(what)
    with pytest.raises(BadBackup):
        put_back(tmp_path / "file", DataFolder(tmp_path / "new"))


def test_a_byte_that_changed_is_seen(folder, tmp_path):
    file = tmp_path / "backup"
    made = back_up(folder, file)
    with file.open("r+b") as changed:
        changed.seek(512 + made.database - 1)
        byte = changed.read(1)
        changed.seek(-1, os.SEEK_CUR)
        changed.write(bytes([byte[0] ^ 1]))
    with pytest.raises(BadBackup, match="damaged"):
        put_back(file, DataFolder(tmp_path / "new"))


def test_the_list_tells_when_it_was_made(folder, tmp_path):
    back_up(folder, tmp_path / "backup")
    with tarfile.open(tmp_path / "backup") as made:
        first = made.extractfile(archive.LIST).readline()
    about = msgspec.json.decode(first)
    assert (about["format"], about["program"]) == (1, "9.9")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(about["madeAt"])).total_seconds()) < 3600

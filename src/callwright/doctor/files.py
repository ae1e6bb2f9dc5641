"""The data folder as files: the disk it is on, who may read it, what a dead server left in it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from callwright.datafolder import DataFolder
from callwright.doctor.findings import Findings, fault, note, ok, size, some, warning
from callwright.doctor.scene import Scene
from callwright.settings.load import FILE_NAME

GIGABYTE = 1_000_000_000
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "afs", "lustre"})
FLEETING = frozenset({"tmpfs", "ramfs"})
OF_A_CONTAINER = frozenset({"overlay", "aufs"})
_GROWN_LOG = 256_000_000


def place(scene: Scene) -> Findings:
    root = scene.folder.root
    if root.exists() and not root.is_dir():
        yield fault("folder", f"{root} is not a folder", "Name another with --data, or move the file away.")
    elif not scene.folder.database.exists():
        yield warning(
            "folder",
            f"{root} holds no Callwright data",
            "If that is not the first start, name the right folder with --data or CALLWRIGHT_DATA.",
        )
    else:
        yield ok("folder", str(root.absolute()))


def recordings(scene: Scene) -> Findings:
    """The folder of recordings, where it is on a disk of its own."""
    folder = scene.folder.recordings
    if not folder.exists():
        return
    if not os.access(folder, os.W_OK) or os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield fault("disk.recordings", f"{folder} cannot be written to", "See to its owner, mode and mount.")
    elif folder.stat().st_dev != scene.there.stat().st_dev:
        found = scene.machine.disk(folder)
        seen = f"{size(found.free)} of {size(found.total)} free on the disk of the recordings"
        more = "Free some, or move the recordings to a larger disk; without space recordings fail."
        if found.free < 0.1 * GIGABYTE:
            yield fault("disk.recordings", seen, more)
        elif found.free < GIGABYTE:
            yield warning("disk.recordings", seen, more)
        else:
            yield ok("disk.recordings", seen)


def disk(scene: Scene) -> Findings:
    found = scene.machine.disk(scene.there)
    share = found.free / max(found.total, 1)
    seen = f"{size(found.free)} of {size(found.total)} free"
    more = "Free some, or move the data folder to a larger disk; without space no call is taken."
    if found.free < 0.1 * GIGABYTE:
        yield fault("disk.space", seen, more)
    elif found.free < GIGABYTE or share < 0.05:
        yield warning("disk.space", seen, more)
    else:
        yield ok("disk.space", seen)
    if found.inodes:
        seen = f"{found.free_inodes} of {found.inodes} inodes free"
        if found.free_inodes < max(1_000, found.inodes // 100):
            yield warning("disk.inodes", seen, "Remove what is old; without inodes no file can be made.")
        else:
            yield ok("disk.inodes", seen)
    yield from _kind(scene)
    log = Path(f"{scene.folder.database}-wal")
    if log.exists():
        length = log.stat().st_size
        if length > _GROWN_LOG:
            yield warning(
                "disk.log",
                f"{log.name} has grown to {size(length)}",
                "Something reads the database without an end: stop backup or shell programs that have it open.",
            )
        else:
            yield ok("disk.log", f"{log.name} has {size(length)}")


def _kind(scene: Scene) -> Findings:
    kind = scene.machine.file_system(scene.there)
    if kind is None:
        yield note("disk.kind", "the type of the file system cannot be learnt")
    elif kind in NETWORK:
        yield fault(
            "disk.kind",
            f"the data folder is on a network file system ({kind})",
            "Put it on a local disk: locks and the shared memory of the database do not work over a network.",
        )
    elif kind in FLEETING:
        yield warning(
            "disk.kind", f"the data folder is in memory ({kind})", "Put it on a disk; everything is gone with the next boot."
        )
    elif kind in OF_A_CONTAINER:
        yield warning(
            "disk.kind",
            f"the data folder is in the layer of a container ({kind})",
            "Mount a volume there; everything is gone with the container.",
        )
    else:
        yield ok("disk.kind", kind)


def modes(scene: Scene) -> Findings:
    """The folder is closed, or at least what is secret in it."""
    folder = scene.folder
    if not folder.root.is_dir():
        return
    closed = not _mode(folder.root) & 0o077
    wide = [private for private in (folder.secrets, folder.run) if private.exists() and _mode(private) & 0o077]
    try:
        secrets = sorted(folder.secrets.iterdir()) if folder.secrets.exists() else []
    except OSError as error:
        yield fault("files.modes", f"{folder.secrets} cannot be listed: {error.strerror}", "Run doctor as the server's user.")
        return
    wide += [one for one in secrets if _mode(one) & 0o077]
    if not closed:
        holding = [folder.database, Path(f"{folder.database}-wal")]
        if scene.settings.http.operator_token or any(trunk.password for trunk in scene.settings.trunks):
            holding.append(folder.root / FILE_NAME)
        wide += [one for one in holding if one.exists() and _mode(one) & 0o077]
    if wide:
        names = " ".join(str(one) for one in wide)
        yield fault(
            "files.modes",
            f"open to other users: {some([str(one) for one in wide])}",
            f"chmod go= {names} # they hold keys and passwords; change those that others may have read.",
        )
    elif not closed:
        yield note("files.modes", f"{folder.root} can be entered by other users; what is secret in it is closed")
    else:
        yield ok("files.modes", "open to their owner alone")


def owner(scene: Scene) -> Findings:
    """Everything belongs to the user the server runs as."""
    if not scene.folder.root.is_dir():
        return
    # The server makes its control socket, so the socket's owner is the server's user, whatever process ids mean here.
    made_by_server = scene.folder.root if scene.server is None else scene.folder.control_socket
    user = made_by_server.stat().st_uid
    others = [path.name for path in sorted(_kept(scene.folder)) if path.lstat().st_uid != user]
    who = f"uid {user}"
    if scene.folder.root.stat().st_uid != user:
        others.insert(0, ".")
    if others:
        yield fault(
            "files.owner",
            f"the server's user ({who}) does not own {some(others)}",
            f"chown -R {user} {scene.folder.root.absolute()}; then run commands as that user, not as root.",
        )
    elif scene.server is None and os.geteuid() not in (0, user):
        yield fault("files.owner", f"the folder belongs to {who}, not to you", "Run the server and doctor as that user.")
    else:
        yield ok("files.owner", f"all belongs to {who}")


def left_behind(scene: Scene) -> Findings:
    """Lock and control socket."""
    folder = scene.folder
    if scene.server is not None:
        yield ok("server.lock", f"held by the server, pid {scene.server.pid}")
        return
    if (holder := scene.holder) is not None:
        name, pid, seen = holder
        state = scene.machine.process_state(pid)
        stopped = {"T": "; it is stopped (SIGSTOP)", "D": "; it waits for the disk", "Z": "; it has ended"}.get(state or "", "")
        if not seen:
            yield fault(
                "server.lock",
                f"{name} (pid {pid}) may hold the folder, and does not answer{stopped}",
                "Which files it has open cannot be seen from here: run doctor as root before you end anything.",
            )
        elif name == "callwright serve":
            yield fault(
                "server.lock",
                f"{name} (pid {pid}) holds the folder and does not answer{stopped}",
                f"If it is not just starting: kill -CONT {pid}; else kill -KILL {pid}, and the service manager starts it anew.",
            )
        else:
            yield note("server.lock", f"{name} (pid {pid}) works on the folder", "Wait for it, then look again.")
        return
    killed = folder.lock_file.exists() and folder.lock_file.stat().st_size > 0
    if killed:
        yield note("server.lock", "left by a server that was killed", "Nothing to do: the next start takes it.")
    else:
        yield ok("server.lock", "free; no server runs on the folder")
    if folder.control_socket.exists():
        if not stat.S_ISSOCK(folder.control_socket.stat().st_mode):
            yield fault("server.socket", f"{folder.control_socket} is not a socket", "Remove it.")
        elif _listens(scene):
            yield fault(
                "server.socket",
                "something listens on the control socket without holding the lock",
                "The lock file was removed under a running server: stop that server, then start it again.",
            )
        elif killed:
            yield note("server.socket", "left by a server that was killed", "Nothing to do: the next start replaces it.")
        else:
            yield ok("server.socket", "nobody listens; the next start replaces it")


def _kept(folder: DataFolder) -> list[Path]:
    """What is there of all that a server keeps; the file system and its owner may have put more beside it."""
    suffixes = ("", "-wal", "-shm", "-journal")
    databases = [Path(f"{folder.database}{suffix}") for suffix in suffixes]
    folders = [folder.recordings, folder.sounds, folder.media_cache.parent, folder.secrets, folder.run]
    return [path for path in (folder.root / FILE_NAME, *databases, *folders, folder.lock_file) if os.path.lexists(path)]


def _listens(scene: Scene) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock, scene.folder.control_address() as address:
        knock.settimeout(1.0)
        try:
            knock.connect(address)
        except (BlockingIOError, TimeoutError):  # the first when more wait already than it may keep waiting
            return True
        except OSError:
            return False
        return True


def _mode(path: Path) -> int:
    return path.stat().st_mode

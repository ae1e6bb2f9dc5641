"""The process that listens: ``python -m callwright.speech.recognition.process --fd N --epoch N SETTINGS``.

The loop talks to the core; one thread listens. The core gives one file at a time, and kills this process when one takes
too long.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from callwright import log
from callwright.ipc import Link, LinkBroken
from callwright.speech.recognition import wire
from callwright.speech.recognition.settings import RecogniserSettings
from callwright.speech.recognition.whisper import Whisper
from callwright.telephony import TranscriptionFailed

_NICENESS = 15  # nobody waits on the telephone for it
_PR_SET_PDEATHSIG = 1

_log = log.Log("speech")


class Listener:
    """Listens to what the core gives."""

    link: Link  # set before anything is given

    def __init__(self, settings: RecogniserSettings) -> None:
        self._whisper = Whisper(settings)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recogniser")
        self._loop = asyncio.get_running_loop()

    def command(self, message: wire.Listen) -> None:
        future = self._loop.run_in_executor(self._thread, self._listen, message)
        future.add_done_callback(lambda done: self.link.send(done.result()))

    def _listen(self, message: wire.Listen) -> wire.RecogniserMessage:
        def listening(heard_ms: int) -> None:
            self._loop.call_soon_threadsafe(self.link.send, wire.Listening(message.id, heard_ms))

        try:
            heard = self._whisper.write_down(Path(message.path), message.language, listening)
        except TranscriptionFailed as error:
            return wire.NotHeard(message.id, str(error))
        except Exception as error:
            _log.exception("recogniser_fault")
            return wire.NotHeard(message.id, f"The recogniser has a fault ({type(error).__name__}); the log has the details.")
        return wire.Heard(message.id, heard.text, list(heard.words), heard.engine)


async def serve(link_socket: socket.socket, epoch: int, settings: RecogniserSettings) -> str:
    """Run until the core is gone; return why it is thought to be."""
    gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    listener = Listener(settings)
    listener.link = await Link.over(link_socket, wire.CoreMessage, epoch, listener.command, gone.set_result, pings=False)
    try:
        await listener.link.ready
    except LinkBroken as error:
        return str(error)
    return await gone


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="callwright.speech.recognition.process", description="Writes recordings down; started by the server."
    )
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the socket pair's end")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument(
        "settings", type=lambda text: msgspec.json.decode(text, type=RecogniserSettings), help="JSON of RecogniserSettings"
    )
    options = parser.parse_args(arguments)
    log.configure(options.settings.log_level)
    # A terminal's Ctrl-C and a service manager's SIGTERM go to the whole group; the core ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.umask(0o077)
    os.nice(_NICENESS)
    with socket.socket(fileno=options.fd) as link_socket:
        why = asyncio.run(serve(link_socket, options.epoch, options.settings))
    _log.debug("recogniser_stopped", why=why)
    sys.stdout.flush()
    # A thread deep in a model would be waited for.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

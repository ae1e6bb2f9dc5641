"""The process that runs one engine: ``python -m callwright.speech.process --fd N --epoch N SETTINGS``.

The loop talks to the core; one thread speaks. The core gives one text at a time, and ends this process when one takes too long.
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
from typing import Any

import msgspec

from callwright import log
from callwright.ipc import Link, LinkBroken
from callwright.speech import wire
from callwright.speech.settings import VoiceSettings
from callwright.speech.voices.engine import CannotSpeak, Engine, EngineUnusable, load

_NICENESS = 5  # calls that are up go before sentences to come
_PR_SET_PDEATHSIG = 1

_log = log.Log("speech")


class Speaker:
    """Loads the engine, then speaks what the core gives."""

    link: Link  # set before anything is started

    def __init__(self, settings: VoiceSettings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice")

    def start(self) -> None:
        self._hand_over(self._load)

    def command(self, message: wire.Render) -> None:
        self._hand_over(self._speak, message)

    def _hand_over(self, work: Any, *arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, work, *arguments)
        future.add_done_callback(lambda done: self.link.send(done.result()))

    def _load(self) -> wire.SpeechMessage:
        try:
            self._engine = load(self._settings)
        except EngineUnusable as error:
            _log.error("engine_unusable", engine=self._settings.engine, detail=str(error))
            return wire.Unusable(str(error))
        return wire.Ready()

    def _speak(self, request: wire.Render) -> wire.SpeechMessage:
        from callwright.speech import sound, wavfile

        if self._engine is None:
            return wire.Failed(request.id, "the engine is not loaded")
        try:
            content = sound.render(*self._engine.speak(request.text, request.voice))
            if content is None:
                return wire.Failed(request.id, "no sound came of it")
            wavfile.write(Path(request.path), content)
        except CannotSpeak as error:
            return wire.Failed(request.id, str(error))
        except OSError as error:
            return wire.Failed(request.id, f"the file cannot be written: {error.strerror}")
        except Exception as error:  # its message may hold the text
            return wire.Failed(request.id, f"a fault ({type(error).__name__})")
        return wire.Rendered(request.id, len(content))


async def serve(link_socket: socket.socket, epoch: int, settings: VoiceSettings) -> str:
    """Run until the core is gone; return why it is thought to be."""
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[str] = loop.create_future()
    speaker = Speaker(settings)
    speaker.link = await Link.over(link_socket, wire.CoreMessage, epoch, speaker.command, gone.set_result, pings=False)
    try:
        await speaker.link.ready
    except LinkBroken as error:
        return str(error)
    speaker.start()
    return await gone


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="callwright.speech.process", description="Speaks texts; started by the server.")
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the socket pair's end")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument(
        "settings", type=lambda text: msgspec.json.decode(text, type=VoiceSettings), help="JSON of VoiceSettings"
    )
    options = parser.parse_args(arguments)
    log.configure(options.settings.log_level)
    # A terminal's Ctrl-C and a service manager's SIGTERM go to the whole group; calls speak until the core has drained.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.umask(0o077)
    os.nice(_NICENESS)
    with socket.socket(fileno=options.fd) as link_socket:
        why = asyncio.run(serve(link_socket, options.epoch, options.settings))
    _log.debug("speech_stopped", engine=options.settings.engine, why=why)
    sys.stdout.flush()
    # A thread deep in an engine would be waited for.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Speech for detectors: text read by Pico and by eSpeak NG in several voices, cut down to what a telephone lets through."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import py_nanotts
import soxr

RATE = 8000
_BAND_HZ = (250, 3400)

_TEXTS = {
    "en": "Thank you for calling. All our people are busy at the moment; you are number four in the line. Please hold, or leave"
    " your name and your number, and somebody will call you back this afternoon. The weather in the mountains stays fine"
    " until Sunday evening, when strong wind and a little rain will come in from the sea. Have you seen the old blue kite"
    " that we used to fly over the meadow behind the mill? Eight hundred and sixty five, two thousand and twelve.",
    "de": "Guten Tag und herzlich willkommen. Leider ist im Augenblick niemand da. Bitte hinterlassen Sie eine Nachricht nach"
    " dem Ton, wir rufen Sie so bald wie möglich zurück. Über den sieben Brücken liegt im Morgenlicht ein leichter Nebel,"
    " und die Kühe auf der Wiese schauen müde zu den Wanderern hinüber. Fünfundzwanzig, dreihundertneunundsechzig.",
    "fr": "Bonjour, vous êtes bien chez nous. Nous ne pouvons pas vous répondre pour le moment. Laissez un message après le bip"
    " sonore, et nous vous rappellerons dès que possible. Le petit chat noir dort sous la vieille table de la cuisine,"
    " pendant que la pluie tombe doucement sur les toits de la ville. Quatre-vingt-dix-neuf, soixante et onze.",
    "es": "Buenos días. En este momento no podemos atenderle. Deje su mensaje después de la señal y le llamaremos lo antes"
    " posible. El río baja muy lleno este año, y los niños juegan en la orilla hasta la noche. Seiscientos veintidós.",
    "it": "Buongiorno. In questo momento non siamo in ufficio. Lasciate un messaggio dopo il segnale acustico e vi richiameremo"
    " appena possibile. La nonna prepara il pane ogni mattina, quando fuori è ancora buio. Settecentoquarantotto.",
}
_PICO = {"en": ("en-GB", "en-US"), "de": ("de-DE",), "fr": ("fr-FR",), "es": ("es-ES",), "it": ("it-IT",)}
_ESPEAK = {
    "en": ("en", "en+f2", "en+m3", "en+f5"), "de": ("de", "de+f3"), "fr": ("fr", "fr+f2"), "es": ("es+f4",), "it": ("it",),
}  # fmt: skip


@lru_cache(maxsize=1)
def talk() -> tuple[np.ndarray, ...]:
    """What each voice says, 16-bit samples at 8 kHz with the peak at -3 dBFS; together some minutes."""
    said = [
        _pico(language, voice, pitch) for language, voices in _PICO.items() for voice in voices for pitch in (0.7, 1.0, 1.4)
    ]
    for language, voices in _ESPEAK.items():
        for voice in voices:
            data = subprocess.run(
                [sys.executable, "-P", __file__, voice], input=_TEXTS[language].encode(), stdout=subprocess.PIPE, check=True
            ).stdout
            said.append(_telephone(np.frombuffer(data, "<i2"), 22_050))
    return tuple(said)


def a_talker() -> np.ndarray:
    """One of them alone, which is had much sooner."""
    return _pico("en", "en-GB", 1.0)


def _pico(language: str, voice: str, pitch: float) -> np.ndarray:
    return _telephone(np.frombuffer(py_nanotts.NanoTTS().speak(_TEXTS[language], voice=voice, pitch=pitch), "<i2"), 16_000)


def _telephone(samples: np.ndarray, rate: int) -> np.ndarray:
    sound = soxr.resample(samples.astype(np.float32), rate, RATE)
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    spectrum[(hz < _BAND_HZ[0]) | (hz > _BAND_HZ[1])] = 0
    sound = np.fft.irfft(spectrum, len(sound))
    return np.rint(sound * (23_000 / np.abs(sound).max())).astype(np.int16)


def _espeak(voice: str, text: bytes) -> bytes:
    """To be used by the child alone: eSpeak keeps its state in the process."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    assert library.espeak_Initialize(2, 0, str(Path(espeakng_loader.get_data_path())).encode(), 0) == 22_050
    said = bytearray()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def take(samples, count, _events):  # type: ignore[no-untyped-def]
        if count > 0:
            said.extend(ctypes.string_at(samples, 2 * count))
        return 0

    library.espeak_SetSynthCallback(take)
    assert library.espeak_SetVoiceByName(voice.encode()) == 0, voice
    library.espeak_Synth(text + b"\0", len(text) + 1, 0, 0, 0, 1, None, None)
    return bytes(said)


if __name__ == "__main__":
    sys.stdout.buffer.write(_espeak(sys.argv[1], sys.stdin.buffer.read()))

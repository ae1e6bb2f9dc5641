import warnings
import wave

import numpy as np
import pytest

from callwright.phone.sound import FRAME, Heard, Recording, Tone, decode, encode, measure

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

PCMU, PCMA = 0, 8
EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int16)
EVERY_CODE = bytes(range(256))


@pytest.mark.parametrize(("law", "reference"), [(PCMU, audioop.lin2ulaw), (PCMA, audioop.lin2alaw)])
def test_every_sample_is_encoded_as_the_reference_does(law, reference):
    assert encode(EVERY_SAMPLE, law) == reference(EVERY_SAMPLE.tobytes(), 2)


@pytest.mark.parametrize(("law", "reference"), [(PCMU, audioop.ulaw2lin), (PCMA, audioop.alaw2lin)])
def test_every_code_is_decoded_as_the_reference_does(law, reference):
    assert decode(EVERY_CODE, law).tobytes() == reference(EVERY_CODE, 2)


def sound(hz, level, seconds=0.2):
    tone = Tone(hz, level)
    return np.concatenate([tone.frame() for _ in range(round(seconds * 50))])


@pytest.mark.parametrize("law", [PCMU, PCMA])
@pytest.mark.parametrize(
    ("hz", "level"), [(300, -13), (425, -20), (440, -3), (620, -13), (1004.5, -10), (2713, -30), (3400, -13)]
)
def test_a_tone_through_the_law_is_measured(law, hz, level):
    heard = measure(decode(encode(sound(hz, level), law), law))
    assert heard.hz == pytest.approx(hz, abs=1.0)
    assert heard.level == pytest.approx(level, abs=0.3)
    assert heard.share > 0.98
    assert not heard.silence


def test_the_stronger_of_two_tones_is_named_and_its_share_is_its_energy():
    heard = measure(sound(440, -10) + sound(620, -16))
    assert heard.hz == pytest.approx(440, abs=1)
    assert heard.share == pytest.approx(0.8, abs=0.02)  # 6 dB apart: four parts in five


def test_noise_has_no_frequency():
    heard = measure(np.random.default_rng(1).normal(0, 3000, 1600).astype(np.int16))
    assert (heard.hz, heard.silence) == (None, False)
    assert heard.share < 0.2


@pytest.mark.parametrize(
    ("samples", "heard"),
    [
        # no packets at all
        (np.empty(0, np.int16), Heard(None, None, 0.0, True)),
        # less than a packet
        (np.full(FRAME - 1, 9000, np.int16), Heard(None, None, 0.0, True)),
        # packets of digital silence; a constant offset, as A-law makes of zeros, is silence too
        (np.zeros(1600, np.int16), Heard(None, -127.3, 0.0, True)),
        (np.full(1600, 8, np.int16), Heard(None, -127.3, 0.0, True)),
    ],
)
def test_silence(samples, heard):
    assert measure(samples) == heard


def test_a_tone_runs_on_over_frames_without_a_step():
    wave = sound(437.0, -6.0, 1.0)
    expected = 32767 * 10 ** (-6 / 20) * np.sin(2 * np.pi * 437.0 * np.arange(8000) / 8000)
    assert np.max(np.abs(wave - expected)) <= 0.5


def test_no_tone_is_silence_and_an_impossible_one_is_refused():
    assert not Tone().frame().any()
    for hz, level in ((4000, -13), (-1, -13), (440, 3)):
        with pytest.raises(ValueError, match="below 4000 Hz and at most 0 dBFS"):
            Tone(hz, level)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (Heard(620.0, -13.0, 0.9, False), Heard(624.0, -20.0, 0.6, False), True),
        (Heard(620.0, -13.0, 0.9, False), Heard(640.0, -13.0, 0.9, False), False),
        # a tone and noise, noise and silence, silence with packets and without
        (Heard(620.0, -13.0, 0.9, False), Heard(None, -13.0, 0.1, False), False),
        (Heard(None, -13.0, 0.1, False), Heard(), False),
        (Heard(level=-72.0), Heard(), True),
    ],
)
def test_sounds_that_resemble_each_other(one, other, alike):
    assert one.resembles(other) is other.resembles(one) is alike


def wav(path, samples, rate=8000, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return str(path)


def test_a_file_is_sent_frame_by_frame_and_filled_up(tmp_path):
    recording = Recording(wav(tmp_path / "short.wav", range(1, 201)))
    first, second = recording.frame(), recording.frame()
    assert first.tolist() == list(range(1, 161))
    assert second.tolist() == [*range(161, 201), *[0] * 120]
    assert recording.frame() is None


def test_only_what_a_telephone_can_say_is_sent(tmp_path):
    with pytest.raises(ValueError, match="16000 Hz, 16 bit, 2 channels"):
        Recording(wav(tmp_path / "wide.wav", [0] * 4, rate=16000, channels=2))

"""Sounds: reading, fitting and writing; errors for invalid files."""

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

import sinefield as sf
from sinefield.errors import InputError
from sinefield.signals.audio import from_waveform, read_audio, write_audio


def tone(rate=8000, seconds=0.5, pitch=440.0):
    return 0.8 * np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate)


def test_a_wav_is_read_as_scipy_reads_it(tmp_path):
    loud = (tone() * 32767).astype(np.int16)
    wavfile.write(tmp_path / "tone.wav", 8000, np.stack([loud, loud // 2], axis=1))
    signal = read_audio(tmp_path / "tone.wav")
    header = signal.header
    assert (header.kind, header.channels, header.shape) == ("audio", ("left", "right"), (4000,))
    assert np.array_equal(signal.values, np.stack([loud, loud // 2], axis=1) / np.float32(32768))
    assert header.domain.axes == ("t",)
    assert header.domain.units == ("s",)
    assert np.isclose(signal.at(np.array([2000]))[0][0, 0], 0.25)  # the first sample is at 0 s, number 2,000 at ¼ s
    assert header.high == (pytest.approx(abs(signal.values).max()),) * 2
    assert header.low == tuple(-high for high in header.high)


@pytest.mark.parametrize(
    ("suffix", "error"), [("wav", 1e-4), ("flac", 1e-4), ("aiff", 1e-4), ("ogg", 0.1), ("mp3", 0.1)]
)
def test_written_files_are_read_back(tmp_path, suffix, error):
    signal = from_waveform(np.stack([tone(16000), tone(16000, pitch=300)], axis=1).astype(np.float32), 16000)
    path = tmp_path / f"sound.{suffix}"
    write_audio(path, iter(np.array_split(signal.values, 7)), 16000, signal.header)
    again = read_audio(path)
    assert again.header.channels == ("left", "right")
    assert again.header.step[0] == pytest.approx(1 / 16000)
    size = min(signal.size, again.size)
    assert size > 7000
    middle = slice(2000, 6000)
    assert np.abs(again.values[middle] - signal.values[middle]).max() < error


def test_mono_is_mono_and_more_channels_have_numbers():
    assert from_waveform(tone()[:, None], 8000).header == from_waveform(tone(), 8000).header
    assert from_waveform(tone(), 8000).header.channels == ()
    assert from_waveform(np.zeros((50, 3), np.float32), 8000).header.channels == ("c0", "c1", "c2")


def test_silence_can_be_fitted():
    field = sf.fit(from_waveform(np.zeros((300, 1), np.float32), 8000), width=16, depth=1, steps=20)
    assert np.abs(field.render()).max() < 0.1


def spectrum(sound):
    power = np.abs(np.fft.rfft(sound * np.blackman(len(sound))))
    return 20 * np.log10(power / power.max() + 1e-12)


def test_a_tone_is_the_same_tone_at_twice_the_rate():
    signal = from_waveform(tone().astype(np.float32)[:, None], 8000)
    field = sf.fit(signal, width=64, depth=1, steps=800)
    twice = field.render(rate=16000)
    level, frequency = spectrum(twice), np.fft.rfftfreq(len(twice), 1 / 16000)
    assert frequency[level.argmax()] == pytest.approx(440, abs=2)
    assert level[np.abs(frequency - 440) > 10].max() < -60


def test_the_derivative_of_a_sound_is_per_second():
    field = sf.fit(from_waveform(tone(seconds=0.1).astype(np.float32)[:, None], 8000), width=32, depth=1, steps=300)
    slope = field.render(quantity="dt")
    t = np.arange(800) / 8000
    exact = 0.8 * 2 * np.pi * 440 * np.cos(2 * np.pi * 440 * t)
    assert np.abs(slope - exact)[50:-50].max() < 0.1 * exact.max()


def test_a_crop_is_in_seconds():
    signal = from_waveform(np.arange(1000, dtype=np.float32)[:, None], 100)
    part = sf.signals.crop(signal, [(1.5, 3)])
    assert part.samples.tolist() == list(range(150, 300))
    assert part.at(np.array([0]))[0][0, 0] == pytest.approx(1.5)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all", bytes(1000)])
def test_files_that_are_no_sounds_are_refused(tmp_path, content):
    path = tmp_path / "sound.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"sound\.wav (is empty|holds no sound)"):
        read_audio(path)


def test_a_sound_without_samples_or_with_nan_is_refused(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(InputError, match="holds no samples"):
        read_audio(tmp_path / "none.wav")
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan, 0.2]), 8000, subtype="FLOAT")
    with pytest.raises(InputError, match="1 NaN or infinite of 3 values, the first at index \\(1, 0\\)"):
        read_audio(tmp_path / "nan.wav")
    with pytest.raises(InputError, match="does not exist"):
        read_audio(tmp_path / "nothing.wav")


def test_a_rate_that_a_format_cannot_hold_is_an_error_without_a_file(tmp_path):
    signal = from_waveform(tone().astype(np.float32)[:, None], 8000)
    with pytest.raises(InputError, match=r"12,345 samples a second in 1 channels .* try \.wav"):
        write_audio(tmp_path / "sound.mp3", iter([signal.values]), 12345, signal.header)
    assert not list(tmp_path.iterdir())


def test_a_truncated_sound_is_read_up_to_the_end_of_its_data(tmp_path):
    path = tmp_path / "cut.wav"
    soundfile.write(path, tone(), 8000)
    path.write_bytes(path.read_bytes()[:2044])
    with pytest.warns(UserWarning, match="cut short; its first 1,000 samples are used"):
        assert read_audio(path).size == 1000

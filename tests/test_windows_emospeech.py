"""Windows of a long recording: nothing lost, nothing twice but the overlap, however the sound comes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emospeech_hf.audio_emospeech import AudioError
from emospeech_hf.windows_emospeech import WindowCutter, cut_windows

from .conftest import tone


RATE = 100


def spans(samples: int, window: float, overlap: float) -> list[tuple[float, float]]:
    waveform = np.ones(samples, np.float32)
    return [(each.start, each.end) for each in cut_windows(waveform, RATE, window, overlap)]


@pytest.mark.parametrize(
    ("samples", "window", "overlap", "expected"),
    [
        (1000, 4.0, 1.0, [(0, 4), (3, 7), (6, 10)]),
        (1050, 4.0, 1.0, [(0, 4), (3, 7), (6, 10), (6.5, 10.5)]),
        (400, 4.0, 0.0, [(0, 4)]),
        (401, 4.0, 0.0, [(0, 4), (0.01, 4.01)]),
        (30, 4.0, 1.0, [(0, 0.3)]),
        (1, 4.0, 1.0, [(0, 0.01)]),
    ],
)
def test_spans(samples: int, window: float, overlap: float, expected: list[tuple[float, float]]) -> None:
    np.testing.assert_allclose(spans(samples, window, overlap), expected)


@pytest.mark.parametrize("size", [1, 7, 130, 399, 5000])
def test_chunks_of_any_size_give_the_same_windows(size: int) -> None:
    waveform = np.random.default_rng(0).normal(size=1234).astype(np.float32)
    whole = list(cut_windows(waveform, RATE, 4.0, 1.5))
    chunks = (waveform[start : start + size] for start in range(0, len(waveform), size))
    found = list(cut_windows(chunks, RATE, 4.0, 1.5))
    assert [(each.start, each.end) for each in found] == [(each.start, each.end) for each in whole]
    for one, other in zip(found, whole):
        np.testing.assert_array_equal(one.waveform, other.waveform)
        np.testing.assert_array_equal(one.waveform, waveform[round(one.start * RATE) : round(one.end * RATE)])


def test_a_window_comes_as_soon_as_it_is_full() -> None:
    cutter = WindowCutter(RATE, 2.0, 1.0)
    assert not list(cutter.push(np.zeros(199, np.float32)))
    assert [each.end for each in cutter.push(np.zeros(1, np.float32))] == [2.0]
    assert not list(cutter.finish())


def test_little_is_held_of_a_long_recording() -> None:
    cutter = WindowCutter(RATE, 2.0, 1.0)
    for _ in range(1000):
        list(cutter.push(np.zeros(150, np.float32)))
        assert len(cutter.held) <= 2 * cutter.length + 150


def test_file_is_read_piece_by_piece(tmp_path: Path) -> None:
    samples = tone(25.0, 8_000).astype(np.float32)
    soundfile.write(tmp_path / "long.flac", samples, 8_000)
    from_file = list(cut_windows(tmp_path / "long.flac"))
    decoded, _ = soundfile.read(tmp_path / "long.flac", dtype="float32")
    from_memory = list(cut_windows(decoded, 8_000))
    assert len(from_file) == len(from_memory) == 4
    for one, other in zip(from_file, from_memory):
        np.testing.assert_array_equal(one.waveform, other.waveform)


def test_channels(tmp_path: Path) -> None:
    left = tone(3.0, 8_000).astype(np.float32)
    both = np.stack([left, np.zeros_like(left)], axis=1)
    soundfile.write(tmp_path / "call.wav", both, 8_000, subtype="FLOAT")
    mixed = list(cut_windows(tmp_path / "call.wav", window=2.0, overlap=0.0))
    assert [each.channel for each in mixed] == [0, 0]
    np.testing.assert_allclose(mixed[0].waveform, left[:16_000] / 2)
    apart = list(cut_windows(tmp_path / "call.wav", window=2.0, overlap=0.0, separate_channels=True))
    assert [(each.channel, each.is_silent) for each in apart] == [(0, False), (1, True), (0, False), (1, True)]


def test_silence() -> None:
    (silent,) = cut_windows(np.full(800, 1e-4, np.float32), 100)
    assert silent.is_silent
    word = np.zeros(800, np.float32)
    word[300:305] = 0.1
    (spoken,) = cut_windows(word, 100)
    assert not spoken.is_silent


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`overlap` is 8"):
        list(cut_windows(np.zeros(10), RATE, 8.0, 8.0))
    bad = np.zeros(1000, np.float32)
    bad[250] = np.nan
    soundfile.write(tmp_path / "nan.wav", bad, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"2\.50 s is NaN"):
        list(cut_windows(tmp_path / "nan.wav"))
    with pytest.raises(AudioError, match="give `sampling_rate`"):
        list(cut_windows(iter([np.zeros(10)])))
    with pytest.raises(AudioError, match="no samples"):
        list(cut_windows(iter([]), RATE))
    with pytest.raises(AudioError, match="2 channels came after"):
        list(cut_windows(iter([np.zeros(10), np.zeros((2, 10))]), RATE, separate_channels=True))
    with pytest.raises(AudioError, match="no such audio file"):
        list(cut_windows("no.wav"))
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(AudioError, match=r"text\.wav: cannot be decoded"):
        list(cut_windows(tmp_path / "text.wav"))

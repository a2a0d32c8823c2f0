"""Decoding: every way to give audio, and every way in which it can be bad."""

from __future__ import annotations

import io
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch

from emospeech_hf import AudioError
from emospeech_hf.audio_emospeech import as_batch, decode_audio, resample_audio

from .conftest import tone


def test_every_kind_of_input_gives_the_same_waveform(wav: Path) -> None:
    expected, rate = soundfile.read(wav, dtype="float32")
    content = wav.read_bytes()
    kinds = {
        "path": str(wav),
        "Path": wav,
        "bytes": content,
        "file object": io.BytesIO(content),
        "array": {"array": expected, "sampling_rate": rate},
        "raw": {"raw": expected, "sampling_rate": rate},
        "pair": (expected, rate),
        "tensor": {"array": torch.from_numpy(expected), "sampling_rate": rate},
        "int16": {"array": np.round(expected * 32768).astype(np.int16), "sampling_rate": rate},
        "uint16": {"array": np.round(expected * 32768 + 32768).astype(np.uint16), "sampling_rate": rate},
        "datasets bytes": {"bytes": content, "path": "utterance.wav"},
        "datasets path": {"bytes": None, "path": str(wav)},
    }
    for kind, audio in kinds.items():
        waveform, found = decode_audio(audio)
        assert found == rate, kind
        assert waveform.dtype == np.float32, kind
        np.testing.assert_allclose(waveform, expected, atol=2e-7, err_msg=kind)


def test_audio_decoder_of_datasets() -> None:
    class Samples:
        data = torch.ones(2, 100)
        sample_rate = 8000

    class Decoder:
        def get_all_samples(self) -> Samples:
            return Samples()

    waveform, rate = decode_audio(Decoder())
    assert (waveform.shape, rate) == ((100,), 8000)


def test_channels_are_averaged_in_either_order() -> None:
    stereo = tone(0.1, 8000, channels=2)
    for samples in (stereo, stereo.T):
        waveform, _ = decode_audio({"array": samples, "sampling_rate": 8000})
        np.testing.assert_allclose(waveform, stereo.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000, 96_000])
def test_resampling_equals_librosa(rate: int) -> None:
    waveform = tone(0.3, rate).astype(np.float32)
    expected = librosa.resample(waveform, orig_sr=rate, target_sr=22_050)
    found = resample_audio(waveform, rate, 22_050)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_list_of_numbers_is_one_recording() -> None:
    assert len(as_batch([0.1, 0.2])) == 1
    assert len(as_batch(["a.wav", "b.wav"])) == 2
    assert as_batch([]) == []


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ("nowhere.wav", "no such audio file"),
        ("https://example.org/a.wav", "not fetched"),
        (b"this is no audio", "cannot be decoded"),
        (np.zeros(10), "sampling rate"),
        ({"array": np.zeros(10), "sampling_rate": 0}, "impossible"),
        ({"array": np.zeros(10), "sampling_rate": -8000}, "impossible"),
        ({"array": np.zeros(10), "sampling_rate": "8000"}, "impossible"),
        ({"array": np.zeros(0), "sampling_rate": 8000}, "no samples"),
        ({"array": np.array([0.0, np.nan]), "sampling_rate": 8000}, "NaN"),
        ({"array": np.array([0.0, np.inf]), "sampling_rate": 8000}, "infinite"),
        ({"array": np.zeros((2, 2, 2)), "sampling_rate": 8000}, "3 dimensions"),
        ({"array": ["a"], "sampling_rate": 8000}, "numbers"),
        ({"array": np.zeros(10, complex), "sampling_rate": 8000}, "not complex128"),
        ({"array": np.zeros(10, np.int64), "sampling_rate": 8000}, "not int64"),
        ({"array": 20_000.0 * tone(0.1, 8000), "sampling_rate": 8000}, "full scale is 1.*as integers"),
        ({"sound": 1}, "keys"),
    ],
)
def test_bad_audio_is_named(audio: object, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        decode_audio(audio)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "video.mp3"
    path.write_bytes(b"\x00\x01" * 500)
    with pytest.raises(AudioError, match=r"video\.mp3.*WAV, FLAC, OGG or MP3"):
        decode_audio(path)

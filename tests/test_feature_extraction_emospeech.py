"""MFCC means equal librosa's; the wrapped speech extractor gets what it wants."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from transformers import WhisperFeatureExtractor

from emospeech_hf import EmoSpeechFeatureExtractor, feature_extraction_emospeech

from .conftest import tone


def librosa_means(path: Path, num_mfcc: int = 128, num_mel_bins: int = 128) -> np.ndarray:
    """The definition (paper, Task 2)."""
    samples, rate = librosa.load(path, sr=22_050)
    return librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=num_mfcc, n_mels=num_mel_bins).mean(axis=1)


def rates_of(suffix: str) -> list[int]:
    # MP3 knows no rates above 48 kHz.
    return [8000, 16_000, 22_050, 44_100, 48_000] + ([] if suffix == "mp3" else [96_000])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_means_equal_librosa(tmp_path: Path, suffix: str, channels: int) -> None:
    extractor = EmoSpeechFeatureExtractor()
    paths = []
    for rate in rates_of(suffix):
        paths.append(tmp_path / f"{rate}.{suffix}")
        soundfile.write(paths[-1], tone(0.9, rate, channels=channels), rate)
    many = extractor(paths, return_tensors="np")["mfcc_means"]
    assert many.shape == (len(paths), 128)
    assert many.dtype == np.float32
    for row, path in zip(many, paths):
        expected = librosa_means(path)
        assert np.abs(expected).max() > 100  # so that the tolerance means something
        np.testing.assert_allclose(row, expected, atol=1e-3, err_msg=path.name)
        np.testing.assert_array_equal(extractor(path, return_tensors="np")["mfcc_means"][0], row)


@pytest.mark.parametrize(("num_mfcc", "num_mel_bins"), [(13, 128), (56, 128), (256, 256)])
def test_other_numbers_of_coefficients(wav: Path, num_mfcc: int, num_mel_bins: int) -> None:
    extractor = EmoSpeechFeatureExtractor(num_mfcc=num_mfcc, num_mel_bins=num_mel_bins)
    found = extractor.mfcc_means(wav)[0]
    np.testing.assert_allclose(found, librosa_means(wav, num_mfcc, num_mel_bins), atol=1e-3)


def test_frames_equal_librosa(wav: Path) -> None:
    expected = librosa.feature.mfcc(y=librosa.load(wav, sr=22_050)[0], sr=22_050, n_mfcc=128).T
    extractor = EmoSpeechFeatureExtractor(mfcc_pooling="none")
    found = extractor.mfcc_frames(str(wav))[0]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-3)
    features = extractor([str(wav), {"array": np.zeros(22_050, np.float32), "sampling_rate": 22_050}])
    assert np.array_equal(features["mfcc_frames"][0][: len(found)], found)
    assert features["mfcc_mask"].sum(axis=1).tolist() == [len(found), 44]
    with pytest.raises(ValueError, match="`mfcc_pooling` is 'max'"):
        EmoSpeechFeatureExtractor(mfcc_pooling="max")


def test_blocks_do_not_show(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = EmoSpeechFeatureExtractor()
    whole = extractor.mfcc_means(wav)
    monkeypatch.setattr(feature_extraction_emospeech, "FRAMES_PER_BLOCK", 7)
    np.testing.assert_allclose(extractor.mfcc_means(wav), whole, atol=1e-4)


@pytest.mark.parametrize("samples", [1, 100, 1024, 2047])
def test_shorter_than_a_window(samples: int, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, tone(1, 22_050)[:samples], 22_050, subtype="FLOAT")
    np.testing.assert_allclose(EmoSpeechFeatureExtractor().mfcc_means(path)[0], librosa_means(path), atol=1e-3)


def test_silence_is_finite() -> None:
    means = EmoSpeechFeatureExtractor().mfcc_means({"array": np.zeros(22_050), "sampling_rate": 22_050})
    assert np.isfinite(means).all()
    np.testing.assert_allclose(means[0, 1:], 0, atol=1e-4)


def test_more_coefficients_than_bands() -> None:
    with pytest.raises(ValueError, match="raise `num_mel_bins` to 256"):
        EmoSpeechFeatureExtractor(num_mfcc=256)


def test_save_and_load(tmp_path: Path, wav: Path) -> None:
    extractor = EmoSpeechFeatureExtractor(num_mfcc=20, speech_extractor=WhisperFeatureExtractor())
    extractor.save_pretrained(tmp_path)
    loaded = EmoSpeechFeatureExtractor.from_pretrained(tmp_path)
    assert loaded.to_dict() == extractor.to_dict()
    before, after = extractor(wav, return_tensors="np"), loaded(wav, return_tensors="np")
    assert list(before) == ["mfcc_means", "input_features", "speech_attention_mask"] == loaded.model_input_names
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_using_it_does_not_change_what_is_saved(wav: Path) -> None:
    extractor = EmoSpeechFeatureExtractor()
    before = extractor.to_json_string()
    extractor(wav)
    assert extractor.to_json_string() == before


def test_speech_extractor_gets_its_own_rate(wav: Path) -> None:
    extractor = EmoSpeechFeatureExtractor(num_mfcc=0, speech_extractor=WhisperFeatureExtractor())
    inputs = extractor([wav, {"array": tone(1.6, 48_000), "sampling_rate": 48_000}], return_tensors="pt")
    assert inputs["input_features"].shape == (2, 80, 160)
    assert inputs["speech_attention_mask"].sum(dim=1).tolist() == [80, 160]


def test_unknown_speech_extractor() -> None:
    with pytest.raises(ValueError, match="NoSuchExtractor"):
        EmoSpeechFeatureExtractor(speech_extractor={"feature_extractor_type": "NoSuchExtractor"})

"""Augmentation: each change does to the signal what it says, is drawn from PyTorch's generator, and can be left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emospeech_hf import EmoSpeechFeatureExtractor, EmoSpeechProcessor
from emospeech_hf.data import AudioAugmentation, EmotionCollator
from emospeech_hf.data.augmentation import add_noise, change_speed, reverberate
from emospeech_hf.training.building import build_augmentation
from emospeech_hf.training.recipe import TrainingRecipe

from ..conftest import tone


RATE = 16_000


def voice(seconds: float = 1.0, pitch: float = 220.0) -> torch.Tensor:
    return torch.from_numpy(tone(seconds, RATE, pitch=pitch)).float()


def loudest_frequency(waveform: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(waveform).abs()
    return float(torch.fft.rfftfreq(len(waveform), 1 / RATE)[spectrum.argmax()])


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_speed_moves_length_and_pitch(factor: float) -> None:
    changed = change_speed(voice(), RATE, factor)
    assert len(changed) == pytest.approx(RATE / factor, rel=0.01)
    assert loudest_frequency(changed) == pytest.approx(loudest_frequency(voice()) * factor, rel=0.02)


@pytest.mark.parametrize("snr", [0.0, 10.0, 30.0])
def test_noise_has_the_ratio_that_is_asked_for(snr: float) -> None:
    torch.manual_seed(0)
    clean = voice()
    noise = add_noise(clean, snr) - clean
    assert 10 * float(torch.log10(clean.square().sum() / noise.square().sum())) == pytest.approx(snr, abs=0.2)
    assert not add_noise(torch.zeros(100), snr).any()


def test_a_room_is_heard_behind_the_sound() -> None:
    torch.manual_seed(0)
    click = torch.zeros(RATE)
    click[100] = 1.0
    wet = reverberate(click, RATE, 0.4)
    assert len(wet) == RATE
    assert float(wet.norm()) == pytest.approx(1.0, rel=1e-4)
    assert not wet[:100].abs().max() > 1e-4
    # Energy in steps of 100 ms: it falls by 15 dB in each, 60 in all.
    energy = [10 * float(torch.log10(part.square().sum())) for part in wet[101:].split(RATE // 10)[:4]]
    assert np.diff(energy) == pytest.approx([-15] * 3, abs=2)


def test_a_crop_is_a_piece_of_the_recording() -> None:
    torch.manual_seed(0)
    augmentation = AudioAugmentation(crop_seconds=0.25)
    ramp = torch.arange(RATE, dtype=torch.float32)
    starts = set()
    for _ in range(20):
        piece = augmentation.change_waveform(ramp, RATE)
        assert len(piece) == RATE // 4
        assert (piece.diff() == 1).all()
        starts.add(int(piece[0]))
    assert len(starts) > 15
    assert max(starts) <= RATE - RATE // 4
    assert torch.equal(augmentation.change_waveform(ramp[:1000], RATE), ramp[:1000])


def test_masks_cover_what_they_say() -> None:
    torch.manual_seed(0)
    features = torch.randn(50, 20, 100)
    mask = torch.ones(50, 100, dtype=torch.long)
    mask[0, 40:] = 0
    augmentation = AudioAugmentation(time_masking=0.3, frequency_masking=0.2)
    masked = augmentation.mask_features(features, mask)
    changed = masked != features
    frames, bands = changed.all(dim=1).sum(dim=1), changed.all(dim=2).sum(dim=1)
    assert int(frames.max()) <= 30
    assert int(bands.max()) <= 4
    assert frames.float().mean() == pytest.approx(15, abs=4)
    # Nothing is done behind a recording's end, and what is masked has the recording's mean.
    assert torch.equal(masked[0, :, 40:], features[0, :, 40:])
    assert masked[1][changed[1]].unique().tolist() == pytest.approx([float(features[1].mean())])
    assert torch.equal(AudioAugmentation().mask_features(features, mask), features)


@pytest.mark.parametrize(
    ("settings", "same_size"),
    [
        ({"speed_factors": [0.9, 1.1]}, False),
        ({"noise_snr": [5.0, 20.0]}, True),
        ({"reverberation": 1.0}, True),
        ({"crop_seconds": 0.3}, False),
        ({"time_masking": 0.4}, True),
        ({"frequency_masking": 0.4}, True),
    ],
)
def test_training_batches_alone_are_changed_and_by_seed(
    settings: dict[str, object], same_size: bool, whisper_config: object
) -> None:
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=whisper_config.num_mel_bins)  # type: ignore[attr-defined]
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=0, speech_extractor=extractor))
    examples = [{"audio": {"array": tone(0.8, 22_050), "sampling_rate": 22_050}, "label": n % 6} for n in range(6)]
    plain = EmotionCollator(processor)
    training = plain.augmented(0.0, 0.0, build_augmentation(TrainingRecipe(**settings)))  # type: ignore[arg-type]
    expected = plain(examples)["input_features"]
    torch.manual_seed(3)
    changed = training(examples)["input_features"]
    assert torch.equal(plain(examples)["input_features"], expected)
    assert (changed.shape == expected.shape) is same_size
    if same_size:
        assert not torch.equal(changed, expected)
    torch.manual_seed(3)
    assert torch.equal(training(examples)["input_features"], changed)
    assert not torch.equal(training(examples)["input_features"], changed)


def test_a_recipe_that_changes_nothing_has_no_augmentation() -> None:
    assert build_augmentation(TrainingRecipe()) is None

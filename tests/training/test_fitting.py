"""Standardisation is the training split's, and a fitted temperature makes scores that can be believed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from datasets import Dataset
from scipy.special import log_softmax, softmax
from transformers import BertConfig

from emospeech_hf import EmoSpeechConfig, EmoSpeechForEmotionClassification
from emospeech_hf.evaluation import calibration
from emospeech_hf.training import RunOptions, load_recipe, load_run, train
from emospeech_hf.training.feature_table import FeatureTable
from emospeech_hf.training.fitting import (
    best_temperature,
    center_speakers,
    fit_standardization,
    fit_temperature,
    fit_window,
)

from ..conftest import write_corpus


def draws(overconfidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from known scores, and logits that exaggerate them."""
    generator = np.random.default_rng(0)
    true_logits = generator.normal(0, 2, (4000, 6))
    labels = np.array([generator.choice(6, p=row) for row in softmax(true_logits, axis=1)])
    return labels, overconfidence * true_logits


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 3.0])
def test_temperature_undoes_what_exaggerates(overconfidence: float) -> None:
    labels, logits = draws(overconfidence)
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None, num_mfcc=4, fusion_dim=4))
    assert fit_temperature(model, labels, logits, [None] * len(labels))
    assert model.config.temperature == pytest.approx(overconfidence, rel=0.1)
    after = calibration(labels, softmax(logits / model.config.temperature, axis=1))
    assert after["expected_calibration_error"] < 0.03
    confidence = softmax(logits / model.config.temperature, axis=1).max(axis=1).mean()
    assert confidence == pytest.approx((logits.argmax(axis=1) == labels).mean(), abs=1e-3)


def test_one_odd_speaker_does_not_make_all_doubtful() -> None:
    """A tenth of the rows is told surely and wrongly; the others are as sure as they are right."""
    labels, logits = draws(1.0)
    odd = len(labels) // 10
    logits[:odd] = 8 * np.eye(6)[(labels[:odd] + 1) % 6]
    found = best_temperature(labels, logits)
    surprise = {
        temperature: -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()
        for temperature in (1.0, found, 2.0, 3.0)
    }
    assert surprise[2.0] < surprise[found]  # what makes the rows most likely doubts more
    errors = {
        temperature: calibration(labels, softmax(logits / temperature, axis=1))["expected_calibration_error"]
        for temperature in (found, 2.0, 3.0)
    }
    assert errors[found] == min(errors.values())


def test_the_ends_of_the_range() -> None:
    unsure = 1e-3 * np.eye(6)[[0, 1, 2, 3, 4, 5] * 20]
    assert best_temperature([0, 1, 2, 3, 4, 5] * 20, unsure) == pytest.approx(1 / 8)
    sure = 100 * np.eye(6)[[1, 2, 3, 4, 5, 0] * 20]
    assert best_temperature([0, 1, 2, 3, 4, 5] * 20, sure) == pytest.approx(8)


def test_few_rows_cannot_make_it_absurd() -> None:
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None, num_mfcc=4, fusion_dim=4))
    assert fit_temperature(model, [0], np.array([[1.0, 0, 0, 0, 0, 0]]), [None])
    # As sure as two of three right: exp(1 / t) is ten.
    assert model.config.temperature == pytest.approx(1 / np.log(10), rel=0.01)


def test_few_speakers_tell_how_sure_to_be_of_themselves_alone() -> None:
    labels, logits = draws(3.0)
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None, num_mfcc=4, fusion_dim=4))
    assert not fit_temperature(model, labels, logits, ["ana", "luis", "eva", "leo"] * 1000)
    assert model.config.temperature == 1.0
    assert fit_temperature(model, labels, logits, ["ana", "luis", "eva", "leo", "paz"] * 800)
    assert model.config.temperature != 1.0


def test_a_speech_only_run(speech_encoder_dir: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", speakers=6)
    settings = [
        "split=random",
        f"speech_encoder={speech_encoder_dir}",
        "speech_layers=[0, 1]",
        "speech_pooling=mean_std",
        "validation_fraction=0.5",
        "training.epochs=3",
        "trackers=[]",
    ]
    options = RunOptions(data=str(corpus), output_dir=tmp_path / "run")
    metrics = train(load_recipe("speech_only", settings), options)
    released = EmoSpeechForEmotionClassification.from_pretrained(tmp_path / "run/release")
    assert released.config.temperature == metrics["temperature"]["value"] != 1.0
    assert metrics["temperature"]["calibration_error_without"].keys() == {"validation"}
    fitted = released.emospeech.standardization["speech"]
    assert fitted.mean.shape == (2 * 2 * 16,)
    assert fitted.mean.abs().min() > 0
    again, _, _ = load_run(tmp_path / "run")
    assert again.config.temperature == released.config.temperature
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, released.state_dict()[name])
    history = json.loads((tmp_path / "run/metrics.json").read_text(encoding="utf-8"))["history"]
    assert history[-1]["loss"] < history[0]["loss"]


def test_l2_penalty_shrinks_the_weights(shared_corpus_dir: Path, speech_encoder_dir: Path, tmp_path: Path) -> None:
    norms = {}
    for penalty in (0.0, 10.0):
        settings = [
            f"speech_encoder={speech_encoder_dir}",
            "speech_layers=[1]",
            f"l2_penalty={penalty}",
            "learning_rate=1e-2",
            "training.epochs=20",
            "trackers=[]",
        ]
        options = RunOptions(
            data=str(shared_corpus_dir), output_dir=tmp_path / str(penalty), cache_dir=tmp_path / "cache"
        )
        train(load_recipe("speech_only", settings), options)
        model, _, _ = load_run(tmp_path / str(penalty))
        norms[penalty] = float(model.classifier[-1].weight.detach().norm())
    assert norms[10.0] < 0.5 * norms[0.0]


def test_centering_gives_each_training_speaker_a_mean_of_zero() -> None:
    generator = np.random.default_rng(0)
    means = generator.normal(5, 3, (12, 4)).astype(np.float32)
    table = FeatureTable(Dataset.from_dict({"label": [0] * 12, "mfcc_means": means}))
    model = EmoSpeechForEmotionClassification(
        EmoSpeechConfig(text_config=None, num_mfcc=4, standardize=True, fusion_dim=4)
    )
    fit_standardization(model, table)
    groups = ["ana"] * 5 + ["luis"] * 7
    center_speakers(model, table, groups)
    with torch.no_grad():
        embeddings = model.emospeech.get_speaker_embeddings(mfcc_means=torch.from_numpy(means)).numpy()
    for rows in (slice(0, 5), slice(5, 12)):
        shifted = embeddings[rows] - table.columns["speaker_shift"][rows]
        np.testing.assert_allclose(shifted.mean(axis=0), 0, atol=1e-5)
    assert table[0]["speaker_shift"].shape == (4,)
    with pytest.raises(ValueError, match="needs corpora that tell each row's speaker"):
        center_speakers(model, table, [None] * 12)


def test_rows_without_speech_take_no_part_in_its_mean() -> None:
    means = np.random.default_rng(0).normal(5, 3, (6, 4)).astype(np.float32)
    hears = np.array([True, True, True, False, True, False])
    columns = {"label": [0] * 6, "mfcc_means": means, "modality_mask": np.stack([hears, ~hears], axis=1)}
    table = FeatureTable(Dataset.from_dict(columns))
    table.columns["mfcc_means"][~hears] = 1000.0
    config = {"num_mfcc": 4, "standardize": ["mfcc"], "missing_modalities": True, "fusion": "late"}
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(**config))
    fit_standardization(model, table)
    np.testing.assert_allclose(
        model.emospeech.standardization["mfcc"].mean.detach(), means[hears].mean(axis=0), rtol=1e-5
    )
    center_speakers(model, table, ["ana", "ana", "luis", "luis", "luis", "eva"])
    shift = table.columns["speaker_shift"]
    expected = (means - means[hears].mean(axis=0)) / means[hears].std(axis=0)
    np.testing.assert_allclose(shift[2], expected[[2, 4]].mean(axis=0), atol=1e-5)
    assert (shift[5] == 0).all()


@pytest.mark.parametrize(("seconds", "expected"), [([0.5, 1.0, 9.0], 2.0), ([2.0, 2.4, 30.0], 4.0), ([20.0], 10.0)])
def test_windows_are_a_little_longer_than_the_training_recordings(
    seconds: list[float], expected: float, tmp_path: Path, text_config: BertConfig
) -> None:
    audio: list[dict[str, object] | None] = []
    for number, length in enumerate(seconds):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.zeros(round(length * 8000)), 8000)
        # As a path, and as bytes.
        audio.append({"path": str(path), "bytes": path.read_bytes() if number % 2 else None})
    train = Dataset.from_dict({"audio": [*audio, None]})
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None, num_mfcc=4))
    fit_window(model, train)
    assert model.config.window_seconds == expected
    reader = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=text_config, num_mfcc=0))
    fit_window(reader, train)
    assert reader.config.window_seconds is None

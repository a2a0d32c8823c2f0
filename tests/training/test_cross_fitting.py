"""Scores of the training split by models that never met its speakers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.data import EmotionCollator
from emospeech_hf.training import RecipeError, RunOptions, load_recipe, load_run, train
from emospeech_hf.training.cross_fitting import cross_fitted_logits
from emospeech_hf.training.feature_table import FeatureTable
from emospeech_hf.training.recipe import Recipe, TrainingRecipe

from ..conftest import write_corpus


@pytest.mark.parametrize("center", [False, True])
def test_a_row_is_scored_by_a_model_that_never_met_its_speaker(tmp_path: Path, center: bool) -> None:
    """Speaker and emotion are one here: who has met the speaker knows the answer, a stranger cannot."""
    groups = [f"s{row // 12}" for row in range(72)]
    labels = [row // 12 for row in range(72)]
    means = 10 * np.eye(6, dtype=np.float32)[labels]
    table = FeatureTable(Dataset.from_dict({"label": labels, "mfcc_means": means}))
    torch.manual_seed(0)
    model = EmoSpeechForEmotionClassification(
        EmoSpeechConfig(text_config=None, num_mfcc=6, standardize=True, fusion="none", classifier_dim=0)
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    training = TrainingRecipe(epochs=20, learning_rate=0.1, temperature_folds=6, keep="last", center_speakers=center)
    recipe = Recipe(training=training)
    collator = EmotionCollator(EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=6)))
    arguments = (Accelerator(cpu=True), model, collator, recipe, table, groups, tmp_path)
    logits = cross_fitted_logits(*arguments)
    assert logits.shape == (72, 6)
    assert np.mean(logits.argmax(axis=1) == labels) == 0
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name])
    np.testing.assert_array_equal(cross_fitted_logits(*arguments), logits)  # resumed: nothing is trained again
    assert "speaker_shift" not in table.columns


def test_a_run_without_validation_has_a_temperature(speech_encoder_dir: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", speakers=6)
    settings = [f"speech_encoder={speech_encoder_dir}", "speech_layers=[1]", "training.epochs=30", "trackers=[]"]
    options = RunOptions(data=str(corpus), output_dir=tmp_path / "run", cache_dir=tmp_path / "cache")
    recipe = load_recipe("speech_only", [*settings, "split=grouped"])
    metrics = train(recipe, options)
    released = json.loads((tmp_path / "run/release/config.json").read_text(encoding="utf-8"))
    assert released["temperature"] == metrics["temperature"]["value"] != 1.0
    weights, _, _ = load_run(tmp_path / "run")

    plain = RunOptions(data=str(corpus), output_dir=tmp_path / "plain", cache_dir=tmp_path / "cache")
    without = train(load_recipe("speech_only", [*settings, "split=grouped", "temperature_folds=0"]), plain)
    assert without["temperature"]["value"] == 1.0
    again, _, _ = load_run(tmp_path / "plain")
    for name, value in weights.state_dict().items():
        torch.testing.assert_close(value, again.state_dict()[name])


def test_few_speakers_are_left_without(speech_encoder_dir: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", speakers=4)
    settings = [f"speech_encoder={speech_encoder_dir}", "speech_layers=[1]", "training.epochs=1", "trackers=[]"]
    metrics = train(load_recipe("speech_only", settings), RunOptions(data=str(corpus), output_dir=tmp_path / "run"))
    assert metrics["temperature"]["value"] == 1.0
    assert not list((tmp_path / "run/checkpoints").glob("temperature-*"))


def test_one_fold_is_none() -> None:
    with pytest.raises(RecipeError, match="temperature_folds is 2 or more"):
        load_recipe("speech_only", ["temperature_folds=1"])

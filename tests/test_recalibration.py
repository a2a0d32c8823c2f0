"""A finished model's temperature from rows that it never met: told by speaker, kept with the release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from transformers import BertConfig, BertTokenizer, pipeline

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.cli import main
from emospeech_hf.configuration_emospeech import EMOTIONS
from emospeech_hf.evaluation import Predictions
from emospeech_hf.hub import build_release
from emospeech_hf.recalibration import calibrate_model, fit_to_predictions, recalibration_table
from emospeech_hf.training.fitting import best_temperature


@pytest.fixture
def release(tmp_path: Path, text_config: BertConfig, tokenizer: BertTokenizer) -> Path:
    torch.manual_seed(0)
    config = EmoSpeechConfig(text_config=text_config, num_mfcc=0, fusion="none", classifier_dim=0, temperature=2.0)
    model = EmoSpeechForEmotionClassification(config).eval()
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=0), tokenizer)
    return build_release(model, processor, tmp_path / "release", {"temperature": {"value": 2.0}}, None, "mit")


def write_predictions(path: Path, sharpness: float, speakers: int = 12, **changes: Any) -> Path:
    """Rows whose scores would be right, were they not raised to a power."""
    generator = np.random.default_rng(0)
    honest = generator.dirichlet(np.ones(6) * 0.7, 1200)
    truth = [int(generator.choice(6, p=row)) for row in honest]
    scores = honest**sharpness / (honest**sharpness).sum(axis=1, keepdims=True)
    parts: dict[str, Any] = {
        "names": list(EMOTIONS),
        "ids": [f"row {number}" for number in range(1200)],
        "references": truth,
        "predicted": scores.argmax(axis=1).tolist(),
        "scores": scores,
        "groups": [f"speaker {number % speakers}" for number in range(1200)],
        "genders": [None] * 1200,
    }
    Predictions(**{**parts, **changes}).save(path)
    return path


def test_scores_that_were_too_sure(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_predictions(tmp_path / "predictions.csv", sharpness=3.0)
    to = tmp_path / "calibrated"
    main(["calibrate", "--model", str(release), "--predictions", str(table), "--to", str(to)])
    out = capsys.readouterr().out
    assert "1200 rows of 12 speakers or videos\ntemperature 2.00 -> " in out

    metrics = json.loads((to / "metrics.json").read_text(encoding="utf-8"))
    found = metrics["recalibration"]
    # It had 2, and its scores were three times too sharp.
    assert found["temperature"] == pytest.approx(6.0, rel=0.1)
    errors = [found[name]["expected_calibration_error"] for name in ("before", "after")]
    assert errors[0] > 0.15
    assert errors[1] < found["after"]["by_chance"]["limit"]
    assert metrics["calibration"] == found["after"]
    card = (to / "README.md").read_text(encoding="utf-8")
    assert "Calibrated afterwards on 1200 other rows of 12 speakers or videos: the temperature went from 2.00" in card
    assert "license: mit" in card
    assert (to / "reliability.png").stat().st_size > 1000

    # The same emotions as before, less sure of them; as a stranger loads it.
    answers = [
        pipeline("audio-text-emotion", model=str(folder), trust_remote_code=True)({"text": "¡Qué alegría!"})
        for folder in (release, to)
    ]
    assert [entry["label"] for entry in answers[0]] == [entry["label"] for entry in answers[1]]
    assert answers[1][0]["score"] < answers[0][0]["score"]
    weights = [EmoSpeechForEmotionClassification.from_pretrained(folder).state_dict() for folder in (release, to)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_in_its_own_place_and_nothing_to_gain(release: Path, tmp_path: Path) -> None:
    found = calibrate_model(release, write_predictions(tmp_path / "predictions.csv", sharpness=1.0), release)
    assert found["temperature"] == pytest.approx(2.0, rel=0.05)
    config = json.loads((release / "config.json").read_text(encoding="utf-8"))
    assert config["temperature"] == found["temperature"]


def test_scores_of_one_and_zero(tmp_path: Path) -> None:
    # A score of zero says no more than that it is below what the file tells.
    classes = [number % 6 for number in range(1200)]
    table = write_predictions(tmp_path / "right.csv", 1.0, scores=np.eye(6)[classes], references=classes)
    found = fit_to_predictions(Predictions.load(table), EMOTIONS, 1.0)
    assert 0 < found["temperature"] <= 1
    assert found["after"]["expected_calibration_error"] < 1e-3


def test_no_other_temperature_does_better_on_other_speakers(tmp_path: Path) -> None:
    # Three speakers are told too surely and three not surely enough: those of one kind mislead about the others.
    told = Predictions.load(write_predictions(tmp_path / "predictions.csv", 1.0, speakers=6))
    assert told.scores is not None
    powers = np.array([2.0 if number % 2 else 0.5 for number in range(1200)])[:, None]
    logits = powers * np.log(told.scores + 1e-6)
    told.scores = softmax(logits / best_temperature(told.references, logits), axis=1)
    found = fit_to_predictions(told, EMOTIONS, 1.3)
    assert found["temperature"] == found["temperature_before"] == 1.3
    assert found["before"] == found["after"]
    assert "temperature 1.30 -> 1.30: no other does better on other rows" in recalibration_table(found)


def test_rows_that_cannot_tell(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (release / "config.json").read_bytes()
    few = write_predictions(tmp_path / "few.csv", 1.0, speakers=4)
    with pytest.raises(ValueError, match="fewer than 5 speakers or videos"):
        calibrate_model(release, few, release)
    without = write_predictions(tmp_path / "without.csv", 1.0, scores=None)
    with pytest.raises(ValueError, match="it must have a column of scores for each label of the model, anger, disgust"):
        calibrate_model(release, without, release)
    others = write_predictions(tmp_path / "others.csv", 1.0, names=["a", "b", "c", "d", "e", "f"])
    with pytest.raises(SystemExit, match="2"):
        main(["calibrate", "--model", str(release), "--predictions", str(others), "--to", str(release)])
    assert "others.csv: it must have a column of scores" in capsys.readouterr().err
    assert (release / "config.json").read_bytes() == before


def test_rows_in_another_order_of_labels(tmp_path: Path) -> None:
    told = Predictions.load(write_predictions(tmp_path / "straight.csv", 2.0))
    order = [3, 1, 5, 0, 2, 4]
    assert told.scores is not None
    Predictions(
        names=[told.names[number] for number in order],
        ids=told.ids,
        references=[order.index(number) for number in told.references],
        predicted=[order.index(number) for number in told.predicted],
        scores=told.scores[:, order],
        groups=told.groups,
        genders=told.genders,
    ).save(tmp_path / "turned.csv")
    turned = Predictions.load(tmp_path / "turned.csv")
    one, other = (fit_to_predictions(rows, EMOTIONS, 1.0) for rows in (told, turned))
    assert one["temperature"] == pytest.approx(other["temperature"], rel=1e-3)
    assert one["coverage"] == other["coverage"]

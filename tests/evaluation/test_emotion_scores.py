"""The `evaluate` module gives what `compute_metrics` gives, loaded by `evaluate` and imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evaluate
import pytest

import emospeech_hf
from emospeech_hf import EMOTIONS
from emospeech_hf.evaluation import compute_metrics
from emospeech_hf.evaluation.emotion_scores import EmotionScores


MODULE = Path(emospeech_hf.__file__).parent / "evaluation/emotion_scores"
REFERENCES = [0, 1, 2, 3, 4, 5, 0, 0]
PREDICTIONS = [0, 1, 2, 3, 4, 4, 1, 0]


@pytest.fixture(params=["loaded", "imported"])
def metric(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(evaluate.config, "HF_MODULES_CACHE", tmp_path / "modules")
    if request.param == "imported":
        return EmotionScores(cache_dir=str(tmp_path))
    return evaluate.load(str(MODULE), cache_dir=str(tmp_path))


@pytest.mark.parametrize("kind", ["numbers", "names"])
def test_scores(metric: Any, kind: str) -> None:
    expected = compute_metrics(REFERENCES, PREDICTIONS, EMOTIONS)
    references, predictions = (
        labels if kind == "numbers" else [EMOTIONS[label] for label in labels] for labels in (REFERENCES, PREDICTIONS)
    )
    found = metric.compute(predictions=predictions, references=references)
    assert found == expected


def test_in_batches(metric: Any) -> None:
    for start in range(0, 8, 4):
        metric.add_batch(predictions=PREDICTIONS[start : start + 4], references=REFERENCES[start : start + 4])
    assert metric.compute()["macro_f1"] == compute_metrics(REFERENCES, PREDICTIONS, EMOTIONS)["macro_f1"]


def test_groups(metric: Any) -> None:
    groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    found = metric.compute(predictions=PREDICTIONS, references=REFERENCES, groups=groups)
    assert found["macro_f1_interval"] == compute_metrics(REFERENCES, PREDICTIONS, EMOTIONS, groups)["macro_f1_interval"]


def test_bad_labels(metric: Any) -> None:
    with pytest.raises(ValueError, match="'rage' is none of the emotions"):
        metric.compute(predictions=["rage"], references=["anger"])

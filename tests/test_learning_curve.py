"""A learning curve trains on fewer speakers, tests on the same ones, and runs nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emospeech_hf.cli import main
from emospeech_hf.evaluation import Predictions
from emospeech_hf.learning_curve import learning_curve
from emospeech_hf.training import run as module


SETTINGS = [
    "text_encoder=", "training.epochs=2", "fusion_dim=8", "classifier_dim=8", "trackers=[]", "validation_fraction=0",
    "keep=last",
]  # fmt: skip


def test_fewer_speakers_to_train_on_and_the_same_ones_to_test_on(
    shared_corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "learning-curve", "--recipe", "task2", "--data", str(shared_corpus_dir), "--output", str(tmp_path),
        "--folds", "2", "--groups", "1", "--set", *SETTINGS,
    ]  # fmt: skip
    main(arguments)
    curve = json.loads((tmp_path / "learning_curve.json").read_text(encoding="utf-8"))
    assert [point["groups"] for point in curve["points"]] == [1, 2]
    few, many = (point["mean"] for point in curve["points"])
    assert curve["gain_per_doubling"] == pytest.approx(many - few)
    out = capsys.readouterr().out
    assert f"twice as many speakers or videos brought {many - few:+.3f}" in out
    assert (tmp_path / "learning_curve.png").stat().st_size > 1000

    for fold in (1, 2):
        parts = {}
        for name, rows in (("groups-1", 12), ("all", 24)):
            folder = tmp_path / name / "runs" / "seed-42" / f"fold-{fold}"
            split = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["split"]
            assert (split["rows"]["train"], split["groups"]["train"]) == (rows, rows // 12)
            parts[name] = Predictions.load(folder / "predictions.csv").ids
        assert parts["groups-1"] == parts["all"]
    # The features were computed once, for all runs.
    assert not list(tmp_path.glob("*/cache"))
    assert len(list((tmp_path / "cache").iterdir())) > 0

    monkeypatch.setattr(module, "train", lambda *_: pytest.fail("trained again"))
    main(arguments)
    assert json.loads((tmp_path / "learning_curve.json").read_text(encoding="utf-8")) == curve


def test_numbers_by_themselves_double_below_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def scored(*arguments: Any) -> dict[str, Any]:
        number = int(arguments[5][-1].removeprefix("training_groups="))
        asked.append(number)
        return {
            "mean": 0.1 * np.log2(number or 9),
            "mean_interval": [0.1, 0.9],
            "fold_macro_f1": [[0.5]],
            "minutes": 1.0,
            "recipe": {"name": "recipe"},
            "versions": {},
            "split": {"training_groups": [number or 9, number or 10]},
        }

    monkeypatch.setattr("emospeech_hf.learning_curve.cross_validate", scored)
    curve = learning_curve("recipe", "data", tmp_path)
    assert asked == [0, 2, 4, 8]
    assert [point["groups"] for point in curve["points"]] == [2, 4, 8, 9]
    assert curve["gain_per_doubling"] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="give numbers from 1 to 8"):
        learning_curve("recipe", "data", tmp_path, [3, 9])

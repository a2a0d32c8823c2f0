"""Cross-validation scores every row once, on folds that share no speaker, and goes on where it stopped."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emospeech_hf.cli import main
from emospeech_hf.cross_validation import cross_validate
from emospeech_hf.evaluation import Predictions
from emospeech_hf.training import run as module

from .conftest import write_corpus


SETTINGS = ["text_encoder=", "training.epochs=2", "fusion_dim=8", "classifier_dim=8", "trackers=[]"]


def test_every_row_once_and_nothing_twice(
    shared_corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*SETTINGS, "validation_fraction=0.25"]
    calls = []
    train = module.train

    def stopping(recipe: Any, options: Any) -> dict[str, Any]:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append((recipe.training.seed, recipe.data.fold))
        return train(recipe, options)

    monkeypatch.setattr(module, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        cross_validate("task2", str(shared_corpus_dir), tmp_path, folds=2, seeds=[1, 2], settings=settings)
    monkeypatch.setattr(module, "train", lambda *arguments: calls.append(None) or train(*arguments))
    metrics = cross_validate("task2", str(shared_corpus_dir), tmp_path, folds=2, seeds=[1, 2], settings=settings)
    assert calls == [(1, 1), (1, 2), (2, 1), None]

    together = Predictions.load(tmp_path / "predictions.csv")
    with (shared_corpus_dir / "train.csv").open(encoding="utf-8") as file:
        rows = {row["filename"]: row["speaker"] for row in csv.DictReader(file)}
    assert dict(zip(together.ids, together.groups)) == rows
    speakers = []
    for fold in (1, 2):
        run = json.loads((tmp_path / f"runs/seed-1/fold-{fold}/metrics.json").read_text(encoding="utf-8"))
        assert run["split"]["fold"] == fold
        assert run["split"]["leaks"] == {"validation": 0, "test": 0}
        part = Predictions.load(tmp_path / f"runs/seed-1/fold-{fold}/predictions.csv")
        assert metrics["fold_macro_f1"][0][fold - 1] == pytest.approx(run["macro_f1"]) == pytest.approx(part.macro_f1)
        speakers.append(set(part.groups))
        assert not (tmp_path / f"runs/seed-1/fold-{fold}/release").exists()
    assert not speakers[0] & speakers[1]
    assert metrics["mean"] == pytest.approx(np.mean(metrics["fold_macro_f1"]))
    assert metrics["mean_interval"][0] < metrics["mean"] < metrics["mean_interval"][1]
    assert metrics["n"] == 48
    assert (tmp_path / "confusion_matrix.png").exists()


def test_command_and_training_on_all_that_is_left(
    shared_corpus_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(
        ["cross-validate", "--recipe", "task2", "--data", str(shared_corpus_dir), "--output", str(tmp_path / "out"),
         "--folds", "2", "--set", *SETTINGS, "validation_fraction=0", "keep=last"]
    )  # fmt: skip
    assert "mean over folds" in capsys.readouterr().out
    run = json.loads((tmp_path / "out/runs/seed-42/fold-1/metrics.json").read_text(encoding="utf-8"))
    assert run["split"]["rows"] == {"train": 24, "test": 24}
    assert run["best_epoch"] == run["epochs"] == 2


@pytest.mark.parametrize(
    ("folds", "message"), [(5, "4 groups cannot be cut into 5 folds"), (1, "there are at least two")]
)
def test_impossible_folds(folds: int, message: str, shared_corpus_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        cross_validate("task2", str(shared_corpus_dir), tmp_path, folds=folds, settings=SETTINGS)


def test_auxiliary_corpora_join_each_fold(shared_corpus_dir: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", speakers=2, per_emotion=1)
    for recording in (other / "audio").iterdir():
        # Other recordings than those of the corpus, which would be refused.
        soundfile.write(recording, 0.5 * soundfile.read(recording)[0], 16_000)
    main(
        [
            "cross-validate", "--recipe", "task2", "--data", str(shared_corpus_dir), "--auxiliary_data", str(other),
            "--output", str(tmp_path / "out"), "--cache_dir", str(tmp_path / "kept"), "--folds", "2",
            "--set", *SETTINGS, "validation_fraction=0.25",
        ]
    )  # fmt: skip
    metrics = json.loads((tmp_path / "out/metrics.json").read_text(encoding="utf-8"))
    assert [(corpus["name"], corpus["rows"], corpus["groups"]) for corpus in metrics["auxiliary"]] == [("other", 12, 2)]
    assert metrics["n"] == 48
    assert any((tmp_path / "kept").iterdir())
    assert not (tmp_path / "out/cache").exists()
    for fold in (1, 2):
        run = json.loads((tmp_path / f"out/runs/seed-42/fold-{fold}/metrics.json").read_text(encoding="utf-8"))
        assert run["auxiliary"] == metrics["auxiliary"]

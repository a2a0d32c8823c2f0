"""The paper's experiments run by name, are not run twice, and end up in a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emospeech_hf.reproduce import EXPERIMENTS, reproduce
from emospeech_hf.training import load_recipe
from emospeech_hf.training import run as module


QUICK = ["training.epochs=2", "fusion_dim=8", "classifier_dim=8", "trackers=[]", "validation_fraction=0.25"]


def test_every_experiment_is_a_recipe() -> None:
    recipes = {experiment.recipe: load_recipe(experiment.recipe) for experiment in EXPERIMENTS}
    assert recipes["task2_mfcc56"].model.num_mfcc == 56
    assert (recipes["task2_mfcc256"].model.num_mfcc, recipes["task2_mfcc256"].model.num_mel_bins) == (256, 256)
    assert recipes["task2_beto"].model.text_encoder == recipes["task1"].model.text_encoder
    # A variant differs from Task 2 in what its name says, and in nothing else.
    plain = recipes["task2"].as_dict()
    for name, fields in (
        ("task2_beto", {"text_encoder", "text_revision"}),
        ("task2_mfcc56", {"num_mfcc"}),
        ("task2_mfcc256", {"num_mfcc", "num_mel_bins"}),
        ("task2_attention", {"fusion"}),
        ("task2_multihead", {"fusion"}),
    ):
        variant = recipes[name].as_dict()
        assert variant["training"] == plain["training"]
        assert variant["data"] == plain["data"]
        assert {field for field in plain["model"] if plain["model"][field] != variant["model"][field]} == fields


def test_results_and_going_on(
    shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, Any] = {
        "data": str(shared_corpus_dir),
        "output": tmp_path,
        "recipes": ["task1", "task2", "task2_mfcc256"],
        "seeds": [1, 2],
        "text_encoder": str(text_encoder_dir),
        "settings": QUICK,
    }
    calls = []
    train = module.train

    def stopping(recipe: Any, options: Any) -> dict[str, Any]:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(recipe.name)
        return train(recipe, options)

    monkeypatch.setattr(module, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        reproduce(**arguments)
    assert calls == ["task1", "task1", "task2"]
    monkeypatch.setattr(module, "train", lambda recipe, options: calls.append(recipe.name) or train(recipe, options))
    results = reproduce(**arguments)
    assert calls == ["task1", "task1", "task2", "task2", "task2_mfcc256", "task2_mfcc256"]  # none of them twice

    summary = results["experiments"]["task2"]
    runs = [json.loads((tmp_path / f"runs/task2/seed-{seed}/metrics.json").read_text("utf-8")) for seed in (1, 2)]
    assert summary["macro_f1"] == [run["macro_f1"] for run in runs]
    assert summary["mean"] == pytest.approx(np.mean(summary["macro_f1"]))
    assert np.sum(summary["confusion_matrix"]) == sum(run["n"] for run in runs)
    table = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert f"{summary['mean']:.3f} ± {summary['deviation']:.3f}" in table
    assert "0.7123 (official test)" in table
    assert summary["interval"][0] < summary["mean"] < summary["interval"][1]
    assert "macro-F1, gap" in table
    assert str(text_encoder_dir) not in table
    for name in ("task1", "task2", "task2_mfcc256"):
        assert (tmp_path / f"{name}_confusion_matrix.png").exists()
        assert (tmp_path / f"{name}_learning_curves.png").exists()
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == results

    with pytest.raises(ValueError, match="learning_rate"):
        reproduce(**{**arguments, "settings": [*QUICK, "learning_rate=1"]})
    runs[0]["versions"]["emospeech_hf"] = "0.0.1"
    (tmp_path / "runs/task2/seed-1/metrics.json").write_text(json.dumps(runs[0]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"emospeech_hf 0\.0\.1"):
        reproduce(**arguments)


def test_no_such_experiment(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'task3' is no experiment"):
        reproduce("nowhere", tmp_path, ["task3"])

"""A run's folder is neither mixed with another run nor lost by mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emospeech_hf.training import RunOptions, load_recipe, load_run
from emospeech_hf.training.run_folder import check_output_dir, remove_run, run_description


def test_a_folder_that_holds_another_run(tmp_path: Path) -> None:
    options = RunOptions(data="corpus", output_dir=tmp_path)
    own = run_description(load_recipe("task2"), options)
    check_output_dir(tmp_path, own, options)  # nothing there yet
    (tmp_path / "run.json").write_text(json.dumps(own), encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"Go on with it \(--resume\), replace it \(--overwrite\)"):
        check_output_dir(tmp_path, own, options)

    resumed = RunOptions(data="corpus", output_dir=tmp_path, resume=True)
    check_output_dir(tmp_path, own, resumed)
    other = run_description(load_recipe("task2", ["training.epochs=3", "fusion_dim=8"]), resumed)
    with pytest.raises(ValueError, match=r"it differs in recipe\.model\.fusion_dim, recipe\.training\.epochs"):
        check_output_dir(tmp_path, other, resumed)
    elsewhere = run_description(load_recipe("task2"), RunOptions(data="other", output_dir=tmp_path))
    with pytest.raises(ValueError, match="it differs in data"):
        check_output_dir(tmp_path, elsewhere, resumed)
    check_output_dir(tmp_path, other, RunOptions(data="corpus", output_dir=tmp_path, overwrite=True))


def test_what_goes_and_what_stays(tmp_path: Path) -> None:
    for name in ("checkpoints/best", "release", "logs", "cache"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("metrics.json", "predictions.csv", "confusion_matrix.png", "notes.txt"):
        (tmp_path / name).write_text("", encoding="utf-8")
    remove_run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "notes.txt"]
    remove_run(tmp_path)


def test_run_without_a_finished_epoch(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="no epoch was finished"):
        load_run(tmp_path)

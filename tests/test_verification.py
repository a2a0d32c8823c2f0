"""`emospeech verify` finds that a release is what its card says, and what is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from emospeech_hf.cli import main
from emospeech_hf.hub import push_folder
from emospeech_hf.training import RunOptions, load_recipe, train
from emospeech_hf.verification import verify_release

from .hub.conftest import api, hub
from .loopback_hub import LoopbackHub


__all__ = ["api", "hub"]  # fixtures

SETTINGS = ["text_encoder=", "training.epochs=2", "fusion_dim=8", "trackers=[]", "test_fraction=0.25"]


@pytest.fixture(scope="module")
def released(shared_corpus_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("verify") / "run"
    train(load_recipe("task2", SETTINGS), RunOptions(data=str(shared_corpus_dir), output_dir=output))
    return output / "release"


def test_a_release_on_the_hub(
    released: Path, hub: LoopbackHub, api: HfApi, shared_corpus_dir: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The rows of the card's figures are found again, and give its figures again."""
    result = push_folder(released, "ana/emociones", api=api)
    main(["verify", "ana/emociones@v1", "--data", str(shared_corpus_dir), "--output", str(tmp_path)])
    report = capsys.readouterr().out
    assert f"ana/emociones@v1 at commit {result.commit[:8]}" in report
    assert "The release is what its card says." in report
    verification = json.loads((tmp_path / "verification.json").read_text(encoding="utf-8"))
    card = json.loads((released / "metrics.json").read_text(encoding="utf-8"))
    assert verification["scores"]["n"] == card["n"] == 12
    assert verification["scores"]["macro_f1"] == pytest.approx(card["macro_f1"])
    assert (tmp_path / "predictions.csv").exists()


def test_other_rows_are_not_compared(released: Path, shared_corpus_dir: Path) -> None:
    verification = verify_release(str(released), str(shared_corpus_dir), split="train")
    assert verification["scores"]["n"] == 48
    assert "of 12 other rows than the 48" in verification["notes"][0]
    assert verification["differences"] == []


def test_what_differs_is_found(released: Path, shared_corpus_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    shutil.copytree(released, folder)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    metrics["macro_f1"] += 0.1
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    with (folder / "pooling_emospeech.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    (folder / "extra.py").touch()
    (folder / "weights.bin").touch()
    differences = verify_release(str(folder), str(shared_corpus_dir))["differences"]
    assert differences[:3] == [
        "weights.bin may hold a pickle.",
        "extra.py is none of this version's files.",
        "pooling_emospeech.py differs from this version's.",
    ]
    assert any(text.startswith("macro_f1 is") and "on the same rows" in text for text in differences)
    with pytest.raises(SystemExit) as caught:
        main(["verify", str(folder)])
    assert caught.value.code == 1


def test_bad_calls(released: Path, shared_corpus_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no split 'test'"):
        verify_release(str(released), str(shared_corpus_dir), split="test")
    folder = tmp_path / "release"
    shutil.copytree(released, folder)
    (folder / "metrics.json").unlink()
    with pytest.raises(ValueError, match="name a --split"):
        verify_release(str(folder), str(shared_corpus_dir))

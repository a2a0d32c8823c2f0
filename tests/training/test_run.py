"""Whole runs: what they leave behind, resuming after a kill, two processes, bad input."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from sklearn.metrics import f1_score
from transformers import pipeline

from emospeech_hf.data import CorpusError, load_corpus, split_corpus
from emospeech_hf.training import RecipeError, RunOptions, load_recipe, load_run, loop, train

from ..conftest import write_csv


SCRIPT = Path(__file__).parents[2] / "train_accelerate.py"
FEW = [
    "training.epochs=3",
    "fusion_dim=16",
    "classifier_dim=16",
    "batch_size=8",
    "trackers=[]",
    "validation_fraction=0.25",
]


def run(
    data: Path, output: Path, text_encoder: Path | None, settings: list[str] | None = None, **options: Any
) -> dict[str, Any]:
    recipe = load_recipe("task2", [f"text_encoder={text_encoder or ''}", "text_revision=", *FEW, *(settings or [])])
    return train(recipe, RunOptions(data=str(data), output_dir=output, **options))


def command(data: Path, output: Path, text_encoder: Path, *settings: str) -> list[str]:
    return [
        str(SCRIPT), "--recipe", "task2", "--data", str(data), "--output_dir", str(output),
        "--text_encoder", str(text_encoder), *FEW, *settings,
    ]  # fmt: skip


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", **variables}


@pytest.fixture(scope="module")
def finished(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a test split, TensorBoard, and all that it leaves."""
    output = tmp_path_factory.mktemp("runs") / "finished"
    run(shared_corpus_dir, output, text_encoder_dir, ["test_fraction=0.25", "trackers=[tensorboard]"])
    return output


def test_what_a_run_leaves(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["split"]["method"] == "grouped"
    assert metrics["split"]["groups"] == {"train": 2, "test": 1, "validation": 1}
    assert metrics["epochs"] == 3 == len(metrics["history"])
    best = max(entry["macro_f1"] for entry in metrics["history"])
    assert metrics["history"][metrics["best_epoch"] - 1]["macro_f1"] == best
    assert metrics["validation"]["macro_f1"] == pytest.approx(best)
    assert metrics["test"]["n"] == 12
    assert metrics["scored_split"] == "test"
    assert {name: metrics[name] for name in metrics["test"]} == metrics["test"]
    assert metrics["parameters"]["trained"] < metrics["parameters"]["all"]
    assert (finished / "confusion_matrix.png").stat().st_size > 10_000
    assert list((finished / "logs").glob("events*"))
    assert not (finished / "rejected.csv").exists()


def test_the_release_is_the_best_epoch_and_names_no_folder_of_this_machine(
    finished: Path, text_encoder_dir: Path
) -> None:
    release = finished / "release"
    for name in ("metrics.json", "README.md", "config.json"):
        assert str(text_encoder_dir.parent) not in (release / name).read_text(encoding="utf-8"), name
    best = load_file(finished / "checkpoints/best/trained_weights.safetensors")
    released = load_file(release / "model.safetensors")
    assert best
    for name, tensor in best.items():
        assert torch.equal(released[name], tensor), name


def test_the_released_pipeline_scores_as_the_run_did(finished: Path, shared_corpus_dir: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text(encoding="utf-8"))
    classify = pipeline("audio-text-emotion", model=str(finished / "release"))
    with (shared_corpus_dir / "train.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    splits, _ = split_corpus(load_corpus(shared_corpus_dir), "auto", 0.25, 0.25)
    held_out = set(splits["test"]["id"])
    tested = [row for row in rows if row["filename"] in held_out]
    right = 0
    for row in tested:
        utterance = {"audio": str(shared_corpus_dir / "audio" / row["filename"]), "text": row["transcription"]}
        right += classify(utterance, top_k=1)[0]["label"] == row["label"]
    assert right / len(tested) == pytest.approx(metrics["test"]["accuracy"])


def test_it_learns(shared_corpus_dir: Path, tmp_path: Path) -> None:
    """Pitch tells the emotion of the tones, so speech alone is enough on speakers never heard."""
    settings = ["training.epochs=150", "classifier_dropout=0.1", "test_fraction=0.25"]
    metrics = run(shared_corpus_dir, tmp_path / "run", None, settings)
    assert metrics["test"]["macro_f1"] > 0.6  # guessing reaches 0.17


def test_same_seed_same_metrics(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    first, second, other = (
        run(shared_corpus_dir, tmp_path / name, text_encoder_dir, [f"training.seed={seed}"])
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first["history"] == second["history"]
    assert first["validation"] == second["validation"]
    assert first["history"] != other["history"]


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["freeze_text_encoder=false", "scheduler=linear", "warmup_ratio=0.2"],
        ["freeze_text_encoder=false", "weight_averaging=0.9", "text_masking=0.2", "layer_decay=0.5", "optimizer=adamw"],
    ],
)
def test_resume_equals_going_on(
    settings: list[str], shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path
) -> None:
    whole = run(shared_corpus_dir, tmp_path / "whole", text_encoder_dir, ["training.epochs=4", *settings])

    class Kill(BaseException):
        pass

    original = loop.EmotionTrainer._end_epoch

    def killed(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        if self.progress.epoch == 2:
            raise Kill

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.EmotionTrainer, "_end_epoch", killed)
        with pytest.raises(Kill):
            run(shared_corpus_dir, tmp_path / "cut", text_encoder_dir, ["training.epochs=4", *settings])
    assert not (tmp_path / "cut/metrics.json").exists()
    resumed = run(shared_corpus_dir, tmp_path / "cut", text_encoder_dir, ["training.epochs=4", *settings], resume=True)
    assert resumed["history"] == whole["history"]
    assert resumed["validation"] == whole["validation"]


def test_killed_process_resumes(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of training; the checkpoint is whole, and the run can be released and resumed."""
    output = tmp_path / "run"
    arguments = [sys.executable, *command(shared_corpus_dir, output, text_encoder_dir, "training.epochs=100000")]
    process = subprocess.Popen(arguments, env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (output / "checkpoints/last/state.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    epoch = json.loads((output / "checkpoints/last/state.json").read_text(encoding="utf-8"))["progress"]["epoch"]
    assert epoch >= 1
    model, _, metrics = load_run(output)
    assert metrics is None
    assert model.num_labels == 6

    refused = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    other = [*arguments[:-1], f"training.epochs={epoch + 1}", "--resume"]
    refused = subprocess.run(other, env=environment(), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "training.epochs" in refused.stderr
    replaced = subprocess.run(
        [*arguments[:-1], "training.epochs=1", "--overwrite"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert replaced.returncode == 0, replaced.stderr
    assert json.loads((output / "metrics.json").read_text(encoding="utf-8"))["epochs"] == 1


def test_two_processes(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        "0",
        "--standalone",
    ]
    settings = ["test_fraction=0.25", "freeze_text_encoder=false", "trackers=[tensorboard]"]
    done = subprocess.run(
        [*launch, *command(shared_corpus_dir, output, text_encoder_dir, *settings)],
        env=environment(), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["processes"] == 2
    assert metrics["test"]["n"] == 12
    assert metrics["epochs"] == 3
    assert done.stdout.count("Held-out test") == 1  # one table, not two
    assert pipeline("audio-text-emotion", model=str(output / "release")).model.num_labels == 6


@pytest.mark.parametrize(
    "settings",
    [
        ["gradient_accumulation_steps=2", "max_grad_norm=1.0", "scheduler=cosine", "class_weights=balanced"],
        ["mixed_precision=bf16", "label_smoothing=0.1", "optimizer=adamw", "weight_decay=0.01"],
        ["freeze_text_encoder=false", "gradient_checkpointing=true", "length_buckets=false"],
        ["num_workers=1", "training.epochs=1"],
        ["weight_averaging=0.99", "focal_gamma=2", "logit_adjustment=0.5", "class_weights=sqrt_balanced"],
    ],
)
def test_settings(
    settings: list[str],
    shared_corpus_dir: Path,
    text_encoder_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    metrics = run(shared_corpus_dir, tmp_path / "run", text_encoder_dir, settings)
    assert 0 <= metrics["validation"]["macro_f1"] <= 1
    weights = load_file(tmp_path / "run/release/model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


@pytest.mark.parametrize("frozen", ["true", "false"])
def test_speech_encoder(
    frozen: str, shared_corpus_dir: Path, text_encoder_dir: Path, speech_encoder_dir: Path, tmp_path: Path
) -> None:
    settings = [
        f"speech_encoder={speech_encoder_dir}",
        f"freeze_speech_encoder={frozen}",
        "training.epochs=1",
        "num_mfcc=13",
    ]
    run(shared_corpus_dir, tmp_path / "run", text_encoder_dir, settings)
    classify = pipeline("audio-text-emotion", model=str(tmp_path / "run/release"))
    audio = next((shared_corpus_dir / "audio").iterdir())
    assert len(classify({"audio": str(audio), "text": "hola"})) == 6


def test_the_contests_own_columns(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    """`id,label,transcription` and nothing else: no speakers are told, which the report says."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "audio").symlink_to(shared_corpus_dir / "audio")
    with (shared_corpus_dir / "train.csv").open(encoding="utf-8") as file:
        rows = [(row["filename"], row["label"], row["transcription"]) for row in csv.DictReader(file)]
    write_csv(data / "train.csv", ("id", "label", "transcription"), rows)
    metrics = run(data, tmp_path / "run", text_encoder_dir)
    assert metrics["split"]["method"] == "random"
    assert metrics["split"]["groups"] == {}
    assert any("tells no speakers" in note for note in metrics["notes"])
    assert "by_gender" not in metrics
    card = (tmp_path / "run/release/README.md").read_text(encoding="utf-8")
    assert "whether one stands on both sides of the split is not known" in card


def test_early_stopping(shared_corpus_dir: Path, tmp_path: Path) -> None:
    settings = ["training.epochs=500", "early_stopping=2", "learning_rate=1e-9"]
    metrics = run(shared_corpus_dir, tmp_path / "run", None, settings)
    assert metrics["epochs"] == metrics["best_epoch"] + 2 < 20


def test_frozen_encoder_does_not_move(finished: Path, text_encoder_dir: Path) -> None:
    released, own = load_file(finished / "release/model.safetensors"), load_file(text_encoder_dir / "model.safetensors")
    for name, tensor in own.items():
        assert torch.equal(released[f"emospeech.text_encoder.{name}"], tensor), name


def test_bad_rows_stop_the_run_before_training(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "audio").symlink_to(shared_corpus_dir / "audio")
    with (shared_corpus_dir / "train.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    rows[3][2] = "furia"
    write_csv(data / "train.csv", tuple(header), [tuple(row) for row in rows])
    arguments = [sys.executable, *command(data, tmp_path / "run", text_encoder_dir)]
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "train.csv, row 5" in done.stderr
    assert "'furia' is unknown" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run/checkpoints").exists()
    assert not (tmp_path / "run/run.json").exists()
    metrics = run(data, tmp_path / "run2", text_encoder_dir, skip_bad_rows=True)
    assert sum(metrics["split"]["rows"].values()) == 47
    assert "furia" in (tmp_path / "run2/rejected.csv").read_text(encoding="utf-8")


def test_recordings_that_break_off_stop_the_run(
    shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "audio").mkdir(parents=True)
    for path in (shared_corpus_dir / "audio").iterdir():
        (data / "audio" / path.name).symlink_to(path)
    (data / "train.csv").write_bytes((shared_corpus_dir / "train.csv").read_bytes())
    broken = data / "audio/s1-fear-0.wav"
    broken.unlink()
    soundfile.write(broken, np.array([0.1, np.nan]), 16_000, subtype="FLOAT")
    with pytest.raises(CorpusError, match=r"s1-fear-0\.wav.*NaN"):
        run(data, tmp_path / "run", text_encoder_dir)
    metrics = run(data, tmp_path / "run2", text_encoder_dir, skip_bad_rows=True)
    assert sum(metrics["split"]["rows"].values()) == 47
    assert "NaN" in (tmp_path / "run2/rejected_audio.csv").read_text(encoding="utf-8")


def test_help_and_unknown_recipe() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True, check=True)
    assert "accelerate launch" in done.stdout
    bad = [sys.executable, str(SCRIPT), "--recipe", "task9", "--data", "x", "--output_dir", "y"]
    done = subprocess.run(bad, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "The recipes are bsc_upc, demo, multimodal_best, speech_only, task1" in done.stderr


def test_training_on_every_row(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    """For a release after the recipe was settled by cross-validation: nothing is held out, and the card says so."""
    settings = ["validation_fraction=0", "keep=last"]
    metrics = run(shared_corpus_dir, tmp_path / "run", text_encoder_dir, settings)
    assert metrics["scored_split"] is None
    assert "macro_f1" not in metrics
    assert metrics["split"]["rows"] == {"train": 48}
    assert metrics["best_epoch"] == 3
    last = load_file(tmp_path / "run/checkpoints/last/trained_weights.safetensors")
    released = load_file(tmp_path / "run/release/model.safetensors")
    for name, tensor in last.items():
        assert torch.equal(released[name], tensor), name
    assert "Nothing was measured." in (tmp_path / "run/release/README.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"set training\.keep=last"):
        run(shared_corpus_dir, tmp_path / "other", text_encoder_dir, ["validation_fraction=0"])


def test_one_modality_missing(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    """The report scores speech alone and text alone as the model answers where the other is missing."""
    settings = ["training.epochs=8", "missing_modalities=true", "modality_dropout=0.5"]
    settings += ["test_fraction=0.25", "freeze_text_encoder=false"]
    metrics = run(shared_corpus_dir, tmp_path / "run", text_encoder_dir, settings)
    found = metrics["macro_f1_by_modality"]
    assert found.keys() == {"speech_and_text", "speech", "text"}
    assert found["speech_and_text"] == metrics["test"]["macro_f1"]
    model, processor, _ = load_run(tmp_path / "run")
    with (tmp_path / "run/predictions.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    corpus = load_corpus(shared_corpus_dir, ("speech", "text"))["train"]
    rows = {row["id"]: row for row in corpus}
    tested = [rows[identifier] for identifier in ids]
    for name, audio, text in (
        ("speech", [row["audio"] for row in tested], [None] * len(tested)),
        ("text", [None] * len(tested), [row["text"] for row in tested]),
    ):
        with torch.no_grad():
            logits = model(**processor(audio=audio, text=text, return_tensors="pt")).logits
        expected = f1_score([row["label"] for row in tested], logits.argmax(dim=1), average="macro", zero_division=0)
        assert found[name] == pytest.approx(expected), name
    with pytest.raises(RecipeError, match="hears and reads"):
        run(shared_corpus_dir, tmp_path / "deaf", text_encoder_dir, ["num_mfcc=0", "missing_modalities=true"])


def test_a_corpus_of_voices_and_a_corpus_of_texts(
    shared_corpus_dir: Path, text_encoder_dir: Path, speech_encoder_dir: Path, tmp_path: Path
) -> None:
    """Half of the rows have no audio: they train and score the text alone, and the release answers to either."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "audio").symlink_to(shared_corpus_dir / "audio")
    with (shared_corpus_dir / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    texts = [(f"text-{number}", f"video {number % 6}", *row[2:]) for number, row in enumerate(rows)]
    write_csv(folder / "train.csv", ("filename", "speaker", "label", "transcription", "gender"), [*rows, *texts])
    settings = [
        f"text_encoder={text_encoder_dir}", "text_revision=", f"speech_encoder={speech_encoder_dir}",
        "speech_revision=", "speech_layers=[0,1]", "test_fraction=0.3", "trackers=[]", "mixed_precision=no",
        "training.epochs=2",
    ]  # fmt: skip
    options = RunOptions(data=str(folder), output_dir=tmp_path / "run")
    metrics = train(load_recipe("multimodal_best", settings), options)
    found = metrics["macro_f1_by_modality"]
    with (tmp_path / "run/predictions.csv").open(encoding="utf-8", newline="") as file:
        tested = list(csv.DictReader(file))
    heard = [row for row in tested if not row["id"].startswith("text-")]
    assert 0 < len(heard) < len(tested)
    classify = pipeline("audio-text-emotion", model=str(tmp_path / "run/release"), trust_remote_code=True, device=-1)
    audio = [str(folder / "audio" / row["id"]) for row in heard]
    answers = [classify(path)[0]["label"] for path in audio]
    expected = f1_score([row["label"] for row in heard], answers, average="macro", zero_division=0)
    assert found["speech"] == pytest.approx(expected)

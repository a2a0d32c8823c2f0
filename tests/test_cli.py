"""`emospeech predict`, `evaluate` and `release`, as a person calls them."""

from __future__ import annotations

import csv
import json
import re
import shlex
import zipfile
from pathlib import Path

import pytest

from emospeech_hf import EMOTIONS
from emospeech_hf.cli import build_parser, main
from emospeech_hf.training import RunOptions, load_recipe, train

from .conftest import write_csv


@pytest.fixture(scope="module")
def run_dir(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("cli") / "run"
    settings = [
        f"text_encoder={text_encoder_dir}",
        "text_revision=",
        "training.epochs=2",
        "fusion_dim=8",
        "trackers=[]",
    ]
    recipe = load_recipe("task2", settings)
    train(recipe, RunOptions(data=str(shared_corpus_dir), output_dir=output))
    return output


@pytest.fixture
def audio(shared_corpus_dir: Path) -> str:
    return str(shared_corpus_dir / "audio/s0-joy-0.wav")


def test_predict(run_dir: Path, audio: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["predict", "--model", str(run_dir / "release"), "--audio", audio, "--text", "qué alegría"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert "█" in lines[0]
    main(["predict", "--model", str(run_dir / "release"), "--audio", audio, "--text", "qué alegría", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert sorted(entry["label"] for entry in answer) == sorted(EMOTIONS)
    assert lines[0].startswith(answer[0]["label"])


def test_evaluate(run_dir: Path, shared_corpus_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        ["evaluate", "--model", str(run_dir / "release"), "--data", str(shared_corpus_dir), "--split", "train",
         "--output", str(tmp_path)]
    )  # fmt: skip
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    for name in ("macro_f1", "weighted_f1", "accuracy", "macro_precision", "macro_recall", "per_class", "n"):
        assert name in metrics
    assert metrics["n"] == 48
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "label", "prediction", *EMOTIONS, "group", "gender"]
    right = sum(row["label"] == row["prediction"] for row in rows)
    assert right / 48 == pytest.approx(metrics["accuracy"])
    for row in rows:
        scores = {name: float(row[name]) for name in EMOTIONS}
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
        assert max(scores, key=lambda name: scores[name]) == row["prediction"]
    assert (tmp_path / "confusion_matrix.png").exists()
    assert (tmp_path / "reliability.png").exists()
    assert set(metrics["by_gender"]) == {"female", "male", "gap"}
    assert 0 <= metrics["calibration"]["expected_calibration_error"] <= 1
    assert f"macro-F1 {metrics['macro_f1']:.3f}" in capsys.readouterr().out


def test_compare(run_dir: Path, shared_corpus_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        main(
            ["evaluate", "--model", str(run_dir / "release"), "--data", str(shared_corpus_dir), "--split", "train",
             "--output", str(tmp_path / name)]
        )  # fmt: skip
    first, second = tmp_path / "a/predictions.csv", tmp_path / "b/predictions.csv"
    with second.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    for row in rows:
        row[2] = row[1]  # the second is always right
    write_csv(second, tuple(header), [tuple(row) for row in reversed(rows)])
    capsys.readouterr()
    main(["compare", str(first), str(second), "--json"])
    comparison = json.loads(capsys.readouterr().out)
    assert comparison["macro_f1"][1] == 1.0
    assert comparison["n"] == 48
    main(["compare", str(first), str(second)])
    assert "McNemar" in capsys.readouterr().out
    write_csv(second, tuple(header), [tuple(row) for row in rows[1:]])
    assert "other rows" in failing(["compare", str(first), str(second)], capsys)
    rows[0][1] = "joy" if rows[0][1] != "joy" else "fear"
    write_csv(second, tuple(header), [tuple(row) for row in rows])
    assert f"{rows[0][0]!r} is" in failing(["compare", str(first), str(second)], capsys)
    write_csv(second, ("id", "label"), [("1", "joy")])
    assert "no column prediction" in failing(["compare", str(first), str(second)], capsys)


def test_submit(run_dir: Path, shared_corpus_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = ["s3-joy-0", "s0-anger-1.wav", "s1-fear-0"]
    write_csv(tmp_path / "test.csv", ("id", "transcription"), [(name, "qué alegría") for name in ids])
    arguments = ["submit", "--model", str(run_dir / "release"), "--test", str(tmp_path / "test.csv")]
    arguments += ["--segments", str(shared_corpus_dir / "audio")]
    for name in ("a.zip", "b.zip", "bare.csv"):
        main([*arguments, "--output", str(tmp_path / name)])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["results.csv"]
        table = archive.read("results.csv")
    assert table == (tmp_path / "bare.csv").read_bytes()
    rows = list(csv.DictReader(table.decode().splitlines()))
    assert [row["id"] for row in rows] == ids
    assert {row["label"] for row in rows} <= set(EMOTIONS)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()

    assert "a submission is a .zip" in failing([*arguments, "--output", str(tmp_path / "x.txt")], capsys)
    assert "no such file" in failing([*arguments[:3], "--test", "no.csv", "--output", "x.zip"], capsys)
    write_csv(tmp_path / "test.csv", ("id", "transcription"), [("nobody", "hola"), ("s1-fear-0", "")])
    message = failing([*arguments, "--output", str(tmp_path / "x.zip")], capsys)
    assert "test.csv, row 2 (nobody): the audio is missing" in message
    assert "test.csv, row 3 (s1-fear-0): the transcript is empty" in message
    assert "skip" not in message  # a contest wants every row answered
    assert not (tmp_path / "x.zip").exists()


def test_release(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["release", "--run", str(run_dir), "--to", str(tmp_path / "release")])
    assert "trust_remote_code=True" in capsys.readouterr().out
    for path in (run_dir / "release").iterdir():
        assert path.read_bytes() == (tmp_path / "release" / path.name).read_bytes(), path.name


def test_push_dry_run(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = run_dir / "release"
    main(["push", str(release), "ana/emociones", "--dry-run"])
    report = capsys.readouterr().out
    for path in release.iterdir():
        assert path.name in report
    assert "would go to ana/emociones" in report
    (tmp_path / "README.md").write_text("---\ntags: [emospeech]\n---\n", encoding="utf-8")
    assert "is no release" in failing(["push", str(tmp_path), "ana/emociones", "--dry-run"], capsys)
    main(["push-dataset", str(tmp_path), "ana/corpus", "--dry-run"])
    assert "1 files would go to ana/corpus" in capsys.readouterr().out


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_bad_calls(run_dir: Path, audio: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["--model", str(run_dir / "release")]
    assert "'text' is missing" in failing(["predict", *model, "--audio", audio], capsys)
    assert "no such audio file" in failing(["predict", *model, "--audio", "no.wav", "--text", "hola"], capsys)
    assert "holds no run" in failing(["release", "--run", str(tmp_path), "--to", str(tmp_path / "r")], capsys)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    assert "not an EmoSpeech model" in failing(["predict", "--model", str(tmp_path), "--text", "hola"], capsys)
    assert "error:" in failing(["predict", "--model", str(tmp_path / "nowhere"), "--text", "hola"], capsys)


def test_evaluate_without_split_or_labels(
    run_dir: Path, shared_corpus_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--model", str(run_dir / "release"), "--output", str(tmp_path / "out")]
    message = failing([*arguments, "--data", str(shared_corpus_dir)], capsys)
    assert "has no split 'test'; it has train" in message
    data = tmp_path / "data"
    data.mkdir()
    (data / "audio").symlink_to(shared_corpus_dir / "audio")
    write_csv(data / "test.csv", ("id", "transcription"), [("s0-joy-0.wav", "hola")])
    assert "has no labels" in failing([*arguments, "--data", str(data)], capsys)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize("command", re.findall(r"^    ([a-z-]+)\s", build_parser().format_help(), re.MULTILINE))
def test_each_command_has_an_example_that_it_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    lines = [line.strip() for line in capsys.readouterr().out.split("example")[-1].splitlines()]
    examples = [line for line in lines if line.startswith("emospeech ")]
    assert examples
    for example in examples:
        assert build_parser().parse_args(shlex.split(example)[1:]).command == command

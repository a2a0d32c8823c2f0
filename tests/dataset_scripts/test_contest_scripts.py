"""EmoSPeech 2024 and MEACorpus 2023: their own layouts in, our schema out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from datasets import load_dataset

from emospeech_hf.data import corpus_features, load_corpus

from ..conftest import tone, write_csv


SCRIPTS = Path(__file__).parents[2] / "dataset_scripts"
MEACORPUS = (
    "youtube_key", "filename", "segment_id", "label", "gender", "start_time", "end_time", "transcription", "split",
    "emospeech2024",
)  # fmt: skip
ROWS = [
    ("v1", "aa-1.mp3", "0.mp3", "joy", "female", "0.0", "900.0", "¡Qué alegría!", "train", "True"),
    ("v1", "aa-2.mp3", "1.mp3", "anger", "female", "900.0", "1500.0", "Basta, ya.", "train", "False"),
    ("v2", "bb-1.mp3", "0.mp3", "sadness", "male", "0.0", "700.0", "Qué pena", "test", "True"),
]


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def meacorpus_csv(tmp_path: Path) -> Path:
    write_csv(tmp_path / "meacorpus.csv", MEACORPUS, ROWS)
    return tmp_path / "meacorpus.csv"


def write_mp3(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(0.3, 16_000), 16_000)


def test_meacorpus_text_only(meacorpus_csv: Path, tmp_path: Path) -> None:
    done = run("meacorpus2023.py", "--csv", meacorpus_csv, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "train: 2 rows, 2 of them without audio, 1 groups" in done.stdout
    corpus = load_corpus(tmp_path / "out", ["text"])
    assert corpus["train"].features == corpus_features()
    assert corpus["train"][0] == {
        "id": "aa-1.mp3", "group": "v1", "audio": None, "text": "¡Qué alegría!", "label": 3, "gender": "female",
    }  # fmt: skip
    assert corpus["test"]["id"][:] == ["bb-1.mp3"]
    assert "cc-by-nc-4.0" in (tmp_path / "out/README.md").read_text(encoding="utf-8")
    # As a user of the Hub loads it: the card tells the splits.
    hub = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(hub[split]) for split in hub} == {"train": 2, "test": 1}


@pytest.mark.parametrize("layout", ["by file name", "by video"])
def test_meacorpus_with_segments(layout: str, meacorpus_csv: Path, tmp_path: Path) -> None:
    segments = tmp_path / "segments"
    for video, name, segment, *_ in ROWS[:2]:
        write_mp3(segments / name if layout == "by file name" else segments / video / segment)
    done = run("meacorpus2023.py", "--csv", meacorpus_csv, "--segments", segments, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "train: 2 rows, 0 of them without audio" in done.stdout
    assert "test: 1 rows, 1 of them without audio" in done.stdout
    corpus = load_corpus(tmp_path / "out", ["text"])
    audio = corpus["train"][0]["audio"]
    source = next(path for path in segments.rglob("*.mp3"))
    assert audio["bytes"] == source.read_bytes()


def test_only_the_contests_rows(meacorpus_csv: Path, tmp_path: Path) -> None:
    done = run("meacorpus2023.py", "--csv", meacorpus_csv, "--only-emospeech2024", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    corpus = load_corpus(tmp_path / "out", ["text"])
    assert {split: len(corpus[split]) for split in corpus} == {"train": 2}


def test_emospeech(meacorpus_csv: Path, tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ("id", "label", "transcription"), [("aa-1", "joy", "¡Qué alegría!")])
    write_csv(tmp_path / "test.csv", ("id", "transcription"), [("bb-1", "Qué pena"), ("cc-1", "Otro")])
    for name in ("aa-1", "bb-1"):
        write_mp3(tmp_path / "mp3" / f"{name}.mp3")
    done = run(
        "emospeech2024.py", "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv",
        "--segments", tmp_path / "mp3", "--meacorpus-csv", meacorpus_csv, "--output", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "test: 2 rows, 1 of them without audio" in done.stdout
    corpus = load_corpus(tmp_path / "out", ["text"])
    assert corpus["train"][0]["group"] == "v1"
    assert corpus["train"][0]["gender"] == "female"
    assert corpus["test"]["label"][:] == [None, None]
    assert corpus["test"]["group"][:] == ["v2", "cc-1"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", "rage", "row 3 (aa-2.mp3): the label 'rage' is unknown"),
        ("transcription", " ", "row 3 (aa-2.mp3): the transcript is empty"),
        ("filename", "aa-1.mp3", "row 3 (aa-1.mp3): the id 'aa-1.mp3' stands already in row 2"),
    ],
)
def test_bad_rows(column: str, value: str, message: str, tmp_path: Path) -> None:
    bad = list(ROWS[1])
    bad[MEACORPUS.index(column)] = value
    write_csv(tmp_path / "meacorpus.csv", MEACORPUS, [ROWS[0], tuple(bad), ROWS[2]])
    arguments = ("meacorpus2023.py", "--csv", tmp_path / "meacorpus.csv", "--output", tmp_path / "out")
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    done = run(*arguments, "--skip-bad-rows")
    assert done.returncode == 0
    assert "1 rows were left out" in done.stdout
    assert value.strip() in (tmp_path / "out/rejected.csv").read_text(encoding="utf-8")


def test_unreadable_segment(meacorpus_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "mp3").mkdir()
    (tmp_path / "mp3/aa-1.mp3").write_bytes(b"no audio")
    done = run("meacorpus2023.py", "--csv", meacorpus_csv, "--segments", tmp_path / "mp3", "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "row 2 (aa-1.mp3)" in done.stderr
    assert "Convert it" in done.stderr


def test_wrong_file_and_existing_output(meacorpus_csv: Path, tmp_path: Path) -> None:
    write_csv(tmp_path / "other.csv", ("id", "label", "transcription"), [("1", "joy", "a")])
    done = run("meacorpus2023.py", "--csv", tmp_path / "other.csv", "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "no column split" in done.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").touch()
    done = run("meacorpus2023.py", "--csv", meacorpus_csv, "--output", tmp_path / "full")
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert (tmp_path / "full/thesis.tex").exists()
    done = run("meacorpus2023.py", "--csv", tmp_path / "missing.csv", "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "missing.csv" in done.stderr

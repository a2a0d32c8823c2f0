"""The demo's corpus: real speech, voices kept apart, the same from the same seed."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emospeech_hf import EMOTIONS
from emospeech_hf.data import load_corpus


SCRIPT = Path(__file__).parents[2] / "dataset_scripts/espeak_corpus.py"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("espeak"))


def make(folder: Path) -> Path:
    arguments = ["--output", folder / "corpus", "--example", folder / "example.wav", "--per-emotion", "2"]
    subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], check=True, capture_output=True)
    return folder / "corpus"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_it_is_a_corpus(corpus: Path) -> None:
    loaded = load_corpus(corpus)
    assert {split: len(loaded[split]) for split in loaded} == {"train": 72, "test": 24}
    assert not set(loaded["train"]["group"]) & set(loaded["test"]["group"])
    assert Counter(loaded["test"]["label"]) == dict.fromkeys(range(6), 4)
    assert list(read(corpus / "train.csv")[0])[:3] == ["id", "label", "transcription"]  # EmoSPeech 2024's columns


def test_it_is_speech(corpus: Path) -> None:
    """Loud where it should be, of a sentence's length, and livelier in joy than in sadness."""
    lengths: dict[str, list[float]] = {label: [] for label in EMOTIONS}
    loudness: dict[str, list[float]] = {label: [] for label in EMOTIONS}
    for row in read(corpus / "train.csv"):
        samples, rate = soundfile.read(corpus / "audio" / row["id"])
        assert 1 < len(samples) / rate < 12, row["id"]
        lengths[row["label"]].append(len(samples) / rate / len(row["transcription"]))
        loudness[row["label"]].append(float(np.sqrt(np.mean(samples**2))))
    assert np.mean(lengths["sadness"]) > 1.2 * np.mean(lengths["fear"])
    assert np.mean(loudness["anger"]) > 1.5 * np.mean(loudness["sadness"])


def test_no_sentence_tells_its_emotion_to_two_voices(corpus: Path) -> None:
    seen = Counter(
        (row["label"], row["transcription"]) for split in ("train", "test") for row in read(corpus / f"{split}.csv")
    )
    assert set(seen.values()) == {1}


def test_same_seed_same_words(corpus: Path, tmp_path: Path) -> None:
    again = make(tmp_path)
    assert (again / "train.csv").read_bytes() == (corpus / "train.csv").read_bytes()


def test_example(corpus: Path) -> None:
    example = corpus.parent / "example.wav"
    text = example.with_suffix(".txt").read_text(encoding="utf-8").strip()
    assert text in {row["transcription"] for row in read(corpus / "test.csv")}
    assert soundfile.info(example).duration > 1

"""The audit finds what was put there to be found, and nothing where nothing was."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from emospeech_hf.audit import audit_corpus, audit_report, write_audit
from emospeech_hf.cli import main

from .conftest import tone, write_csv


GREETING = "hola, qué tal estáis todos"
HEADER = ("id", "speaker", "label", "transcription", "gender")
TRAIN = [
    ("1.wav", "ana", "joy", "Qué alegría verte por aquí esta tarde", "female"),
    ("2.wav", "eva", "fear", "Tengo muchísimo miedo de quedarme sola", "female"),
    ("3.wav", "luis", "anger", "No aguanto ni un minuto más de esto", "male"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "audio").mkdir(parents=True)
    for number in range(1, 8):
        soundfile.write(folder / f"audio/{number}.wav", tone(0.2, 8000, 100 + 50 * number), 8000)
    write_csv(folder / "train.csv", HEADER, TRAIN)
    return folder


def test_nothing_to_find(folder: Path) -> None:
    write_csv(folder / "test.csv", HEADER, [("4.wav", "leo", "joy", "Vamos a celebrarlo como se merece", "male")])
    audit = audit_corpus(folder)
    assert audit["leaks"] == []
    assert "Nothing was found" in audit_report(audit)
    main(["audit", "--data", str(folder), "--strict"])


def test_a_word_that_anybody_says_is_no_leak(folder: Path) -> None:
    write_csv(
        folder / "test.csv",
        HEADER,
        [("4.wav", "leo", "joy", "¡Muchas gracias a todos!", "male"), ("5.wav", "leo", "joy", "y", "male")],
    )
    write_csv(
        folder / "train.csv",
        HEADER,
        [*TRAIN, ("6.wav", "ana", "joy", "Muchas gracias a todos", "female"), ("7.wav", "ana", "joy", "Y", "female")],
    )
    assert audit_corpus(folder)["leaks"] == []


def test_everything_is_found(folder: Path, tmp_path: Path) -> None:
    soundfile.write(folder / "audio/7.flac", soundfile.read(folder / "audio/1.wav", dtype="int16")[0], 8000)
    rows = [
        ("4.wav", "ana", "joy", "Hoy estoy de fiesta con mis primas", "female"),
        ("5.wav", "leo", "fear", "¡Tengo MUCHÍSIMO miedo de quedarme sola!", "male"),
        ("6.wav", "leo", "anger", "No aguanto ni un minuto más de esto.. .o", "male"),
        ("7.flac", "leo", "anger", "Otra cosa que no se parece a nada", "male"),
    ]
    write_csv(folder / "test.csv", HEADER, rows)
    audit = audit_corpus(folder)
    assert audit["shared_groups"] == [{"splits": ["train", "test"], "groups": 1, "rows": 1, "of": 4}]
    assert audit["same_transcripts"]["across_splits"] == 1
    assert audit["near_transcripts"]["across_splits"] == 1
    assert audit["same_audio"]["across_splits"] == 1  # though one is FLAC
    assert len(audit["leaks"]) == 4
    assert audit["splits"]["test"]["speakers_per_label"] == {"anger": 1, "fear": 1, "joy": 1}
    assert re.search(r"test +4 +2 +2 +0 +1 +1 +0 +0\n  groups +1 +0 +1 +1 +0 +0\n", audit_report(audit))
    assert audit["splits"]["train"]["genders"] == {"female": 2, "male": 1}
    assert audit["splits"]["test"]["speakers_per_label"] == {"anger": 1, "fear": 1, "joy": 1}
    assert audit["splits"]["train"]["seconds"]["median"] == pytest.approx(0.2)
    report = audit_report(audit)
    assert "LEAK: 1 of 4 rows of test come from 1 speakers" in report
    write_audit(audit, tmp_path / "out")
    assert json.loads((tmp_path / "out/audit.json").read_text(encoding="utf-8"))["leaks"] == audit["leaks"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "audit.json", "class_balance.png", "words.png", "seconds.png",
    }  # fmt: skip
    with pytest.raises(SystemExit) as caught:
        main(["audit", "--data", str(folder), "--strict"])
    assert caught.value.code == 1
    main(["audit", "--data", str(folder)])  # without --strict it only tells


def test_text_only_corpus_without_groups(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ("id", "label", "text"), [("1", "joy", GREETING), ("2", "joy", GREETING)])
    audit = audit_corpus(tmp_path)
    assert audit["same_transcripts"] == {
        "pairs": 1, "across_splits": 0, "examples": [(f"train/1 «{GREETING}»", f"train/2 «{GREETING}»")],
    }  # fmt: skip
    assert audit["leaks"] == []
    assert audit["splits"]["train"]["seconds"] is None


@pytest.mark.skipif("MEACORPUS_CSV" not in os.environ, reason="MEACORPUS_CSV does not name meacorpus2023.csv")
def test_meacorpus_leaks(tmp_path: Path) -> None:
    """The number of test rows whose video is also in train, counted here a second time, from the CSV alone."""
    with Path(os.environ["MEACORPUS_CSV"]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    videos = Counter(row["youtube_key"] for row in rows if row["split"] == "train")
    expected = sum(videos[row["youtube_key"]] > 0 for row in rows if row["split"] == "test")
    for split in ("train", "test"):
        members = [row for row in rows if row["split"] == split]
        columns = ("filename", "youtube_key", "label", "transcription")
        write_csv(tmp_path / f"{split}.csv", columns, [tuple(row[column] for column in columns) for row in members])
    (shared,) = audit_corpus(tmp_path)["shared_groups"]
    assert shared["rows"] == expected > 400

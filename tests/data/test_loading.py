"""Loading a corpus from a folder, from Parquet and from the Hub's layout; every bad row is named."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import soundfile
from datasets import Audio, ClassLabel, Dataset, DatasetDict

from emospeech_hf import EMOTIONS
from emospeech_hf.data import CorpusError, corpus_features, load_corpus, loading

from ..conftest import write_corpus, write_csv


HEADER = ("filename", "speaker", "label", "transcription")


def test_folder(corpus_dir: Path) -> None:
    corpus = load_corpus(corpus_dir)
    assert list(corpus) == ["train"]
    train = corpus["train"]
    assert train.features == corpus_features()
    assert len(train) == 48
    row = train[0]
    assert row["id"] == "s0-anger-0.wav"
    assert row["group"] == "s0"
    assert row["label"] == 0
    assert row["gender"] == "male"
    assert Path(row["audio"]["path"]) == corpus_dir / "audio" / "s0-anger-0.wav"


def test_emospeech_2024_layout(corpus_dir: Path) -> None:
    """`id,label,transcription` without speakers, ids without suffix, audio beside the CSV, test without labels."""
    for path in (corpus_dir / "audio").iterdir():
        path.rename(corpus_dir / path.name)
    write_csv(corpus_dir / "train.csv", ("id", "label", "transcription"), [("s0-joy-0", "joy", "hola")])
    write_csv(corpus_dir / "test.csv", ("id", "transcription"), [("s1-joy-0", "adiós")])
    corpus = load_corpus(corpus_dir)
    assert corpus["train"][0]["audio"]["path"].endswith("s0-joy-0.wav")
    assert corpus["train"]["group"][:] == [None]
    assert corpus["test"]["label"][:] == [None]


def test_speaker_and_video_are_joined_over_all_splits(tmp_path: Path) -> None:
    header = ("id", "label", "text", "speaker", "youtube_key")
    write_csv(tmp_path / "train.csv", header, [("1", "joy", "a", "ana", "v1"), ("2", "joy", "b", "eva", "v2")])
    write_csv(tmp_path / "test.csv", header, [("3", "joy", "c", "luz", "v1"), ("4", "joy", "d", "", "")])
    corpus = load_corpus(tmp_path, ["text"])
    groups = {row["id"]: row["group"] for split in corpus.values() for row in split}
    assert groups["1"] == groups["3"] != groups["2"]
    assert groups["4"] == "4"


def test_text_only_needs_no_audio(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ("id", "label", "text"), [("1", "joy", "hola")])
    assert load_corpus(tmp_path, ["text"])["train"]["audio"][:] == [None]
    with pytest.raises(CorpusError, match=r"train\.csv, row 2 \(1\): the audio is missing"):
        load_corpus(tmp_path)


def test_speech_only_needs_no_transcript(corpus_dir: Path) -> None:
    write_csv(corpus_dir / "train.csv", HEADER, [("s0-joy-0.wav", "s0", "joy", "")])
    assert load_corpus(corpus_dir, ["speech"])["train"]["text"][:] == [""]


def test_parquet(corpus_dir: Path, tmp_path: Path) -> None:
    """Also as others write it: labels in another order, other column names, audio as bytes."""
    names = list(reversed(EMOTIONS))
    rows = [
        {"id": label, "audio": {"bytes": (corpus_dir / f"audio/s0-{label}-0.wav").read_bytes(), "path": None},
         "transcription": label, "label": names.index(label), "speaker": "s0"}
        for label in EMOTIONS
    ]  # fmt: skip
    dataset = Dataset.from_list(rows).cast_column("audio", Audio(decode=False))
    (tmp_path / "data").mkdir()
    dataset.cast_column("label", ClassLabel(names=names)).to_parquet(tmp_path / "data/train-00000-of-00001.parquet")
    train = load_corpus(tmp_path)["train"]
    assert train.features == corpus_features()
    assert train["label"][:] == list(range(6))
    assert train[0]["audio"]["bytes"][:4] == b"RIFF"


def test_hub_dataset(corpus_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the Hub would answer is put in its place; that the real one answers so is tested where there is one."""
    asked = []

    def answer(name: str, revision: str | None = None) -> DatasetDict:
        asked.append((name, revision))
        rows = {"id": ["1"], "text": ["hola"], "label": ["joy"], "speaker": ["ana"]}
        return DatasetDict(train=Dataset.from_dict(rows), other=Dataset.from_dict(rows))

    monkeypatch.setattr(loading, "load_dataset", answer)
    corpus = load_corpus("user/corpus", ["text"], revision="v1")
    assert asked == [("user/corpus", "v1")]
    assert list(corpus) == ["train"]
    assert corpus["train"][0]["group"] == "ana"


def test_parquet_without_a_column(tmp_path: Path) -> None:
    Dataset.from_dict({"id": ["1"], "text": ["a"]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(CorpusError, match=r"no column label.*columns id, text"):
        load_corpus(tmp_path, ["text"])


BAD_ROWS = {
    "unknown label": ([("s0-joy-0.wav", "s0", "hapiness", "hola")], r"row 2 .*label 'hapiness' is unknown"),
    "capital letters": ([("s0-joy-0.wav", "s0", "Joy", "hola")], r"Did you mean 'joy'"),
    "empty label": ([("s0-joy-0.wav", "s0", "joy", "a"), ("s0-joy-1.wav", "s0", "", "a")], r"row 3 .*label is empty"),
    "empty transcript": ([("s0-joy-0.wav", "s0", "joy", "  ")], r"row 2 .*transcript is empty"),
    "missing audio": ([("nowhere.wav", "s0", "joy", "hola")], r"row 2 \(nowhere.wav\): the audio is missing"),
    "unreadable audio": ([("broken.wav", "s0", "joy", "hola")], r"row 2 .*broken\.wav cannot be read.*Convert it"),
    "empty audio": ([("empty.wav", "s0", "joy", "hola")], r"row 2 .*empty\.wav holds no samples"),
    "duplicate id": ([("s0-joy-0.wav", "s0", "joy", "a")] * 2, r"row 3 .*stands already in row 2"),
    "empty id": ([("", "s0", "joy", "a")], r"row 2: the id is empty"),
    "outside the corpus": ([("../outside.wav", "s0", "joy", "a")], r"row 2 .*the audio is missing"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_rows(kind: str, corpus_dir: Path, tmp_path: Path) -> None:
    rows, message = BAD_ROWS[kind]
    (corpus_dir / "audio/broken.wav").write_bytes(b"RIFF, but nothing more")
    (tmp_path / "outside.wav").write_bytes((corpus_dir / "audio/s0-joy-0.wav").read_bytes())
    good = ("s1-fear-0.wav", "s1", "fear", "bien")
    soundfile.write(corpus_dir / "audio/empty.wav", [], 16_000)
    write_csv(corpus_dir / "train.csv", HEADER, [*rows, good])
    with pytest.raises(CorpusError, match=message) as caught:
        load_corpus(corpus_dir)
    assert "train.csv" in str(caught.value)
    assert "--skip-bad-rows" in str(caught.value)
    rejected = tmp_path / "out" / "rejected.csv"
    corpus = load_corpus(corpus_dir, skip_bad_rows=True, rejected=rejected)
    assert corpus["train"]["id"][-1] == good[0]
    assert len(corpus["train"]) == len(rows)  # each of these has one bad row
    with rejected.open(newline="", encoding="utf-8") as file:
        (entry,) = csv.DictReader(file)
    assert entry["file"] == "train.csv"
    assert int(entry["row"]) > 1
    assert entry["what"]
    assert entry["cure"]


def test_the_same_id_in_two_splits(corpus_dir: Path) -> None:
    write_csv(corpus_dir / "test.csv", HEADER, [("s0-joy-0.wav", "s9", "joy", "hola")])
    with pytest.raises(CorpusError, match=r"test\.csv, row 2 .*stands already in train\.csv, row"):
        load_corpus(corpus_dir)


def test_all_problems_are_told_at_once(corpus_dir: Path) -> None:
    write_csv(corpus_dir / "train.csv", HEADER, [(f"{n}.wav", "s0", "joy", "a") for n in range(30)])
    with pytest.raises(CorpusError, match=r"30 problems(.|\n)*and 10 more") as caught:
        load_corpus(corpus_dir)
    assert len(caught.value.problems) == 30


def test_row_numbers_count_lines_of_quoted_transcripts(corpus_dir: Path) -> None:
    rows = [("s0-joy-0.wav", "s0", "joy", "dos\nlíneas"), ("s0-joy-1.wav", "s0", "gozo", "mal")]
    write_csv(corpus_dir / "train.csv", HEADER, rows)
    with pytest.raises(CorpusError, match="row 4 "):
        load_corpus(corpus_dir)


def test_missing_column(corpus_dir: Path) -> None:
    write_csv(corpus_dir / "train.csv", ("filename", "transcription"), [("s0-joy-0.wav", "hola")])
    with pytest.raises(CorpusError, match=r"train\.csv: there is no column label.*names: filename, transcription"):
        load_corpus(corpus_dir)


def test_semicolons(corpus_dir: Path) -> None:
    (corpus_dir / "train.csv").write_text("id;label;transcription\n1;joy;hola\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="by commas, not by semicolons"):
        load_corpus(corpus_dir)


def test_empty_file(corpus_dir: Path) -> None:
    (corpus_dir / "train.csv").write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match="names: nothing"):
        load_corpus(corpus_dir)
    write_csv(corpus_dir / "train.csv", HEADER, [])
    with pytest.raises(CorpusError, match="no rows"):
        load_corpus(corpus_dir)


def test_not_utf8(corpus_dir: Path, tmp_path: Path) -> None:
    rows = [("s0-joy-0.wav", "s0", "joy", "bien"), ("s0-joy-1.wav", "s0", "joy", "Qué día")]
    write_csv(corpus_dir / "train.csv", HEADER, rows, encoding="latin-1")
    with pytest.raises(CorpusError, match=r"train\.csv, row 3: the byte 0xe9 is not UTF-8.*iconv"):
        load_corpus(corpus_dir)
    corpus = load_corpus(corpus_dir, skip_bad_rows=True, rejected=tmp_path / "rejected.csv")
    assert corpus["train"]["id"][:] == ["s0-joy-0.wav"]
    assert "not UTF-8" in (tmp_path / "rejected.csv").read_text(encoding="utf-8")


def test_byte_order_mark(corpus_dir: Path) -> None:
    write_csv(corpus_dir / "train.csv", HEADER, [("s0-joy-0.wav", "s0", "joy", "hola")], encoding="utf-8-sig")
    assert len(load_corpus(corpus_dir)["train"]) == 1


@pytest.mark.parametrize("source", ["no/such/folder", "nowhere.csv", "/absent"])
def test_no_such_source(source: str) -> None:
    with pytest.raises(FileNotFoundError, match="no folder, and no id"):
        load_corpus(source)


def test_folder_without_corpus(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither a train\.csv nor a train-\*\.parquet"):
        load_corpus(tmp_path)


def test_audio_in_a_folder_of_its_speaker(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", speakers=1)
    (folder / "audio/ana").mkdir()
    (folder / "audio/s0-joy-0.wav").rename(folder / "audio/ana/1.wav")
    write_csv(folder / "train.csv", HEADER, [("ana/1.wav", "s0", "joy", "hola")])
    assert load_corpus(folder)["train"][0]["audio"]["path"].endswith("audio/ana/1.wav")


def test_a_split_without_rows_is_told(corpus_dir: Path) -> None:
    (corpus_dir / "test.csv").write_text("id,transcription\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="the split test has no rows"):
        load_corpus(corpus_dir)


def test_a_split_of_which_nothing_is_left_is_told(corpus_dir: Path) -> None:
    """Going on without its bad rows would silently be going on without the split."""
    write_csv(corpus_dir / "test.csv", ("id", "transcription"), [("nobody.wav", "hola")])
    with pytest.raises(CorpusError, match=r"test\.csv, row 2 \(nobody\.wav\): the audio is missing"):
        load_corpus(corpus_dir, skip_bad_rows=True)


def test_rows_that_lack_audio_or_transcript(corpus_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One of the two is enough where the model is to answer to either; a recording that is there must be one."""
    rows = [
        ("s0-joy-0.wav", "s0", "joy", "qué alegría"),
        ("s1-fear-0.wav", "s1", "fear", ""),
        ("nowhere.wav", "v1", "anger", "estoy harto"),
    ]
    write_csv(corpus_dir / "train.csv", HEADER, rows)
    with caplog.at_level("INFO"):
        train = load_corpus(corpus_dir, complete=False)["train"]
    assert [row is not None for row in train["audio"]] == [True, True, False]
    assert train["text"][:] == ["qué alegría", "", "estoy harto"]
    assert "1 of 3 rows have no audio, 1 no transcript" in caplog.text
    write_csv(corpus_dir / "train.csv", HEADER, [*rows, ("gone.wav", "v2", "joy", "")])
    with pytest.raises(CorpusError, match=r"row 5 \(gone\.wav\): there is neither transcript nor audio \(sought: gone"):
        load_corpus(corpus_dir, complete=False)
    (corpus_dir / "audio" / "bad.wav").write_bytes(b"no sound")
    write_csv(corpus_dir / "train.csv", HEADER, [*rows, ("bad.wav", "v2", "joy", "qué alegría")])
    with pytest.raises(CorpusError, match=r"row 5 \(bad\.wav\): the audio .* cannot be read"):
        load_corpus(corpus_dir, complete=False)

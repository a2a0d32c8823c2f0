"""Many recordings or texts in, a table out: bad ones are listed, a kill costs a batch, settings do not mix."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from transformers import BertConfig, BertTokenizer

from emospeech_hf import (
    EMOTIONS,
    AudioTextEmotionPipeline,
)
from emospeech_hf.adaptation import make_profile, profile_of
from emospeech_hf.bulk_prediction import find_utterances, write_predictions
from emospeech_hf.cli import main
from emospeech_hf.data import CorpusError
from emospeech_hf.hub import build_release
from emospeech_hf.pipeline_emospeech import LONGEST_UTTERANCE

from .conftest import classifier, tone, write_csv


@pytest.fixture
def hears() -> AudioTextEmotionPipeline:
    return classifier(None, text_config=None)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Five recordings, in two folders, and three files that cannot be told."""
    folder = tmp_path / "calls"
    (folder / "lunes").mkdir(parents=True)
    for number in range(5):
        name = f"lunes/{number}.wav" if number % 2 else f"{number}.flac"
        soundfile.write(folder / name, tone(0.3 + number / 10, 16_000, 150 + 40 * number), 16_000)
    soundfile.write(folder / "long.wav", np.tile(tone(1, 8000), int(LONGEST_UTTERANCE) + 1), 8000)
    soundfile.write(folder / "nan.wav", np.array([0.1, np.nan] * 4000), 16_000, subtype="FLOAT")
    (folder / "noise.mp3").write_bytes(b"this is no audio")
    (folder / "notes.txt").write_text("not a recording", encoding="utf-8")
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_each_is_told_as_if_it_were_alone(
    hears: AudioTextEmotionPipeline, calls: Path, tmp_path: Path, batch_size: int
) -> None:
    output = tmp_path / "emotions.csv"
    table = write_predictions(hears, find_utterances(calls), output, batch_size=batch_size)
    rows = {row["id"]: row for row in rows_of(output)}
    assert list(rows) == [
        "0.flac",
        "2.flac",
        "4.flac",
        "long.wav",
        "lunes/1.wav",
        "lunes/3.wav",
        "nan.wav",
        "noise.mp3",
    ]
    for name in ("0.flac", "lunes/3.wav"):
        expected = hears(str(calls / name))
        assert rows[name]["label"] == expected[0]["label"]
        for entry in expected:
            assert float(rows[name][entry["label"]]) == pytest.approx(entry["score"], abs=1e-5)
        assert rows[name]["problem"] == ""
    assert "timeline" in rows["long.wav"]["problem"]
    assert "NaN" in rows["nan.wav"]["problem"]
    assert "cannot be decoded" in rows["noise.mp3"]["problem"]
    assert rows["nan.wav"]["label"] == rows["nan.wav"]["score"] == rows["nan.wav"]["joy"] == ""
    assert [row["label"] or None for row in rows.values()] == [entry["label"] for entry in table]
    assert not list(tmp_path.glob("*.partial"))


def test_json_lines(hears: AudioTextEmotionPipeline, calls: Path, tmp_path: Path) -> None:
    table = write_predictions(hears, find_utterances(calls), tmp_path / "emotions.jsonl", abstain_below=1.0)
    lines = (tmp_path / "emotions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == table
    assert table[0]["label"] == "uncertain"
    assert sorted(table[0]["scores"]) == sorted(EMOTIONS)


def test_a_run_that_was_stopped_goes_on(
    hears: AudioTextEmotionPipeline, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    utterances, output = find_utterances(calls), tmp_path / "emotions.csv"
    expected = write_predictions(hears, utterances, tmp_path / "whole.csv", batch_size=1)
    heard: list[str] = []
    preprocess = hears.preprocess

    def stopping(inputs: Any, **arguments: Any) -> Any:
        heard.append(inputs["audio"])
        if len(heard) == 4:
            raise KeyboardInterrupt
        return preprocess(inputs, **arguments)

    monkeypatch.setattr(hears, "preprocess", stopping)
    with pytest.raises(KeyboardInterrupt):
        write_predictions(hears, utterances, output, batch_size=1)
    assert not output.exists()
    partial = tmp_path / "emotions.csv.partial"
    with partial.open("a", encoding="utf-8") as file:
        file.write('{"key": "half a li')
    # A recording that was replaced since is heard again.
    shutil.copy(calls / "4.flac", calls / "0.flac")
    table = write_predictions(hears, utterances, output, batch_size=1)
    assert [Path(path).name for path in heard[4:]] == ["2.flac", "nan.wav", "3.wav", "0.flac", "4.flac"]
    assert table[1:] == expected[1:]  # in the order of the folder, whatever was heard first
    assert table[0]["scores"] == pytest.approx(expected[2]["scores"])
    assert not partial.exists()


def test_what_was_begun_is_not_mixed_with_another_model(
    hears: AudioTextEmotionPipeline, calls: Path, tmp_path: Path
) -> None:
    output, utterances = tmp_path / "emotions.csv", find_utterances(calls)
    partial = tmp_path / "emotions.csv.partial"
    begun = '{"model": "another", "transcriber": null}\n{"key": "a", "entry": {"id": "a.wav", "label": "joy"}}\n'
    partial.write_text(begun, encoding="utf-8")
    with pytest.raises(ValueError, match=r"another model.*--overwrite"):
        write_predictions(hears, utterances, output)
    partial.write_text("no json\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"damaged.*--overwrite"):
        write_predictions(hears, utterances, output)
    write_predictions(hears, utterances, output, overwrite=True)
    with pytest.raises(FileExistsError, match="--overwrite"):
        write_predictions(hears, utterances, output)
    assert len(write_predictions(hears, utterances, output, overwrite=True)) == 8


def test_a_table_with_transcripts(
    text_config: BertConfig, tokenizer: BertTokenizer, calls: Path, tmp_path: Path
) -> None:
    both = classifier(tokenizer, text_config=text_config)
    rows = [("0.flac", "qué asco"), ("2.flac", ""), ("5.flac", "hola"), ("0.flac", "qué alegría")]
    write_csv(calls / "words.csv", ("filename", "transcription"), rows)
    utterances = find_utterances(calls / "words.csv")
    found = write_predictions(both, utterances, tmp_path / "a.csv")
    expected = both({"audio": str(calls / "0.flac"), "text": "qué asco"})
    assert found[0]["scores"] == pytest.approx({entry["label"]: entry["score"] for entry in expected}, abs=1e-5)
    assert found[0]["scores"] != found[3]["scores"]
    assert "'text' is missing" in found[1]["problem"]
    assert "no such recording: 5.flac" in found[2]["problem"]
    # A model that takes either reads where there is nothing to hear.
    either = classifier(tokenizer, text_config=text_config, fusion="late", missing_modalities=True)
    assert [entry["problem"] for entry in write_predictions(either, utterances, tmp_path / "b.csv")] == [None] * 4
    # A recogniser fills in what is not there, and says what it heard.
    transcribes = classifier(tokenizer, lambda recording: {"text": "qué miedo"}, text_config=text_config)
    found = write_predictions(transcribes, utterances, tmp_path / "c.csv")
    assert [entry["text"] for entry in found] == [None, "qué miedo", None, None]


def test_texts_alone(text_config: BertConfig, tokenizer: BertTokenizer, calls: Path, tmp_path: Path) -> None:
    reads = classifier(tokenizer, text_config=text_config, num_mfcc=0)
    write_csv(tmp_path / "texts.csv", ("id", "text"), [("1", "qué asco"), ("2", "hola")])
    found = write_predictions(reads, find_utterances(tmp_path / "texts.csv"), tmp_path / "a.csv")
    assert found[1]["label"] == reads("hola")[0]["label"]
    with pytest.raises(ValueError, match="--transcribe"):
        write_predictions(reads, find_utterances(calls), tmp_path / "b.csv")


def test_bad_input(
    hears: AudioTextEmotionPipeline, text_config: BertConfig, tokenizer: BertTokenizer, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_utterances(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no recordings"):
        find_utterances(tmp_path)
    write_csv(tmp_path / "a.csv", ("name", "text"), [("a.wav", "hola")])
    with pytest.raises(CorpusError, match="no column id or filename"):
        find_utterances(tmp_path / "a.csv")
    write_csv(tmp_path / "b.csv", ("filename", "text"), [])
    with pytest.raises(FileNotFoundError, match="no rows"):
        find_utterances(tmp_path / "b.csv")
    write_csv(tmp_path / "c.csv", ("filename", "text"), [("a.wav", "hola")])
    with pytest.raises(ValueError, match=r"hears.*a\.wav in"):
        write_predictions(hears, find_utterances(tmp_path / "c.csv"), tmp_path / "x.csv")
    with pytest.raises(ValueError, match="suffix"):
        write_predictions(hears, [], tmp_path / "x.xlsx")


def test_each_speaker_by_an_own_profile(calls: Path, tmp_path: Path) -> None:
    classify = classifier(None, text_config=None, standardize=True)
    expected: dict[str, Any] = {}
    for names in (("0.flac", "2.flac", "4.flac"), ("lunes/1.wav", "lunes/3.wav")):
        profile = profile_of(classify, [str(calls / name) for name in names], chosen=False)
        for name in names:
            answer = classify(str(calls / name), speaker=profile)
            expected[name] = {entry["label"]: entry["score"] for entry in answer}
    table = write_predictions(classify, find_utterances(calls), tmp_path / "a.csv", own_profiles=True)
    plain = write_predictions(classify, find_utterances(calls), tmp_path / "b.csv")
    assert [entry["id"] for entry in table] == [entry["id"] for entry in plain]
    for entry, without in zip(table, plain):
        assert (entry["problem"] is None) == (entry["id"] in expected)
        if entry["problem"] is None:
            assert entry["scores"] == pytest.approx(expected[entry["id"]], abs=1e-5)
            assert entry["scores"] != pytest.approx(without["scores"], abs=1e-5)
    # The same two people by a column, in another order.
    rows = [(name, "ana" if "/" in name else "leo") for name in reversed(expected)]
    write_csv(calls / "people.csv", ("filename", "speaker"), rows)
    by_column = write_predictions(
        classify, find_utterances(calls / "people.csv"), tmp_path / "c.csv", own_profiles=True
    )
    for entry in by_column:
        assert entry["scores"] == pytest.approx(expected[entry["id"]], abs=1e-5)
    write_csv(calls / "nobody.csv", ("filename",), [("0.flac",)])
    with pytest.raises(ValueError, match="no column speaker"):
        write_predictions(classify, find_utterances(calls / "nobody.csv"), tmp_path / "d.csv", own_profiles=True)
    unable = classifier(None, text_config=None)
    with pytest.raises(ValueError, match="standardised"):
        write_predictions(unable, find_utterances(calls), tmp_path / "d.csv", own_profiles=True)


def test_command_line(calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classify = classifier(None, text_config=None, standardize=True)
    release = str(build_release(classify.model, classify.processor, tmp_path / "release"))
    make_profile(release, [str(calls / name) for name in ("0.flac", "2.flac", "4.flac")]).save(tmp_path / "ana")
    arguments = ["predict", "--model", release, "--data", str(calls)]
    output = ["--output", str(tmp_path / "emotions.csv")]
    main([*arguments, *output, "--speaker", str(tmp_path / "ana")])
    printed = capsys.readouterr().out
    assert printed.startswith("5 utterances: ")
    assert "3 could not be used" in printed
    assert "long.wav" in printed
    expected = classify(str(calls / "0.flac"), speaker=tmp_path / "ana")
    assert float(rows_of(tmp_path / "emotions.csv")[0]["score"]) == pytest.approx(expected[0]["score"], abs=1e-5)
    for bad, message in (
        (["--output", str(tmp_path / "emotions.csv")], "--overwrite"),
        (["--output", str(tmp_path / "emotions.txt")], "suffix"),
        ([], "--output"),
        ([*output, "--audio", "a.wav"], "leave one of them out"),
        (["--output", str(tmp_path / "b.csv"), "--own-profiles", "--speaker", str(tmp_path / "ana")], "leave one"),
    ):
        with pytest.raises(SystemExit):
            main([*arguments, *bad])
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", "--model", release, "--audio", str(calls / "0.flac"), *output])
    assert "--data" in capsys.readouterr().err

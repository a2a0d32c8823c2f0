"""`emospeech adapt`: a folder of clips in, a profile out that `emospeech predict` takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.adaptation import find_clips, make_profile, read_labels, windows_as_clips
from emospeech_hf.audio_emospeech import AudioError
from emospeech_hf.cli import main
from emospeech_hf.data import CorpusError
from emospeech_hf.hub import build_release
from emospeech_hf.inference import load_pipeline
from emospeech_hf.speaker_emospeech import SpeakerProfile

from .conftest import tone, write_csv


@pytest.fixture
def release(tmp_path: Path, text_config: object, tokenizer: object) -> Path:
    torch.manual_seed(0)
    config = EmoSpeechConfig(text_config=text_config, num_mfcc=13, standardize=True, fusion_dim=8)
    model = EmoSpeechForEmotionClassification(config).eval()
    model.emospeech.standardization["mfcc"].fit(50 * torch.randn(20, 13))
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=13), tokenizer)
    return build_release(model, processor, tmp_path / "release")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(20):
        soundfile.write(folder / f"{number:02d}.wav", tone(0.3 + number / 50, 16_000, 150.0 + 30 * number), 16_000)
    (folder / "notes.txt").write_text("not a recording", encoding="utf-8")
    return folder


def test_clips_in_profile_out(release: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "people" / "ana.safetensors"
    main(["adapt", "--model", str(release), "--data", str(clips), "--output", str(file)])
    assert "20 clips" in capsys.readouterr().out
    profile = SpeakerProfile.load(file)
    model = EmoSpeechForEmotionClassification.from_pretrained(release)
    extractor = EmoSpeechFeatureExtractor(num_mfcc=13)
    means = torch.from_numpy(extractor.mfcc_means([str(path) for path in find_clips(clips)]))
    with torch.no_grad():
        expected = model.emospeech.get_speaker_embeddings(mfcc_means=means).mean(dim=0)
    torch.testing.assert_close(profile.shift, profile.weight * expected, atol=1e-4, rtol=1e-4)
    arguments = ["predict", "--model", str(release), "--audio", str(clips / "03.wav"), "--text", "hola", "--json"]
    main(arguments)
    plain = json.loads(capsys.readouterr().out)
    main([*arguments, "--speaker", str(file)])
    assert json.loads(capsys.readouterr().out) != plain


def test_bad_clips(release: Path, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no recordings"):
        find_clips(tmp_path / "empty")
    (clips / "05.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match=r"05\.wav"):
        make_profile(str(release), find_clips(clips))


def test_a_long_recording_is_so_many_clips(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = np.concatenate([tone(16.0, 8_000), np.zeros(64_000), tone(8.0, 8_000, pitch=150)])
    soundfile.write(tmp_path / "long.wav", samples, 8_000, subtype="FLOAT")
    main(["adapt", "--model", str(release), "--data", str(tmp_path / "long.wav"), "--output", str(tmp_path / "a")])
    assert "3 clips" in capsys.readouterr().out
    pieces = [samples[:64_000], samples[64_000:128_000], samples[192_000:]]
    expected = make_profile(str(release), [{"array": piece, "sampling_rate": 8_000} for piece in pieces])
    torch.testing.assert_close(SpeakerProfile.load(tmp_path / "a").shift, expected.shift)

    soundfile.write(tmp_path / "silence.wav", np.zeros(64_000), 8_000)
    with pytest.raises(AudioError, match="nothing to hear"):
        make_profile(str(release), windows_as_clips(tmp_path / "silence.wav"))


def test_labelled_clips(release: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The clips that are labelled are told better than before, and the file gives what `predict` then uses."""
    told = {f"{number:02d}.wav": ("joy", "fear")[number % 2] for number in range(0, 20, 3)}
    table = tmp_path / "labels.csv"
    write_csv(table, ("filename", "label"), list(told.items()))
    files = {name: tmp_path / f"{name}.safetensors" for name in ("plain", "labelled")}
    arguments = ["adapt", "--model", str(release), "--data", str(clips), "--output"]
    main([*arguments, str(files["plain"])])
    main([*arguments, str(files["labelled"]), "--labels", str(table)])
    assert f"{len(told)} of them are labelled" in capsys.readouterr().out
    profiles = {name: SpeakerProfile.load(file) for name, file in files.items()}
    assert torch.equal(profiles["plain"].shift, profiles["labelled"].shift)
    assert profiles["labelled"].labelled == len(told)
    classify = load_pipeline(str(release))
    utterances = [{"audio": str(clips / name), "text": "hola"} for name in told]
    sums = {}
    for name, file in files.items():
        answers = classify(utterances, speaker=file, batch_size=4)
        scores = [{entry["label"]: entry["score"] for entry in answer} for answer in answers]
        sums[name] = sum(row[label] for row, label in zip(scores, told.values()))
        alone = classify(utterances[0], speaker=file)
        assert scores[0] == pytest.approx({entry["label"]: entry["score"] for entry in alone}, abs=1e-5)
    assert sums["labelled"] > sums["plain"] + 0.05 * len(told)


def test_bad_labels(release: Path, clips: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    write_csv(table, ("filename", "label"), [("00.wav", "joi")])
    with pytest.raises(CorpusError, match=r"labels\.csv, row 2 \(00\.wav\): the label 'joi' .* Did you mean 'joy'"):
        read_labels(table, find_clips(clips))
    write_csv(table, ("filename", "label"), [("01", "joy"), ("99.wav", "joy")])
    with pytest.raises(CorpusError, match=r"row 3 \(99\.wav\): there is no such recording.*00\.wav and 19 others"):
        read_labels(table, find_clips(clips))
    write_csv(table, ("filename", "label"), [("01", "joy")])
    assert read_labels(table, find_clips(clips)) == [None, "joy", *[None] * 18]
    arguments = ["adapt", "--model", str(release), "--output", str(tmp_path / "a"), "--labels", str(table)]
    with pytest.raises(SystemExit):
        main([*arguments, "--data", str(clips / "00.wav")])

"""Emotions over time: through the pipeline, and into every kind of file."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from transformers import BertConfig, BertTokenizer, WhisperConfig, WhisperFeatureExtractor, pipeline

from emospeech_hf import (
    EMOTIONS,
    AudioTextEmotionPipeline,
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.cli import main
from emospeech_hf.hub import build_release
from emospeech_hf.speaker_emospeech import SpeakerProfile
from emospeech_hf.timeline import write_timeline

from .conftest import tone


RATE = 16_000


@pytest.fixture
def listener(whisper_config: WhisperConfig) -> AudioTextEmotionPipeline:
    config = EmoSpeechConfig(text_config=None, speech_config=whisper_config, num_mfcc=13, fusion_dim=8)
    extractor = EmoSpeechFeatureExtractor(num_mfcc=13, speech_extractor=WhisperFeatureExtractor())
    model = EmoSpeechForEmotionClassification(config)
    return pipeline("audio-text-emotion", model=model, processor=EmoSpeechProcessor(extractor), device=-1)


@pytest.fixture
def adaptable(whisper_config: WhisperConfig) -> AudioTextEmotionPipeline:
    """As the listener, standardised, so that it takes profiles."""
    torch.manual_seed(0)
    config = EmoSpeechConfig(
        text_config=None, speech_config=whisper_config, num_mfcc=13, fusion_dim=8, standardize=True, temperature=5.0
    )
    extractor = EmoSpeechFeatureExtractor(num_mfcc=13, speech_extractor=WhisperFeatureExtractor())
    model = EmoSpeechForEmotionClassification(config)
    model.emospeech.standardization["mfcc"].fit(30 * torch.randn(20, 13))
    return pipeline("audio-text-emotion", model=model, processor=EmoSpeechProcessor(extractor), device=-1)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Four seconds of tone, four of nothing, three of tone."""
    samples = np.concatenate([tone(4.0, RATE), np.zeros(4 * RATE), tone(3.0, RATE, pitch=140)])
    soundfile.write(tmp_path / "long.wav", samples, RATE, subtype="FLOAT")
    return tmp_path / "long.wav"


def test_each_window_answers_as_it_would_alone(listener: AudioTextEmotionPipeline, recording: Path) -> None:
    entries = listener(str(recording), return_timestamps=True, window=2.0, overlap=0.0, batch_size=3)
    assert [(entry["start"], entry["end"]) for entry in entries] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10), (9, 11)]
    assert [entry["label"] == "silence" for entry in entries] == [False, False, True, True, False, False]
    samples, _ = soundfile.read(recording, dtype="float32")
    for entry in entries:
        if entry["label"] == "silence":
            assert entry["score"] is None
            assert entry["scores"] == {}
            continue
        piece = samples[int(entry["start"] * RATE) : int(entry["end"] * RATE)]
        alone = {found["label"]: found["score"] for found in listener(piece, sampling_rate=RATE)}
        assert entry["scores"] == pytest.approx(alone, abs=1e-5)
        assert entry["score"] == max(entry["scores"].values())
        assert entry["text"] is None


def test_recordings_of_other_lengths_in_one_batch(listener: AudioTextEmotionPipeline) -> None:
    recordings = [{"array": tone(seconds, RATE), "sampling_rate": RATE} for seconds in (0.7, 3.1, 1.4)]
    alone = [listener(recorded) for recorded in recordings]
    together = listener(recordings, batch_size=3)
    for one, other in zip(alone, together, strict=True):
        scores = {found["label"]: found["score"] for found in other}
        assert scores == pytest.approx({found["label"]: found["score"] for found in one}, abs=1e-5)


def test_streaming_answers_before_the_end(listener: AudioTextEmotionPipeline, recording: Path) -> None:
    samples, _ = soundfile.read(recording, dtype="float32")
    given = []

    def chunks() -> Any:
        for start in range(0, len(samples), RATE // 2):
            given.append(start / RATE)
            yield samples[start : start + RATE // 2]

    stream = listener.timeline(chunks(), window=2.0, overlap=0.0, sampling_rate=RATE, batch_size=1)
    first = next(stream)
    assert given == [0, 0.5, 1, 1.5]
    whole = listener(str(recording), return_timestamps=True, window=2.0, overlap=0.0)
    for streamed, stored in zip([first, *stream], whole, strict=True):
        assert streamed["label"] == stored["label"]
        assert streamed["scores"] == pytest.approx(stored["scores"], abs=1e-5)


def test_windows_are_as_long_as_the_model_says(listener: AudioTextEmotionPipeline, recording: Path) -> None:
    def spans(**arguments: float) -> list[tuple[float, float]]:
        return [(found["start"], found["end"]) for found in listener.timeline(str(recording), **arguments)]

    assert spans() == [(0, 8), (3, 11)]
    listener.model.config.window_seconds = 4.0
    assert spans() == [(0, 4), (3, 7), (6, 10), (7, 11)]
    assert spans(window=6.0, overlap=0.0) == [(0, 6), (5, 11)]


def test_options(listener: AudioTextEmotionPipeline, recording: Path) -> None:
    listener.model.config.temperature = 50.0  # MFCC in the hundreds make random weights sure of themselves
    doubtful = listener(str(recording), return_timestamps=True, abstain_below=0.999)
    assert {entry["label"] for entry in doubtful} == {"uncertain"}
    assert all(sorted(entry["scores"]) == sorted(EMOTIONS) for entry in doubtful)
    plain = listener(str(recording), return_timestamps=True)
    profile = SpeakerProfile(5 * torch.ones(29), 3, 1.0)
    moved = listener(str(recording), return_timestamps=True, speaker=profile)
    assert plain[0]["scores"] != pytest.approx(moved[0]["scores"], abs=1e-4)
    with pytest.raises(ValueError, match="leave `text` out"):
        listener({"audio": str(recording), "text": "hola"}, return_timestamps=True)
    with pytest.raises(ValueError, match="batch_size"):
        listener(str(recording), return_timestamps=True, batch_size=0)


def test_words_of_each_window(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, recording: Path
) -> None:
    silent = pipeline("audio-text-emotion", model=model, processor=processor, device=-1)
    with pytest.raises(ValueError, match="give the pipeline a transcriber"):
        silent(str(recording), return_timestamps=True)
    heard = iter(["qué asco me da", "  ", "hola", "tengo miedo"])

    def recognise(recorded: dict[str, Any], **options: Any) -> dict[str, str]:
        return {"text": next(heard)}

    classify = pipeline("audio-text-emotion", model=model, processor=processor, device=-1, transcriber=recognise)
    entries = classify(str(recording), return_timestamps=True, window=2.0, overlap=0.0)
    assert [entry["text"] for entry in entries] == ["qué asco me da", None, None, None, "hola", "tengo miedo"]
    assert [entry["label"] for entry in entries][1:4] == ["no words", "silence", "silence"]
    samples, _ = soundfile.read(recording, dtype="float32")
    alone = classify({"audio": samples[: 2 * RATE], "sampling_rate": RATE, "text": "qué asco me da"})
    assert entries[0]["score"] == pytest.approx(alone[0]["score"], abs=1e-5)


def test_a_model_of_speech_alone_gets_words_for_its_subtitles(
    listener: AudioTextEmotionPipeline, recording: Path
) -> None:
    heard = iter(["", "hola", "adiós", "bien"])

    def recognise(recorded: dict[str, Any], **options: Any) -> dict[str, str]:
        return {"text": next(heard)}

    plain = listener(str(recording), return_timestamps=True, window=2.0, overlap=0.0)
    classify = pipeline(
        "audio-text-emotion",
        model=listener.model,
        processor=listener.processor,
        device=-1,
        transcriber=recognise,
    )
    entries = classify(str(recording), return_timestamps=True, window=2.0, overlap=0.0)
    assert [found["text"] for found in entries] == [None, "hola", None, None, "adiós", "bien"]
    assert [{**found, "text": None} for found in entries] == plain


def test_a_recording_makes_its_own_speaker_s_profile(adaptable: AudioTextEmotionPipeline, recording: Path) -> None:
    """The answers are those that a profile of the recording's windows gives; each channel has its own."""
    arguments = {"return_timestamps": True, "window": 2.0, "overlap": 0.0}
    samples, _ = soundfile.read(recording, dtype="float32")
    pieces = [samples[start * RATE : (start + 2) * RATE] for start in (0, 2, 8, 9)]
    inputs = adaptable.processor(audio=[(piece, RATE) for piece in pieces], return_tensors="pt")
    with torch.no_grad():
        # So that more than one emotion is found, without which a recording makes no profile.
        adaptable.model.classifier[-1].bias -= adaptable.model(**inputs).logits.mean(dim=0)
        embeddings = adaptable.model.emospeech.get_speaker_embeddings(**inputs)
        profile = SpeakerProfile.fit(embeddings, adaptable.model(**inputs).logits.softmax(dim=1), chosen=False)
    assert profile.weight > 0.1
    plain = adaptable(str(recording), **arguments, own_profile=False)
    entries = adaptable(str(recording), **arguments, batch_size=4)
    assert [found["label"] == "silence" for found in entries] == [found["label"] == "silence" for found in plain]
    expected = adaptable(str(recording), **arguments, speaker=profile)
    for own, given, without in zip(entries, expected, plain, strict=True):
        assert own["scores"] == pytest.approx(given["scores"], abs=1e-4)
        if own["scores"]:
            assert own["scores"] != pytest.approx(without["scores"], abs=1e-6)
    other = tone(11.0, RATE, pitch=300)
    stereo = {"array": np.stack([samples, other]), "sampling_rate": RATE}
    both = adaptable(stereo, **arguments, own_profile=True, separate_channels=True)
    first = [found for found in both if found["channel"] == 0]
    assert [found["label"] for found in first] == [found["label"] for found in entries]
    for own, alone in zip(first, entries, strict=True):
        assert own["scores"] == pytest.approx(alone["scores"], abs=1e-4)
    # Sound that is still coming cannot be heard twice.
    chunks = iter([samples])
    assert next(adaptable.timeline(chunks, window=2.0, overlap=0.0, sampling_rate=RATE)) == plain[0]
    with pytest.raises(ValueError, match="leave one of them out"):
        adaptable(str(recording), return_timestamps=True, own_profile=True, speaker=profile)
    silent = {"array": np.zeros(4 * RATE), "sampling_rate": RATE}
    assert {found["label"] for found in adaptable(silent, **arguments, own_profile=True)} == {"silence"}


def test_own_profile_of_a_model_that_reads_too(
    text_config: BertConfig, tokenizer: BertTokenizer, recording: Path
) -> None:
    config = EmoSpeechConfig(
        text_config=text_config, num_mfcc=13, fusion="late", missing_modalities=True, standardize=["mfcc"]
    )
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=13), tokenizer)
    heard = iter(["qué asco me da", "  ", "hola", "tengo miedo"])

    def recognise(recorded: dict[str, Any], **options: Any) -> dict[str, str]:
        return {"text": next(heard)}

    classify = pipeline(
        "audio-text-emotion",
        model=EmoSpeechForEmotionClassification(config),
        processor=processor,
        device=-1,
        transcriber=recognise,
    )
    entries = list(classify.timeline(str(recording), window=2.0, overlap=0.0, own_profile=True))
    assert [found["text"] for found in entries] == ["qué asco me da", None, None, None, "hola", "tengo miedo"]
    # Without words it goes by the voice.
    assert [found["label"] == "silence" for found in entries] == [False, False, True, True, False, False]
    assert sum(entries[1]["scores"].values()) == pytest.approx(1)


def test_what_is_no_speech_is_not_heard(listener: AudioTextEmotionPipeline, recording: Path) -> None:
    """Of the rest, only the speech is heard."""
    samples, _ = soundfile.read(recording, dtype="float32")

    def half(waveform: np.ndarray, rate: int) -> list[tuple[float, float]]:
        assert (len(waveform), rate) == (2 * RATE, RATE)
        return [(0.0, 0.5), (1.0, 1.5)] if np.array_equal(waveform, samples[: 2 * RATE]) else [(0.0, 0.1)]

    arguments = {"return_timestamps": True, "window": 2.0, "overlap": 0.0}
    entries = listener(str(recording), **arguments, voice_activity=half)
    labels = [found["label"] for found in entries]
    assert labels[1:] == ["no speech", "silence", "silence", "no speech", "no speech"]
    speech = np.concatenate([samples[: RATE // 2], samples[RATE : 3 * RATE // 2]])
    alone = {found["label"]: found["score"] for found in listener(speech, sampling_rate=RATE)}
    assert entries[0]["scores"] == pytest.approx(alone, abs=1e-5)
    assert (entries[0]["start"], entries[0]["end"]) == (0, 2)


def test_music_and_clipping_are_heard_as_they_are(listener: AudioTextEmotionPipeline) -> None:
    """Nothing here tells music from speech, or mends what was recorded too loud: both get scores, as documented."""
    chord = sum(tone(6.0, RATE, pitch=pitch) for pitch in (262, 330, 392))
    clipped = np.clip(20 * tone(6.0, RATE), -1, 1)
    for samples in (chord, clipped):
        entries = listener({"array": samples, "sampling_rate": RATE}, return_timestamps=True, window=3.0)
        assert entries
        for found in entries:
            assert sum(found["scores"].values()) == pytest.approx(1)


def test_six_hours_in_the_memory_of_one_window(listener: AudioTextEmotionPipeline) -> None:
    """Almost all of it is silence, so that it is the path that is measured and not the model."""
    rate, hours = 8000, 6

    def chunks() -> Any:
        minute = np.zeros(60 * rate, np.float32)
        for number in range(60 * hours):
            yield minute + (tone(60.0, rate).astype(np.float32) if number in (0, 359) else 0)

    tracemalloc.start()
    try:
        entries = list(listener.timeline(chunks(), window=30.0, overlap=0.0, sampling_rate=rate, batch_size=1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(entries), entries[-1]["end"]) == (720, 6 * 3600)
    assert [place for place, found in enumerate(entries) if found["scores"]] == [0, 1, 718, 719]
    assert peak < 100 * 2**20


def entry(start: float, end: float, label: str, channel: int = 0) -> dict[str, Any]:
    scores = {} if label == "silence" else {name: 0.7 if name == label else 0.06 for name in EMOTIONS}
    return {
        "start": start,
        "end": end,
        "channel": channel,
        "text": None if label == "silence" else "¿Qué, tal?",
        "label": label,
        "score": scores.get(label),
        "scores": scores,
    }


ENTRIES = [entry(0, 8, "joy"), entry(6, 14, "silence"), entry(3612.5, 3620.25, "anger")]


def test_tables(tmp_path: Path) -> None:
    write_timeline(ENTRIES, tmp_path / "a.csv", EMOTIONS)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["joy", "silence", "anger"]
    assert rows[0]["text"] == "¿Qué, tal?"
    assert float(rows[0]["joy"]) == 0.7
    assert rows[1]["joy"] == rows[1]["score"] == ""
    write_timeline(ENTRIES, tmp_path / "a.jsonl", EMOTIONS)
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()] == ENTRIES


def test_subtitles(tmp_path: Path) -> None:
    write_timeline(ENTRIES, tmp_path / "a.srt", EMOTIONS)
    assert (tmp_path / "a.srt").read_text(encoding="utf-8") == (
        "1\n00:00:00,000 --> 00:00:06,000\n[joy 70%] ¿Qué, tal?\n\n"
        "2\n01:00:12,500 --> 01:00:20,250\n[anger 70%] ¿Qué, tal?\n"
    )
    write_timeline([*ENTRIES, entry(0, 8, "fear", channel=1)], tmp_path / "a.vtt", EMOTIONS)
    assert (
        (tmp_path / "a.vtt")
        .read_text(encoding="utf-8")
        .startswith("WEBVTT\n\n00:00:00.000 --> 00:00:06.000\n(0) [joy 70%] ¿Qué, tal?\n")
    )


def test_picture(tmp_path: Path) -> None:
    write_timeline([*ENTRIES, entry(0, 8, "fear", channel=1)], tmp_path / "a.png", EMOTIONS, "a.wav")
    for name in ("a.png", "a.channel1.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.txt: a timeline is a file with the suffix \.csv, \.jsonl"):
        write_timeline(ENTRIES, tmp_path / "a.txt", EMOTIONS)


def test_command(
    listener: AudioTextEmotionPipeline, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = build_release(listener.model, listener.processor, tmp_path / "release")
    files = [str(tmp_path / "out" / name) for name in ("a.csv", "a.srt", "a.png")]
    arguments = ["timeline", "--model", str(release), "--audio", str(recording), "--window", "2", "--overlap", "0"]
    main([*arguments, "--output", *files])
    assert "6 windows" in capsys.readouterr().out
    assert all(Path(file).stat().st_size for file in files)
    with Path(files[0]).open(encoding="utf-8", newline="") as file:
        assert [row["label"] == "silence" for row in csv.DictReader(file)] == [False, False, True, True, False, False]
    with pytest.raises(SystemExit):
        main([*arguments, "--output", str(tmp_path / "a.txt")])
    assert "a.txt: a timeline is a file" in capsys.readouterr().err


def test_command_with_several_recordings(
    listener: AudioTextEmotionPipeline, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = build_release(listener.model, listener.processor, tmp_path / "release")
    folder = tmp_path / "talks"
    (folder / "lunes").mkdir(parents=True)
    for name in ("a.wav", "lunes/a.wav"):
        (folder / name).write_bytes(recording.read_bytes())
    soundfile.write(folder / "b.wav", np.array([0.1, np.nan] * 4000), 16_000, subtype="FLOAT")
    arguments = ["timeline", "--model", str(release), "--audio", str(folder), str(recording), "--window", "2"]
    with pytest.raises(SystemExit):
        main([*arguments, "--output", str(tmp_path / "out/a.csv")])
    assert "Write {name} into --output" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--output", str(tmp_path / "out/{name}.csv"), str(tmp_path / "out/{name}.srt")])
    told = capsys.readouterr()
    assert "1 of 4 recordings could not be used" in told.err
    assert "NaN" in told.err
    assert told.out.count("windows") == 3
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    names = ("a", "lunes/a", recording.stem)
    assert written == {name + suffix for name in names for suffix in (".csv", ".srt")}
    assert (tmp_path / "out/a.csv").read_bytes() == (tmp_path / "out/lunes/a.csv").read_bytes()
    # Only what is not there yet is heard again.
    (folder / "b.wav").unlink()
    (tmp_path / "out/a.srt").unlink()
    main([*arguments, "--output", str(tmp_path / "out/{name}.csv"), str(tmp_path / "out/{name}.srt")])
    told = capsys.readouterr()
    assert told.out.count("windows") == 1
    assert told.out.count("there already") == 2
    assert (tmp_path / "out/a.srt").is_file()
    (folder / "a.mp3").write_bytes(b"another of that name")
    with pytest.raises(SystemExit):
        main([*arguments, "--output", str(tmp_path / "out/{name}.csv")])
    assert "would be of both" in capsys.readouterr().err

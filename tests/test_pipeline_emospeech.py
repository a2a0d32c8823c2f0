"""The pipeline: every way in, and a clear word where something is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from datasets import Audio, Dataset
from transformers import BertConfig, BertTokenizer, pipeline

from emospeech_hf import (
    EMOTIONS,
    AudioTextEmotionPipeline,
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
    pipeline_emospeech,
)

from .conftest import tone


@pytest.fixture
def classify(model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor) -> AudioTextEmotionPipeline:
    return pipeline("audio-text-emotion", model=model, processor=processor, device=-1)


def single(text_config: BertConfig, tokenizer: BertTokenizer, kind: str) -> AudioTextEmotionPipeline:
    config = EmoSpeechConfig(
        text_config=text_config if kind == "text" else None, num_mfcc=128 if kind == "speech" else 0, fusion_dim=8
    )
    processor = EmoSpeechProcessor(
        EmoSpeechFeatureExtractor(num_mfcc=config.num_mfcc), tokenizer if kind == "text" else None
    )
    model = EmoSpeechForEmotionClassification(config)
    return pipeline("audio-text-emotion", model=model, processor=processor, device=-1)


def test_answer(classify: AudioTextEmotionPipeline, wav: Path) -> None:
    answer = classify({"audio": str(wav), "text": "qué asco"})
    assert sorted(entry["label"] for entry in answer) == sorted(EMOTIONS)
    scores = [entry["score"] for entry in answer]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert classify({"audio": str(wav), "text": "qué asco"}, top_k=2) == answer[:2]


def test_every_kind_of_audio(classify: AudioTextEmotionPipeline, wav: Path) -> None:
    samples, rate = soundfile.read(wav, dtype="float32")
    expected = classify({"audio": wav, "text": "qué asco"})
    for utterance in (
        {"audio": wav.read_bytes()},
        {"audio": {"array": samples, "sampling_rate": rate}},
        {"audio": samples, "sampling_rate": rate},
        {"audio": (samples, rate)},
        {"audio": {"bytes": wav.read_bytes(), "path": None}},
    ):
        found = classify({**utterance, "text": "qué asco"})
        assert [entry["label"] for entry in found] == [entry["label"] for entry in expected]
        np.testing.assert_allclose([e["score"] for e in found], [e["score"] for e in expected], atol=1e-5)
    assert classify({"audio": samples, "text": "qué asco"}, sampling_rate=rate)[0]["label"] == expected[0]["label"]


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_list_generator_and_dataset(classify: AudioTextEmotionPipeline, wav: Path, batch_size: int) -> None:
    rows = [{"audio": str(wav), "text": text} for text in ("qué asco", "tengo mucho miedo hoy a las cinco", "hola")]
    expected = [classify(row) for row in rows]
    dataset = Dataset.from_list(rows).cast_column("audio", Audio(decode=False))
    many = {
        "list": classify(rows, batch_size=batch_size),
        "generator": list(classify((row for row in rows), batch_size=batch_size)),
        "dataset": list(classify(dataset, batch_size=batch_size)),
    }
    for kind, answers in many.items():
        assert len(answers) == 3, kind
        for found, single_answer in zip(answers, expected):
            scores = {entry["label"]: entry["score"] for entry in single_answer}
            for entry in found:
                assert entry["score"] == pytest.approx(scores[entry["label"]], abs=1e-5), kind
    assert classify([]) == []


def test_temperature(classify: AudioTextEmotionPipeline, wav: Path) -> None:
    utterance = {"audio": wav, "text": "qué asco"}
    sharp = classify(utterance)[0]["score"]
    classify.model.config.temperature = 100.0
    assert classify(utterance)[0]["score"] < sharp
    assert classify(utterance)[0]["score"] == pytest.approx(1 / 6, abs=0.02)


@pytest.mark.parametrize(
    ("utterance", "message"),
    [
        ({"audio": "a.wav"}, "'text' is missing"),
        ({"text": "hola"}, "'audio' is missing"),
        ({"audio": None, "text": "hola"}, "'audio' is missing"),
        ({"text": None}, "'audio' and 'text' is missing"),
        ("a.wav", "takes {'audio'"),
        ({"sound": "a.wav"}, r"not the keys \['sound'\]"),
        ({"audio": "a.wav", "text": "  "}, "transcript is empty"),
        ({"audio": "a.wav", "text": "hola"}, "no such audio file"),
        ({"audio": np.zeros(100), "text": "hola"}, "sampling rate"),
    ],
)
def test_bad_utterances(classify: AudioTextEmotionPipeline, utterance: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classify(utterance)


def test_a_long_recording_is_better_told_over_time(
    text_config: BertConfig, tokenizer: BertTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(pipeline_emospeech.logger, "warning_once", told.append)
    classify = single(text_config, tokenizer, "speech")
    for seconds in (29, 31):
        classify({"array": np.tile(tone(1.0, 8000), seconds), "sampling_rate": 8000})
    assert len(told) == 1
    assert "return_timestamps" in told[0]


def test_bad_arguments(classify: AudioTextEmotionPipeline, wav: Path) -> None:
    utterance = {"audio": wav, "text": "hola"}
    with pytest.raises(ValueError, match="top_k"):
        classify(utterance, top_k=0)
    with pytest.raises(ValueError, match="abstain_below"):
        classify(utterance, abstain_below=70)
    with pytest.raises(TypeError, match="'topk'"):
        classify(utterance, topk=1)


def test_text_only(text_config: BertConfig, tokenizer: BertTokenizer, wav: Path) -> None:
    classify = single(text_config, tokenizer, "text")
    expected = classify({"text": "qué asco"})
    assert classify("qué asco") == expected == classify({"text": "qué asco", "audio": str(wav)})
    assert len(classify(["qué asco", "hola"], batch_size=2)) == 2
    with pytest.raises(ValueError, match="'text' is missing"):
        classify({"audio": str(wav)})
    for recording in (str(wav), "Llamada 1.MP3", wav, wav.read_bytes(), np.zeros(100)):
        with pytest.raises(ValueError, match="does not hear"):
            classify(recording)
    with pytest.raises(ValueError, match="'text' is missing"):
        classify(None)


def test_speech_only(text_config: BertConfig, tokenizer: BertTokenizer, wav: Path) -> None:
    classify = single(text_config, tokenizer, "speech")
    expected = classify({"audio": str(wav)})
    samples, rate = soundfile.read(wav, dtype="float32")
    assert classify(str(wav)) == expected == classify(wav.read_bytes())
    assert classify({"array": samples, "sampling_rate": rate}) == expected
    assert len(classify([str(wav), str(wav)], batch_size=2)) == 2


def test_abstaining(classify: AudioTextEmotionPipeline, wav: Path) -> None:
    utterance = {"audio": str(wav), "text": "qué asco"}
    answer = classify(utterance)
    best = answer[0]["score"]
    assert classify(utterance, abstain_below=best - 0.01) == answer
    abstained = classify(utterance, abstain_below=best + 0.01)
    assert abstained[0] == {"label": "uncertain", "score": pytest.approx(1 - best)}
    assert abstained[1:] == answer


def test_one_of_two_modalities(text_config: BertConfig, tokenizer: BertTokenizer, wav: Path) -> None:
    """A model that was trained for it takes both, speech or text, also side by side in one batch."""
    config = EmoSpeechConfig(text_config=text_config, fusion="late", missing_modalities=True)
    torch.manual_seed(0)
    model = EmoSpeechForEmotionClassification(config).eval()
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(), tokenizer)
    classify = pipeline("audio-text-emotion", model=model, processor=processor, device=-1)
    speech, text = {"audio": str(wav)}, {"text": "qué asco"}
    utterances = [{**speech, **text}, speech, text]
    answers = [classify(utterance) for utterance in utterances]
    for row, answer in enumerate(classify(utterances, batch_size=3)):
        scores = {entry["label"]: entry["score"] for entry in answer}
        assert scores == pytest.approx({entry["label"]: entry["score"] for entry in answers[row]}, abs=1e-5)
    assert answers[0] != answers[1] != answers[2]
    assert classify(str(wav)) == answers[1]
    assert classify({**speech, "text": " "}) == answers[1]
    assert classify({"audio": None, **text}) == answers[2]
    with torch.no_grad():
        mask = torch.tensor([[True, False]])
        logits = model(mfcc_means=torch.from_numpy(processor.feature_extractor.mfcc_means([str(wav)])),
                       modality_mask=mask).logits  # fmt: skip
    assert answers[1][0]["score"] == pytest.approx(float(logits.softmax(dim=1).max()), abs=1e-5)
    assert [entry["text"] for entry in classify(str(wav), return_timestamps=True)] == [None]
    for nothing in ({"audio": None}, {"audio": None, "text": " "}):
        with pytest.raises(ValueError, match="'audio' and 'text' is missing"):
            classify(nothing)

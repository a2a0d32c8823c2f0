"""Recordings without a transcript: a recogniser writes it, the answer says what, and silence is no emotion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertTokenizer, WhisperConfig, WhisperForConditionalGeneration, pipeline

from emospeech_hf import (
    AudioTextEmotionPipeline,
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
    transcription_emospeech,
)
from emospeech_hf.audio_emospeech import AudioError
from emospeech_hf.transcription_emospeech import Transcriber

from .conftest import tone


class Recogniser:
    """Hears the same in every recording, and remembers how it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[dict[str, Any]] = []

    def __call__(self, recording: dict[str, Any], **options: Any) -> dict[str, str]:
        self.asked.append({**recording, **options})
        return {"text": self.text}


@pytest.fixture
def recogniser() -> Recogniser:
    return Recogniser("  qué asco me da ")


@pytest.fixture
def classify(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, recogniser: Recogniser
) -> AudioTextEmotionPipeline:
    return pipeline("audio-text-emotion", model=model, processor=processor, transcriber=recogniser, device=-1)


def test_it_fills_in_the_text_and_says_so(
    classify: AudioTextEmotionPipeline, recogniser: Recogniser, wav: Path
) -> None:
    answer = classify({"audio": str(wav)})
    given = classify({"audio": str(wav), "text": "qué asco me da"})
    assert [entry["text"] for entry in answer] == ["qué asco me da"] * 6
    assert [{"label": entry["label"], "score": entry["score"]} for entry in answer] == given
    assert classify(str(wav)) == answer
    assert recogniser.asked[0]["sampling_rate"] == 16_000
    assert len(recogniser.asked) == 2  # not where the text is given


def test_a_list_of_both_kinds_in_one_batch(classify: AudioTextEmotionPipeline, wav: Path) -> None:
    rows = [{"audio": str(wav)}, {"audio": str(wav), "text": "hola"}, {"audio": str(wav)}]
    alone = [classify(row) for row in rows]
    together = classify(rows, batch_size=3, top_k=1)
    for expected, (entry,) in zip(alone, together):
        assert entry["label"] == expected[0]["label"]
        assert entry["score"] == pytest.approx(expected[0]["score"], abs=1e-5)
        assert entry.get("text") == expected[0].get("text")


def test_a_model_of_text_alone_can_be_given_audio(
    text_config: BertConfig, tokenizer: BertTokenizer, recogniser: Recogniser, wav: Path
) -> None:
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=text_config, num_mfcc=0, fusion_dim=8))
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=0), tokenizer)
    classify = pipeline("audio-text-emotion", model=model, processor=processor, transcriber=recogniser, device=-1)
    assert classify({"audio": str(wav)})[0]["text"] == "qué asco me da"
    assert classify(str(wav)) == classify(wav) == classify({"audio": str(wav)})
    assert "text" not in classify("qué asco me da")[0]


def test_a_transcriber_that_hears_nothing(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path
) -> None:
    classify = pipeline("audio-text-emotion", model=model, processor=processor, transcriber=Recogniser("  "), device=-1)
    with pytest.raises(AudioError, match="hears no words"):
        classify({"audio": str(wav)})


def test_without_a_transcriber_the_cure_is_named(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path
) -> None:
    classify = pipeline("audio-text-emotion", model=model, processor=processor, device=-1)
    with pytest.raises(ValueError, match="or a transcriber"):
        classify({"audio": str(wav)})


def test_whisper_is_asked_for_spanish_and_for_long_recordings_in_pieces(whisper_config: WhisperConfig) -> None:
    recogniser: Any = Recogniser("hola")
    recogniser.model = WhisperForConditionalGeneration(whisper_config)
    recogniser.model.generation_config.is_multilingual = True
    transcriber = Transcriber(recogniser)
    transcriber({"array": tone(1.0, 8000), "sampling_rate": 8000})
    transcriber({"array": tone(31.0, 8000), "sampling_rate": 8000})
    short, long = recogniser.asked
    assert short["generate_kwargs"] == {"language": "spanish", "task": "transcribe"}
    assert len(short["raw"]) == 16_000
    assert "return_timestamps" not in short
    assert long["return_timestamps"] is True


def test_a_recogniser_in_half_precision_is_widened_on_a_cpu(
    whisper_config: WhisperConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser: Any = Recogniser("hola")
    recogniser.model = WhisperForConditionalGeneration(whisper_config).half()
    monkeypatch.setattr(transcription_emospeech, "pipeline", lambda task, model, device: recogniser)
    assert Transcriber("user/model", "cpu")({"array": tone(1.0, 8000), "sampling_rate": 8000}) == "hola"
    assert recogniser.model.dtype == torch.float32

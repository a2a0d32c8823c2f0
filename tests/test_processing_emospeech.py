"""Speech and transcript together, one or many, one modality or both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoProcessor, BertTokenizer

from emospeech_hf import EmoSpeechFeatureExtractor, EmoSpeechProcessor


def test_both(processor: EmoSpeechProcessor, wav: Path) -> None:
    batch = processor(audio=[wav, wav], text=["tengo mucho miedo", "  qué asco \n"], return_tensors="pt")
    assert list(batch) == ["mfcc_means", "input_ids", "attention_mask"] == processor.model_input_names
    assert batch["attention_mask"].sum(dim=1).tolist() == [5, 4]
    assert batch["input_ids"].dtype == torch.int64
    assert batch["mfcc_means"].dtype == torch.float32


def test_outer_blanks_do_not_matter(processor: EmoSpeechProcessor, wav: Path) -> None:
    plain = processor(audio=wav, text="qué asco", return_tensors="pt")
    blank = processor(audio=wav, text=" \n qué asco\t", return_tensors="pt")
    assert torch.equal(plain["input_ids"], blank["input_ids"])


def test_missing_modality_is_masked(processor: EmoSpeechProcessor, wav: Path) -> None:
    batch = processor(audio=[wav, None], text=[None, "qué asco"], return_tensors="pt")
    assert batch["modality_mask"].tolist() == [[True, False], [False, True]]
    assert batch["modality_mask"].dtype == torch.bool


def test_long_text_is_cut(processor: EmoSpeechProcessor, wav: Path) -> None:
    text = "miedo " * 1000
    assert processor(audio=wav, text=text, return_tensors="pt")["input_ids"].shape == (1, 32)
    assert processor(audio=wav, text=text, max_length=8, return_tensors="pt")["input_ids"].shape == (1, 8)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"text": "hola"}, "give `audio`"),
        ({"audio": "a.wav"}, "give `text`"),
        ({"audio": ["a.wav"], "text": ["a", "b"]}, "1 recordings and 2 transcripts"),
        ({"audio": ["a.wav"], "text": [3]}, "must be a string, not int"),
    ],
)
def test_bad_calls(processor: EmoSpeechProcessor, inputs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        processor(**inputs)


@pytest.mark.parametrize("kind", ["both", "text", "speech"])
def test_save_and_load(kind: str, tokenizer: BertTokenizer, wav: Path, tmp_path: Path) -> None:
    processor = EmoSpeechProcessor(
        EmoSpeechFeatureExtractor(num_mfcc=0 if kind == "text" else 128), None if kind == "speech" else tokenizer
    )
    processor.save_pretrained(tmp_path)
    given = {"audio": wav, "text": "qué asco"}
    before = processor(**given, return_tensors="pt")
    loaded = EmoSpeechProcessor.from_pretrained(tmp_path)
    assert (loaded.uses_speech, loaded.uses_text) == (kind != "text", kind != "speech")
    after = loaded(**given, return_tensors="pt")
    assert list(before) == list(after)
    for name in before:
        assert torch.equal(before[name], after[name])


def test_auto_processor(processor: EmoSpeechProcessor, config: object, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    config.save_pretrained(tmp_path)
    assert isinstance(AutoProcessor.from_pretrained(tmp_path), EmoSpeechProcessor)

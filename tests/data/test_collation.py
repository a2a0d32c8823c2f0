"""Batches are padded, and no longer than their longest example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import WhisperFeatureExtractor

from emospeech_hf import EmoSpeechFeatureExtractor, EmoSpeechProcessor
from emospeech_hf.data import EmotionCollator


def test_tokens_and_vectors(processor: EmoSpeechProcessor) -> None:
    examples = [
        {"mfcc_means": np.ones(128, np.float32), "input_ids": [2, 7, 3], "label": 1},
        {"mfcc_means": np.zeros(128, np.float32), "input_ids": [2, 7, 8, 9, 3], "label": 5},
    ]
    batch = EmotionCollator(processor)(examples)
    assert batch["mfcc_means"].shape == (2, 128)
    assert batch["input_ids"].tolist() == [[2, 7, 3, 0, 0], [2, 7, 8, 9, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["labels"].tolist() == [1, 5]
    assert batch["labels"].dtype == torch.int64


def test_without_labels(processor: EmoSpeechProcessor) -> None:
    assert list(EmotionCollator(processor)([{"text_embeds": np.ones(4), "label": None}])) == ["text_embeds"]


def test_audio_is_decoded_in_the_batch(wav: Path) -> None:
    extractor = EmoSpeechFeatureExtractor(speech_extractor=WhisperFeatureExtractor())
    collator = EmotionCollator(EmoSpeechProcessor(extractor))
    kept = np.full(128, 7, np.float32)
    batch = collator([{"audio": {"path": str(wav), "bytes": None}, "mfcc_means": kept, "label": 0}] * 2)
    assert batch["input_features"].shape == (2, 80, 3000)
    assert batch["speech_attention_mask"].shape == (2, 3000)
    assert batch["mfcc_means"][0].tolist() == kept.tolist()

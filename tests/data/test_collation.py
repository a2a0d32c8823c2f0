"""Batches are padded, and no longer than their longest example."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, WhisperFeatureExtractor

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
    assert batch["input_features"].shape == (2, 80, 80)
    assert batch["speech_attention_mask"].shape == (2, 80)
    assert batch["mfcc_means"][0].tolist() == kept.tolist()


def test_masked_tokens(processor: EmoSpeechProcessor) -> None:
    """The wanted share of the words, never a special token, and the same ones for the same seed."""
    tokenizer = processor.tokenizer
    examples = [{"input_ids": [2, *range(5, 25), 3], "label": 0} for _ in range(200)] + [
        {"input_ids": [2, 3], "label": 0}
    ]
    collator = EmotionCollator(processor).augmented(text_masking=0.2)
    torch.manual_seed(0)
    batch = collator(examples)
    masked = batch["input_ids"] == tokenizer.mask_token_id
    assert masked[:200].sum() / 4000 == pytest.approx(0.2, abs=0.02)
    assert batch["input_ids"][:, 0].tolist() == [2] * 201
    plain = EmotionCollator(processor)(examples)["input_ids"]
    assert torch.equal(batch["input_ids"][~masked], plain[~masked])
    torch.manual_seed(0)
    assert torch.equal(collator(examples)["input_ids"], batch["input_ids"])
    assert not torch.equal(collator(examples)["input_ids"], batch["input_ids"])


def test_masking_needs_a_mask_token(tokenizer: BertTokenizer) -> None:
    unmasking = copy.deepcopy(tokenizer)
    unmasking.mask_token = None
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(), unmasking)
    with pytest.raises(ValueError, match="text_masking=0"):
        EmotionCollator(processor, text_masking=0.1)


def test_modality_dropout(processor: EmoSpeechProcessor) -> None:
    """The wanted share of the rows loses one of the two, each as often, and none loses both."""
    both = np.array([True, True])
    example = {"mfcc_means": np.ones(128, np.float32), "input_ids": [2, 7, 3], "modality_mask": both, "label": 1}
    examples = [example] * 4000
    collator = EmotionCollator(processor).augmented(text_masking=0.0, modality_dropout=0.4)
    torch.manual_seed(0)
    mask = collator(examples)["modality_mask"]
    assert mask.shape == (4000, 2)
    assert mask.any(dim=1).all()
    assert (~mask).float().mean(dim=0).tolist() == pytest.approx([0.2, 0.2], abs=0.02)
    torch.manual_seed(0)
    assert torch.equal(collator(examples)["modality_mask"], mask)
    # What a row lacks, it lacks; and it does not lose the other.
    only_text = {**example, "modality_mask": np.array([False, True])}
    assert collator([only_text] * 500)["modality_mask"].tolist() == [[False, True]] * 500
    assert EmotionCollator(processor)([example, only_text])["modality_mask"].tolist() == [[True, True], [False, True]]

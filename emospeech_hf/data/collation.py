"""From examples to a batch: dynamic padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..feature_extraction_emospeech import pad_sequences
from ..processing_emospeech import EmoSpeechProcessor


ROW_TENSORS = ("mfcc_means", "text_embeds", "speech_embeds")
SEQUENCE_MASKS = {"mfcc_frames": "mfcc_mask", "text_states": "attention_mask", "speech_states": "speech_attention_mask"}
"""Columns whose rows are sequences of vectors, and the mask that tells their padding."""


class EmotionCollator:
    """
    Collates examples into the inputs of [`EmoSpeechForEmotionClassification`].

    An example holds `mfcc_means`, `text_embeds`, `speech_embeds` or `input_ids` as they were computed beforehand, or,
    for a fusion that takes sequences, `mfcc_frames`, `text_states` and `speech_states`, of shape (length, width); where
    the speech encoder is trained, it holds `audio`, which is decoded here, in the data loader's workers.

    Args:
        processor ([`EmoSpeechProcessor`]): pads the tokens and computes the speech encoder's inputs.

    Returns (when called with a list of examples):
        `dict[str, torch.Tensor]`: as in the tensor contract, and `labels` where the examples have them.
    """

    def __init__(self, processor: EmoSpeechProcessor) -> None:
        self.processor = processor

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        first = examples[0]
        batch: dict[str, torch.Tensor] = {}
        for name in ROW_TENSORS:
            if name in first:
                batch[name] = torch.from_numpy(np.asarray([example[name] for example in examples], dtype=np.float32))
        for name, mask in SEQUENCE_MASKS.items():
            if name in first:
                padded, real = pad_sequences([example[name] for example in examples])
                # The model takes an encoder's states by the name of its embedding.
                batch[name.replace("_states", "_embeds")] = torch.from_numpy(padded)
                batch[mask] = torch.from_numpy(real)
        if "input_ids" in first:
            tokens = [{"input_ids": example["input_ids"]} for example in examples]
            inputs = self.processor.tokenizer.pad(tokens, padding=True, return_attention_mask=True, return_tensors="pt")
            batch.update({name: inputs[name] for name in ("input_ids", "attention_mask")})
        if "audio" in first:
            recordings = [example["audio"] for example in examples]
            batch.update(self.processor.feature_extractor.speech_inputs(recordings))
        if first.get("label") is not None:
            batch["labels"] = torch.tensor([example["label"] for example in examples])
        return batch

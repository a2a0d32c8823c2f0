"""From examples to a batch: dynamic padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..processing_emospeech import EmoSpeechProcessor


ROW_TENSORS = ("mfcc_means", "text_embeds", "speech_embeds")


class EmotionCollator:
    """
    Collates examples into the inputs of [`EmoSpeechForEmotionClassification`].

    An example holds `mfcc_means`, `text_embeds`, `speech_embeds` or `input_ids` as they were computed beforehand;
    where the speech encoder is trained, it holds `audio`, which is decoded here, in the data loader's workers.

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
        if "input_ids" in first:
            tokens = [{"input_ids": example["input_ids"]} for example in examples]
            padded = self.processor.tokenizer.pad(tokens, padding=True, return_attention_mask=True, return_tensors="pt")
            batch.update({name: padded[name] for name in ("input_ids", "attention_mask")})
        if "audio" in first:
            recordings = [example["audio"] for example in examples]
            batch.update(self.processor.feature_extractor.speech_inputs(recordings))
        if first.get("label") is not None:
            batch["labels"] = torch.tensor([example["label"] for example in examples])
        return batch

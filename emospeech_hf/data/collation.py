"""From examples to a batch: dynamic padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..audio_emospeech import decode_audio, resample_audio
from ..feature_extraction_emospeech import pad_sequences
from ..processing_emospeech import EmoSpeechProcessor
from .augmentation import AudioAugmentation, augmented_recording


ROW_WEIGHT = "row_weight"
"""Column that tells how much a training row counts in the loss; the model knows nothing of it."""

ROW_TENSORS = ("mfcc_means", "text_embeds", "speech_embeds", "speaker_shift", ROW_WEIGHT)
SEQUENCE_MASKS = {"mfcc_frames": "mfcc_mask", "text_states": "attention_mask", "speech_states": "speech_attention_mask"}
"""Columns whose rows are sequences of vectors, and the mask that tells their padding."""


class EmotionCollator:
    """
    Collates examples into the inputs of [`EmoSpeechForEmotionClassification`].

    An example holds `mfcc_means`, `text_embeds`, `speech_embeds` or `input_ids` as they were computed beforehand, or,
    for a fusion that takes sequences, `mfcc_frames`, `text_states` and `speech_states`, of shape (length, width); where
    the speech encoder is trained, it holds `audio`, which is decoded here, in the data loader's workers. For a model
    that answers where speech or text is missing, it holds `modality_mask`, which tells which of the two it has.

    Args:
        processor ([`EmoSpeechProcessor`]): pads the tokens and computes the speech encoder's inputs.
        text_masking (`float`, *optional*, defaults to 0): share of the tokens, special ones apart, that are masked at
            random, drawn from PyTorch's generator.
        modality_dropout (`float`, *optional*, defaults to 0): share of the rows with a `modality_mask`, and both
            modalities, that lose speech or text, one as often as the other; drawn from PyTorch's generator.
        audio_augmentation ([`AudioAugmentation`], *optional*): what is done to recordings that are decoded here.

    Raises:
        ValueError: If tokens are to be masked, and the tokenizer has no token for that.

    Returns (when called with a list of examples):
        `dict[str, torch.Tensor]`: as in the tensor contract, and `labels` where the examples have them.
    """

    def __init__(
        self,
        processor: EmoSpeechProcessor,
        text_masking: float = 0.0,
        modality_dropout: float = 0.0,
        audio_augmentation: AudioAugmentation | None = None,
    ) -> None:
        if text_masking and processor.tokenizer is not None and processor.tokenizer.mask_token_id is None:
            raise ValueError("The tokenizer has no mask token: set text_masking=0.")
        self.processor = processor
        self.text_masking = text_masking
        self.modality_dropout = modality_dropout
        self.audio_augmentation = audio_augmentation

    def augmented(
        self,
        text_masking: float,
        modality_dropout: float = 0.0,
        audio_augmentation: AudioAugmentation | None = None,
    ) -> EmotionCollator:
        """
        Args:
            text_masking (`float`), modality_dropout (`float`), audio_augmentation ([`AudioAugmentation`]): see the
                class.

        Returns:
            [`EmotionCollator`] for training.
        """
        return EmotionCollator(self.processor, text_masking, modality_dropout, audio_augmentation)

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
            if self.text_masking:
                batch["input_ids"] = self._masked(batch["input_ids"])
        if "audio" in first:
            batch.update(self._speech_inputs([example["audio"] for example in examples]))
        if "modality_mask" in first:
            has = torch.from_numpy(np.stack([example["modality_mask"] for example in examples]))
            # A row that has one modality alone keeps it.
            batch["modality_mask"] = torch.where(has.all(dim=1, keepdim=True), self._kept(len(examples)), has)
        if first.get("label") is not None:
            batch["labels"] = torch.tensor([example["label"] for example in examples])
        return batch

    def _speech_inputs(self, recordings: list[Any]) -> dict[str, torch.Tensor]:
        extractor, augmentation = self.processor.feature_extractor, self.audio_augmentation
        if augmentation is None:
            return extractor.speech_inputs(recordings)
        if augmentation.changes_waveforms:
            rate = extractor.speech_extractor.sampling_rate
            waveforms = [resample_audio(*decode_audio(recording), rate) for recording in recordings]
            recordings = [augmented_recording(waveform, rate, augmentation) for waveform in waveforms]
        inputs = extractor.speech_inputs(recordings)
        if "input_features" in inputs and (augmentation.time_masking or augmentation.frequency_masking):
            features = inputs["input_features"] if extractor.bands_first else inputs["input_features"].transpose(1, 2)
            masked = augmentation.mask_features(features, inputs["speech_attention_mask"])
            inputs["input_features"] = masked if extractor.bands_first else masked.transpose(1, 2)
        return inputs

    def _kept(self, rows: int) -> torch.Tensor:
        """Boolean (rows, 2): which of (speech, text) each row keeps where it has both; never neither."""
        dropped = torch.rand(rows) < self.modality_dropout
        lost = torch.nn.functional.one_hot(torch.randint(2, (rows,)), 2).bool()
        return ~(lost & dropped.unsqueeze(1))

    def _masked(self, input_ids: torch.Tensor) -> torch.Tensor:
        tokenizer = self.processor.tokenizer
        special = torch.isin(input_ids, torch.tensor(tokenizer.all_special_ids))
        chosen = (torch.rand(input_ids.shape) < self.text_masking) & ~special
        return torch.where(chosen, torch.tensor(tokenizer.mask_token_id), input_ids)

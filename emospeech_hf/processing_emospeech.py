"""One call for speech and transcript: feature extractor beside tokenizer."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    AutoTokenizer,
    BatchFeature,
    FeatureExtractionMixin,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)

from .audio_emospeech import as_batch
from .configuration_emospeech import MFCC_SAMPLING_RATE  # noqa: F401 (see `MODEL_CODE`)
from .feature_extraction_emospeech import EmoSpeechFeatureExtractor
from .remote_code_emospeech import PROCESSOR_CODE, is_remote_code


SILENT_RECORDING = {"array": np.zeros(1600, np.float32), "sampling_rate": 16_000}
"""What stands in for the recording of a row that has none, and is hidden by `modality_mask`."""


class EmoSpeechProcessor(ProcessorMixin):
    r"""
    Wraps an [`EmoSpeechFeatureExtractor`] and a tokenizer into the inputs of [`EmoSpeechModel`].

    Args:
        feature_extractor ([`EmoSpeechFeatureExtractor`]):
            Computes the speech inputs; with `num_mfcc=0` and no speech extractor, none.
        tokenizer (`PreTrainedTokenizerBase`, *optional*):
            The text encoder's tokenizer; `None` for a model without text.

    Example:

    ```python
    >>> import numpy as np
    >>> from emospeech_hf import EmoSpeechFeatureExtractor, EmoSpeechProcessor

    >>> processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=13))
    >>> second = {"array": np.sin(np.arange(22_050) / 10), "sampling_rate": 22_050}
    >>> processor(audio=second, return_tensors="pt")["mfcc_means"].shape
    torch.Size([1, 13])

    ```
    """

    # transformers 4 reads these two; 5 reads the signature of `__init__`.
    attributes = ("feature_extractor", "tokenizer")
    audio_tokenizer = None

    def __init__(
        self, feature_extractor: EmoSpeechFeatureExtractor, tokenizer: PreTrainedTokenizerBase | None = None
    ) -> None:
        # Set here and not by the mixin: it knows no processor that lacks a part, and 4 checks parts otherwise than 5.
        parts = {
            "feature_extractor": (feature_extractor, FeatureExtractionMixin),
            "tokenizer": (tokenizer, (PreTrainedTokenizerBase, type(None))),
        }
        for name, (part, kind) in parts.items():
            if not isinstance(part, kind):
                raise TypeError(
                    f"{name} is a {type(part).__name__}; give (feature_extractor, tokenizer), in this order."
                )
        self.chat_template = None
        self.feature_extractor = feature_extractor
        self.tokenizer: Any = tokenizer

    @property
    def uses_speech(self) -> bool:
        """Whether there is anything to compute from audio."""
        return bool(self.feature_extractor.model_input_names)

    @property
    def uses_text(self) -> bool:
        """Whether there is a tokenizer."""
        return self.tokenizer is not None

    @property
    def model_input_names(self) -> list[str]:
        text_names = ["input_ids", "attention_mask"] if self.uses_text else []
        return [*self.feature_extractor.model_input_names, *text_names]

    def __call__(
        self,
        audio: Any = None,
        text: str | list[str | None] | None = None,
        sampling_rate: int | None = None,
        padding: bool | str = True,
        truncation: bool = True,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """
        Prepare one utterance or a list of them.

        Args:
            audio (*optional*):
                One recording or a list, as [`EmoSpeechFeatureExtractor`] takes them.
            text (`str` or `list[str]`, *optional*):
                The transcripts; outer blanks are stripped (paper, Task 2).
            sampling_rate (`int`, *optional*):
                Rate in Hz of arrays that come without one.
            padding (`bool` or `str`, *optional*, defaults to `True`), truncation (`bool`, *optional*, defaults to \
            `True`), max_length (`int`, *optional*):
                As in the tokenizer. Without `max_length` the tokenizer's own limit holds.
            return_tensors (`str`, *optional*):
                `"pt"` or `"np"`; by default lists.

        An element of a list may be `None` where an utterance lacks that modality: its inputs are filled up, and
        `modality_mask` of shape (batch, 2), boolean, says which of (speech, text) each row really has.

        Returns:
            `BatchFeature` with the inputs that this processor's model takes.

        Raises:
            ValueError: If a modality that the model takes is missing, or there are more recordings than transcripts.
            AudioError: If a recording cannot be used.
        """
        recordings = as_batch(audio) if self.uses_speech and audio is not None else None
        transcripts: list[str | None] | None = None
        if self.uses_text and text is not None:
            transcripts = list(text) if isinstance(text, list) else [text]
        self._check(recordings, transcripts)

        features = BatchFeature()
        rows = len(recordings if recordings is not None else transcripts or [])
        has_speech, has_text = [self.uses_speech] * rows, [self.uses_text] * rows
        if recordings is not None:
            has_speech = [recording is not None for recording in recordings]
            filled = [SILENT_RECORDING if recording is None else recording for recording in recordings]
            features.update(self.feature_extractor(filled, sampling_rate, return_tensors=return_tensors))
        if transcripts is not None:
            has_text = [transcript is not None for transcript in transcripts]
            features.update(
                self.text_inputs(
                    [transcript or "" for transcript in transcripts],
                    padding=padding,
                    truncation=truncation,
                    max_length=max_length,
                    return_tensors=return_tensors,
                )
            )
        if (self.uses_speech and not all(has_speech)) or (self.uses_text and not all(has_text)):
            mask = np.array([has_speech, has_text]).T
            features["modality_mask"] = torch.from_numpy(mask) if return_tensors == "pt" else mask
        return features

    def text_inputs(
        self,
        text: list[str],
        padding: bool | str = True,
        truncation: bool = True,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> Any:
        """
        The text encoder's inputs alone; the arguments are those of a call.

        Returns:
            `BatchEncoding` with `input_ids` and `attention_mask`.
        """
        return self.tokenizer(
            [transcript.strip() for transcript in text],
            padding=padding,
            truncation=truncation,
            max_length=max_length or self._text_limit(),
            return_attention_mask=True,
            return_token_type_ids=False,
            return_tensors=return_tensors,
        )

    def _check(self, recordings: list[Any] | None, transcripts: list[str | None] | None) -> None:
        if self.uses_speech and recordings is None:
            raise ValueError("This model hears: give `audio`.")
        if self.uses_text and transcripts is None:
            raise ValueError("This model reads: give `text`, the transcript.")
        if recordings is not None and transcripts is not None and len(recordings) != len(transcripts):
            raise ValueError(f"{len(recordings)} recordings and {len(transcripts)} transcripts do not pair up.")
        wrong = next((text for text in transcripts or [] if text is not None and not isinstance(text, str)), None)
        if wrong is not None:
            raise ValueError(f"A transcript must be a string, not {type(wrong).__name__}.")

    def _text_limit(self) -> int | None:
        """The tokenizer's limit in tokens, or None where it states none (transformers then gives a huge number)."""
        limit = self.tokenizer.model_max_length
        return limit if limit < 1_000_000 else None

    def save_pretrained(self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any) -> Any:
        """Save to a folder, with the code that loads it; see `ProcessorMixin.save_pretrained`. Writes
        `preprocessor_config.json` too, from which `AutoFeatureExtractor` loads in every version of transformers."""
        os.makedirs(save_directory, exist_ok=True)
        self.feature_extractor.save_pretrained(save_directory)
        if self.tokenizer is not None:
            return super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)
        path = os.path.join(save_directory, "processor_config.json")
        self.to_json_file(path)
        if push_to_hub:
            repo_id = kwargs.pop("repo_id", os.path.basename(os.path.abspath(save_directory)))
            self.push_to_hub(repo_id, **kwargs)
        return [path]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Load from a folder or the Hub; see `ProcessorMixin.from_pretrained`."""
        processor_dict, _ = cls.get_processor_dict(pretrained_model_name_or_path, **kwargs)
        kwargs.pop("_from_auto", None)
        feature_extractor = EmoSpeechFeatureExtractor.from_pretrained(pretrained_model_name_or_path, **kwargs)
        tokenizer = None
        if processor_dict.get("reads_text", True):
            try:
                tokenizer = AutoTokenizer.from_pretrained(pretrained_model_name_or_path, **kwargs)
            except ValueError as error:
                if "TokenizersBackend" not in str(error):
                    raise
                raise ImportError(
                    f"The tokenizer of {pretrained_model_name_or_path} was saved by transformers 5, and this is "
                    f"{transformers.__version__}: pip install 'transformers>=5'."
                ) from error
        return cls(feature_extractor, tokenizer)

    def to_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        output = super().to_dict(*args, **kwargs)
        output.pop("tokenizer", None)
        output["reads_text"] = self.uses_text
        if not is_remote_code():
            output["auto_map"] = dict(PROCESSOR_CODE)
        return output


__all__ = ["SILENT_RECORDING", "EmoSpeechProcessor"]

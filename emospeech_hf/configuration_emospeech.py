"""Configuration of the EmoSpeech models, and the names that the whole package agrees on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from transformers import AutoConfig

from .remote_code_emospeech import MODEL_CODE, PIPELINE_CODE, TASK, InstalledTasks, is_remote_code


try:
    from transformers import PreTrainedConfig
except ImportError:  # transformers 4 spells it differently
    from transformers import PretrainedConfig as PreTrainedConfig  # type: ignore[no-redef]


EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness")
"""The six classes, in the order of the logits."""

MFCC_SAMPLING_RATE = 22_050
"""Rate in Hz at which the MFCC means are computed (paper, Task 2)."""

MODALITIES = ("speech", "text")
"""The columns of `modality_mask`, in this order."""

FUSION_NAMES = ("concat", "none", "mean", "gated", "late", "attention", "multihead", "cross_attention")
SEQUENCE_FUSION_NAMES = ("attention", "multihead", "cross_attention")
"""The fusions that take MFCC frames and encoder states rather than one embedding of each."""

LAYER_COMBINATIONS = ("concat", "weighted_sum")
"""What becomes of several layers of one encoder."""

SOURCES = ("mfcc", "speech", "text")
"""What a fusion joins, as far as the model has it, in this order."""

POOLING_NAMES = ("mean", "cls", "mean_std", "attention")


class EmoSpeechConfig(PreTrainedConfig):
    r"""
    Configuration of [`EmoSpeechModel`] and [`EmoSpeechForEmotionClassification`].

    The defaults are those of the network of Task 2 in "CogniCIC at EmoSPeech-IberLEF2024": 128 MFCC means beside a
    mean-pooled, 768 wide BERT encoder, each projected to 256, concatenated, and classified into six emotions through
    a hidden layer of 256 units.

    A model hears speech when `num_mfcc > 0` or `speech_config` is given, and reads text when `text_config` is given.
    Either one may be left out, not both.

    Args:
        text_config (`dict` or `PreTrainedConfig`, *optional*, defaults to a `BertConfig()`):
            Configuration of the text encoder, of any type that `AutoConfig` knows. `None` makes a model without text.
        speech_config (`dict` or `PreTrainedConfig`, *optional*):
            Configuration of a pretrained speech encoder, of any type that `AutoConfig` knows.
        num_mfcc (`int`, *optional*, defaults to 128):
            Number of MFCC whose means over time, or frames, enter the model. 0 leaves them out.
        fusion (`str`, *optional*, defaults to `"concat"`):
            How the embeddings are joined: `"concat"` projects each to `fusion_dim` and concatenates them (the
            paper's), `"none"` concatenates them as they are; `"mean"` and `"gated"` take the mean, plain or weighted by
            learned gates, of those that an utterance has; `"late"` classifies each by itself and takes the mean of the
            logits by learned weights. `"attention"`, `"multihead"` (variants of the paper's) and `"cross_attention"`
            (speech attends to text, and back) take MFCC frames and the encoders' states instead of pooled embeddings.
        fusion_dim (`int`, *optional*, defaults to 256):
            Width to which each embedding, or each position, is projected.
        fusion_heads (`int`, *optional*, defaults to 4):
            Attention heads of `"multihead"` and `"cross_attention"`; `fusion_dim` is a multiple of it.
        classifier_dim (`int`, *optional*, defaults to 256):
            Width of the classifier's hidden layer. 0 leaves the hidden layer out.
        classifier_dropout (`float`, *optional*, defaults to 0.5):
            Dropout probability before the last layer.
        text_pooling (`str`, *optional*, defaults to `"mean"`):
            How token states become one vector: `"mean"` over the real tokens, the `"cls"` token, `"mean_std"`, mean
            and standard deviation side by side, or `"attention"`, both of them weighted by a small network.
        speech_pooling (`str`, *optional*, defaults to `"mean"`):
            How the speech encoder's frames become one vector, likewise.
        text_layers (`list[int]`, *optional*), speech_layers (`list[int]`, *optional*):
            Which of the encoder's hidden states are pooled, numbered as in `hidden_states`: 0 is before the first
            layer, -1 behind the last. By default the last alone.
        layer_combination (`str`, *optional*, defaults to `"concat"`):
            What becomes of several layers: `"concat"` puts them side by side, `"weighted_sum"` adds them up by learned
            weights, which are positive and sum up to 1; after pooling and standardising, if there are these.
        standardize (`bool` or `list[str]`, *optional*, defaults to `False`):
            Whether each embedding is standardised, by mean and deviation that are kept among the weights; or which of
            `"mfcc"`, `"speech"` and `"text"` are. Not for fusions that take sequences.
        missing_modalities (`bool`, *optional*, defaults to `False`):
            Whether the model was trained to answer where speech or text is missing. The pipeline then takes either.
        window_seconds (`float`, *optional*):
            Length of the windows in which the pipeline hears long recordings; training sets it to 5/3 of the median
            of its recordings, within 2 and 10 s. By default 8.
        temperature (`float`, *optional*, defaults to 1.0):
            The pipeline divides the logits by it before the softmax.
        kwargs:
            Passed on to `PreTrainedConfig`. `id2label` and `label2id` default to the six emotions.

    Raises:
        ValueError: If the model would hear and read nothing, or a value is out of its range.

    Example:

    ```python
    >>> from emospeech_hf import EmoSpeechConfig

    >>> config = EmoSpeechConfig()
    >>> config.num_mfcc, config.text_config.hidden_size, config.num_labels
    (128, 768, 6)

    >>> EmoSpeechConfig(text_config=None).modalities  # hears, does not read
    ('speech',)

    ```
    """

    model_type = "emospeech"
    # Declared, because transformers takes an undeclared `temperature` for a setting of text generation.
    temperature: float = 1.0

    def __init__(
        self,
        text_config: dict[str, Any] | PreTrainedConfig | str | None = "bert",
        speech_config: dict[str, Any] | PreTrainedConfig | None = None,
        num_mfcc: int = 128,
        fusion: str = "concat",
        fusion_dim: int = 256,
        fusion_heads: int = 4,
        classifier_dim: int = 256,
        classifier_dropout: float = 0.5,
        text_pooling: str = "mean",
        speech_pooling: str = "mean",
        text_layers: list[int] | None = None,
        speech_layers: list[int] | None = None,
        layer_combination: str = "concat",
        standardize: bool | list[str] = False,
        missing_modalities: bool = False,
        window_seconds: float | None = None,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.text_config = _as_config("text_config", text_config)
        self.speech_config = _as_config("speech_config", speech_config)
        self.num_mfcc = num_mfcc
        self.fusion = fusion
        self.fusion_dim = fusion_dim
        self.fusion_heads = fusion_heads
        self.classifier_dim = classifier_dim
        self.classifier_dropout = classifier_dropout
        self.text_pooling = text_pooling
        self.speech_pooling = speech_pooling
        self.text_layers = text_layers
        self.speech_layers = speech_layers
        self.layer_combination = layer_combination
        self.standardize = standardize
        self.missing_modalities = missing_modalities
        self.window_seconds = window_seconds
        self.temperature = temperature
        self._check()

        if "num_labels" not in kwargs and kwargs.get("id2label") is None:
            kwargs["id2label"] = dict(enumerate(EMOTIONS))
            kwargs["label2id"] = {label: index for index, label in enumerate(EMOTIONS)}
        # Whatever saves this config, the folder can be loaded by its own code.
        if not is_remote_code():
            kwargs["auto_map"] = dict(MODEL_CODE)
        custom_pipelines = copy.deepcopy(PIPELINE_CODE)  # `transformers.pipeline` writes into it
        kwargs["custom_pipelines"] = custom_pipelines if is_remote_code() else InstalledTasks(custom_pipelines)
        super().__init__(**kwargs)

    @property
    def uses_text(self) -> bool:
        """Whether the model reads a transcript."""
        return self.text_config is not None

    @property
    def uses_speech(self) -> bool:
        """Whether the model hears, through MFCC means, a speech encoder, or both."""
        return self.num_mfcc > 0 or self.speech_config is not None

    @property
    def sources(self) -> tuple[str, ...]:
        """What the fusion joins, a subset of `("mfcc", "speech", "text")`."""
        has = (self.num_mfcc > 0, self.speech_config is not None, self.uses_text)
        return tuple(name for name, used in zip(SOURCES, has) if used)

    @property
    def standardized_sources(self) -> tuple[str, ...]:
        """Which of the [`sources`] are standardised."""
        wanted = SOURCES if self.standardize is True else self.standardize or ()
        return tuple(name for name in self.sources if name in wanted)

    @property
    def takes_profiles(self) -> bool:
        """Whether a speaker's profile can be made: the model hears, and all that it hears is standardised."""
        heard = [name for name in self.sources if name != "text"]
        return bool(heard) and set(heard) <= set(self.standardized_sources)

    @property
    def takes_sequences(self) -> bool:
        """Whether the fusion takes MFCC frames and encoder states rather than one embedding of each."""
        return self.fusion in SEQUENCE_FUSION_NAMES

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the model takes, a subset of `("speech", "text")`."""
        return tuple(name for name, used in zip(MODALITIES, (self.uses_speech, self.uses_text)) if used)

    @property
    def sub_configs(self) -> dict[str, Any]:
        """The encoders' configs, by name; without those that are `None`, over which transformers 4 stumbles."""
        return {name: AutoConfig for name in ("text_config", "speech_config") if getattr(self, name) is not None}

    def _check(self) -> None:
        if not self.uses_text and not self.uses_speech:
            raise ValueError(
                "This config neither hears nor reads: give a `text_config`, a `speech_config`, or `num_mfcc` > 0."
            )
        for name, value, allowed in (
            ("fusion", self.fusion, FUSION_NAMES),
            ("text_pooling", self.text_pooling, POOLING_NAMES),
            ("speech_pooling", self.speech_pooling, POOLING_NAMES),
            ("layer_combination", self.layer_combination, LAYER_COMBINATIONS),
        ):
            if value not in allowed:
                raise ValueError(f"`{name}` is {value!r}; it can be one of {', '.join(allowed)}.")
        for name, number, least in (
            ("num_mfcc", self.num_mfcc, 0),
            ("fusion_dim", self.fusion_dim, 1),
            ("fusion_heads", self.fusion_heads, 1),
            ("classifier_dim", self.classifier_dim, 0),
        ):
            if number < least:
                raise ValueError(f"`{name}` is {number}; it must be at least {least}.")
        for name, layers, encoder in (
            ("text_layers", self.text_layers, self.text_config),
            ("speech_layers", self.speech_layers, self.speech_config),
        ):
            if layers is not None and encoder is not None:
                depth = encoder.num_hidden_layers
                if not layers or any(not -depth - 1 <= layer <= depth for layer in layers):
                    raise ValueError(f"`{name}` is {layers}; this encoder's hidden states are 0 to {depth}.")
        if not isinstance(self.standardize, bool) and not set(self.standardize) <= set(self.sources):
            raise ValueError(
                f"`standardize` is {self.standardize}; it can be true, false or a list of {', '.join(self.sources)}."
            )
        if self.standardize and self.takes_sequences:
            raise ValueError(f"`standardize` is for fusions that take one embedding of each source, not {self.fusion}.")
        if self.fusion == "cross_attention" and len(self.sources) < 2:
            raise ValueError(f"`cross_attention` is between two sources or more; this model has {self.sources[0]}.")
        if self.missing_modalities and len(self.modalities) < len(MODALITIES):
            raise ValueError("`missing_modalities` is for a model that hears and reads.")
        if self.fusion in ("multihead", "cross_attention") and self.fusion_dim % self.fusion_heads:
            raise ValueError(
                f"`fusion_dim` is {self.fusion_dim} and `fusion_heads` {self.fusion_heads}: it must be a multiple."
            )
        if not 0 <= self.classifier_dropout < 1:
            raise ValueError(f"`classifier_dropout` is {self.classifier_dropout}; it must lie in [0, 1).")
        if self.window_seconds is not None and not self.window_seconds > 0:
            raise ValueError(f"`window_seconds` is {self.window_seconds}; it must be above 0.")
        if not self.temperature > 0:
            raise ValueError(f"`temperature` is {self.temperature}; it must be above 0.")


def _as_config(name: str, value: Any) -> PreTrainedConfig | None:
    if value is None or isinstance(value, PreTrainedConfig):
        return value
    if isinstance(value, str):
        return AutoConfig.for_model(value)
    if isinstance(value, Mapping):
        fields = dict(value)
        model_type = fields.pop("model_type", None)
        if model_type is None:
            raise ValueError(f"`{name}` has no `model_type`: name the encoder's type, for example 'bert'.")
        return AutoConfig.for_model(model_type, **fields)
    raise TypeError(f"`{name}` must be a config, a dict or None, not {type(value).__name__}.")


__all__ = ["EMOTIONS", "MFCC_SAMPLING_RATE", "MODALITIES", "SOURCES", "TASK", "EmoSpeechConfig"]

"""What an experiment is: its fields, their types, ranges and defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from ..data.splits import SplitMethod


STRICT = ConfigDict(extra="forbid")
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]


class RecipeError(ValueError):
    """A recipe that is not found or does not hold together; the message names the field and what it may be."""


def _spell_no(value: Any) -> Any:
    """YAML takes `no` for false."""
    return "no" if value is False else value


@dataclass(kw_only=True)
class DataRecipe:
    """
    How the corpus is split.

    Args:
        split (`str`, *optional*, defaults to `"auto"`): see [`~data.split_corpus`].
        validation_fraction (`float`, *optional*, defaults to 0.1): share that the best epoch is chosen on; 0 trains on
            all of it, with `training.keep: last`.
        test_fraction (`float`, *optional*, defaults to 0.0): share that is kept for the final score, where the corpus
            has no test split.
        split_seed (`int`, *optional*, defaults to 42): of the split; `training.seed` does not move it.
        fold, folds (`int`, *optional*, default to 0): part of a cross-validation, see [`~data.split_corpus`].
        training_groups (`int`, *optional*, defaults to 0): train on so many speakers or videos only, drawn by
            `training.seed`; 0 takes all.
        auxiliary_share (`float`, *optional*, defaults to 0.5): where there are auxiliary corpora
            ([`RunOptions`]'s `auxiliary_data`), what their rows together make up of the loss.
    """

    __pydantic_config__ = STRICT
    split: SplitMethod = "auto"
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    test_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    split_seed: int = 42
    fold: NotNegative = 0
    folds: NotNegative = 0
    training_groups: NotNegative = 0
    auxiliary_share: Annotated[float, Field(gt=0, lt=1)] = 0.5


@dataclass(kw_only=True)
class ModelRecipe:
    """
    What the model is made of; see [`EmoSpeechConfig`] for the fields that are named as there.

    Args:
        text_encoder, speech_encoder (`str`, *optional*): Hub ids or folders; none leaves that part out.
        text_revision, speech_revision (`str`, *optional*): commit, branch or tag of those on the Hub.
        freeze_text_encoder, freeze_speech_encoder (`bool`, *optional*, defaults to `True`): a frozen encoder runs
            once over the corpus, and its pooled outputs are kept.
        frozen_text_layers, frozen_speech_layers (`int`, *optional*, default to 0): of an encoder that is trained, so
            many of the lowest layers, and all that comes before them, stay as they are.
        text_lora_rank, speech_lora_rank (`int`, *optional*, default to 0): train no weights of the encoder, but
            additions of this rank to all its linear layers (Hu et al., "LoRA"), which are added into them when the
            training is over; needs the extra `lora`.
        max_length (`int`, *optional*): longest transcript in tokens; by default the tokenizer's limit.
        num_mel_bins (`int`, *optional*, defaults to 128): mel bands of the MFCC.
        standardize (`bool` or `list[str]`, *optional*, defaults to `False`): see [`EmoSpeechConfig`]; the training
            split tells mean and deviation, so that an encoder whose embedding is standardised may not be trained.
        missing_modalities (`bool`, *optional*, defaults to `False`): the model is to answer where speech or text is
            missing, and rows of the corpus may lack one of them. `training.modality_dropout` lets others lose it.
    """

    __pydantic_config__ = STRICT
    text_encoder: str | None = None
    text_revision: str | None = None
    speech_encoder: str | None = None
    speech_revision: str | None = None
    freeze_text_encoder: bool = True
    freeze_speech_encoder: bool = True
    frozen_text_layers: NotNegative = 0
    frozen_speech_layers: NotNegative = 0
    text_lora_rank: NotNegative = 0
    speech_lora_rank: NotNegative = 0
    max_length: Positive | None = None
    num_mfcc: NotNegative = 128
    num_mel_bins: Positive = 128
    fusion: str = "concat"
    fusion_dim: Positive = 256
    fusion_heads: Positive = 4
    classifier_dim: NotNegative = 256
    classifier_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    text_pooling: str = "mean"
    speech_pooling: str = "mean"
    text_layers: list[int] | None = None
    speech_layers: list[int] | None = None
    layer_combination: str = "concat"
    standardize: bool | list[str] = False
    missing_modalities: bool = False


@dataclass(kw_only=True)
class TrainingRecipe:
    """
    How the model is trained.

    Args:
        epochs (`int`): passes over the training split.
        batch_size (`int`): utterances per process and step.
        eval_batch_size (`int`): utterances per process and step where nothing is learnt.
        learning_rate (`float`): at its peak.
        head_learning_rate (`float`, *optional*): of all but the encoders; by default the same.
        layer_decay (`float`): each layer of an encoder learns at this times the rate of the layer above it.
        optimizer (`str`): `"adam"` or `"adamw"`.
        epsilon (`float`): the optimizer's.
        weight_decay (`float`): the optimizer's.
        scheduler (`str`): `"constant"`, `"linear"` or `"cosine"` decay after the warm-up.
        warmup_ratio (`float`): share of all steps in which the learning rate rises.
        max_grad_norm (`float`): norm at which gradients are clipped; 0 does not clip.
        gradient_accumulation_steps (`int`): batches per step of the optimizer.
        gradient_checkpointing (`bool`): trade time for memory in trained encoders.
        mixed_precision (`str`): `"no"`, `"fp16"` or `"bf16"`.
        class_weights (`str`), focal_gamma (`float`), logit_adjustment (`float`), label_smoothing (`float`): of the
            loss, see [`~training.losses.EmotionLoss`].
        l2_penalty (`float`): half of this times the sum of the squared weight matrices, of all but the encoders, is
            added to the loss.
        center_speakers (`bool`): take each training speaker's mean off the standardised speech embeddings, so that a
            speaker's profile, where there is one, can do the same for the model at work.
        text_masking (`float`): share of the tokens that are masked at random in training.
        modality_dropout (`float`): share of the training rows that lose speech or text at random, so that the model
            also answers where one of them is missing.
        sampling (`str`): `"shuffled"` takes each training row once an epoch, `"balanced"` draws as many, with each
            emotion as often as any other.
        speed_factors (`list[float]`), noise_snr (`list[float]`), reverberation (`float`), crop_seconds (`float`),
            time_masking (`float`), frequency_masking (`float`): changes of the training recordings, see
            [`~data.AudioAugmentation`]; for a speech encoder that is trained. A frozen one takes `speed_factors` too:
            each training row counts once at each speed, as that of another speaker.
        weight_averaging (`float`): decay of the moving average of the weights, which is then what is validated and
            kept; 0 keeps the weights themselves.
        fit_temperature (`bool`): fit the temperature of the scores on the validation split, where there is one
            of enough speakers or videos.
        temperature_folds (`int`): where validation has too few speakers or videos for a temperature, train so many
            more times, on parts of the training split, to fit it on the others; 0 does not.
        keep (`str`): `"best"` keeps the epoch of the highest validation macro-F1, `"last"` the last one.
        early_stopping (`int`): epochs without a better validation macro-F1 after which to stop; 0 never stops.
        length_buckets (`bool`): put utterances of similar length into one batch.
        num_workers (`int`): processes that prepare batches.
        trackers (`list[str]`): of Accelerate, as `tensorboard` or `wandb`; empty for none.
        seed (`int`): of weights, order and dropout.
    """

    __pydantic_config__ = STRICT
    epochs: Positive = 10
    batch_size: Positive = 32
    eval_batch_size: Positive = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    head_learning_rate: Annotated[float, Field(gt=0)] | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    optimizer: Literal["adam", "adamw"] = "adamw"
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    scheduler: Literal["constant", "linear", "cosine"] = "constant"
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    max_grad_norm: Annotated[float, Field(ge=0)] = 0.0
    gradient_accumulation_steps: Positive = 1
    gradient_checkpointing: bool = False
    mixed_precision: Annotated[Literal["no", "fp16", "bf16"], BeforeValidator(_spell_no)] = "no"
    class_weights: Literal["none", "sqrt_balanced", "balanced"] = "none"
    focal_gamma: Annotated[float, Field(ge=0)] = 0.0
    logit_adjustment: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    l2_penalty: Annotated[float, Field(ge=0)] = 0.0
    center_speakers: bool = False
    text_masking: Annotated[float, Field(ge=0, lt=1)] = 0.0
    modality_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    speed_factors: list[Annotated[float, Field(ge=0.5, le=2)]] = field(default_factory=list)
    noise_snr: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    reverberation: Annotated[float, Field(ge=0, le=1)] = 0.0
    crop_seconds: Annotated[float, Field(gt=0)] | None = None
    time_masking: Annotated[float, Field(ge=0, lt=1)] = 0.0
    frequency_masking: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    fit_temperature: bool = True
    temperature_folds: NotNegative = 0
    keep: Literal["best", "last"] = "best"
    early_stopping: NotNegative = 0
    length_buckets: bool = True
    num_workers: NotNegative = 0
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    seed: int = 42


@dataclass(kw_only=True)
class Recipe:
    """
    One experiment.

    Args:
        name (`str`): its name.
        description (`str`): what it is and where its numbers come from.
        data ([`DataRecipe`]), model ([`ModelRecipe`]), training ([`TrainingRecipe`]): its parts.
    """

    __pydantic_config__ = STRICT
    name: str = "custom"
    description: str = ""
    data: DataRecipe = field(default_factory=DataRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

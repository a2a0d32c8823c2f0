"""Recipes: an experiment as a YAML file, checked into dataclasses before anything is loaded."""

from __future__ import annotations

import difflib
import importlib.resources
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ..configuration_emospeech import SEQUENCE_FUSION_NAMES as SEQUENCES
from ..data.splits import SplitMethod


STRICT = ConfigDict(extra="forbid")
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]


class RecipeError(ValueError):
    """A recipe that is not found or does not hold together; the message names the field and what it may be."""


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
    """

    __pydantic_config__ = STRICT
    split: SplitMethod = "auto"
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    test_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    split_seed: int = 42
    fold: NotNegative = 0
    folds: NotNegative = 0


@dataclass(kw_only=True)
class ModelRecipe:
    """
    What the model is made of; see [`EmoSpeechConfig`] for the fields that are named as there.

    Args:
        text_encoder, speech_encoder (`str`, *optional*): Hub ids or folders; none leaves that part out.
        text_revision, speech_revision (`str`, *optional*): commit, branch or tag of those on the Hub.
        freeze_text_encoder, freeze_speech_encoder (`bool`, *optional*, defaults to `True`): a frozen encoder runs
            once over the corpus, and its pooled outputs are kept.
        max_length (`int`, *optional*): longest transcript in tokens; by default the tokenizer's limit.
        num_mel_bins (`int`, *optional*, defaults to 128): mel bands of the MFCC.
        standardize (`bool`, *optional*, defaults to `False`): see [`EmoSpeechConfig`]; the training split tells mean
            and deviation, so no encoder may be trained.
    """

    __pydantic_config__ = STRICT
    text_encoder: str | None = None
    text_revision: str | None = None
    speech_encoder: str | None = None
    speech_revision: str | None = None
    freeze_text_encoder: bool = True
    freeze_speech_encoder: bool = True
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
    standardize: bool = False


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
        l2_penalty (`float`): half of this times the sum of the squared trained weight matrices is added to the loss.
        center_speakers (`bool`): take each training speaker's mean off the standardised speech embeddings, so that a
            speaker's profile, where there is one, can do the same for the model at work.
        text_masking (`float`): share of the tokens that are masked at random in training.
        modality_dropout (`float`): share of the training rows that lose speech or text at random, so that the model
            also answers where one of them is missing.
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
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    class_weights: Literal["none", "sqrt_balanced", "balanced"] = "none"
    focal_gamma: Annotated[float, Field(ge=0)] = 0.0
    logit_adjustment: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    l2_penalty: Annotated[float, Field(ge=0)] = 0.0
    center_speakers: bool = False
    text_masking: Annotated[float, Field(ge=0, lt=1)] = 0.0
    modality_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
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


def recipe_names() -> list[str]:
    """
    Returns:
        `list[str]`: the recipes that come with the package.
    """
    files = importlib.resources.files(__package__).joinpath("recipes").iterdir()
    return sorted(Path(file.name).stem for file in files if file.name.endswith(".yaml"))


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """
    Read and check a recipe.

    Args:
        name_or_path (`str` or `Path`): a recipe of the package, or a YAML file.
        overrides (`Iterable[str]`, *optional*): `field=value`, the field as `training.learning_rate` or, as no two
            parts share a name, as `learning_rate`.

    Returns:
        [`Recipe`]

    Raises:
        RecipeError: If there is no such recipe, it is no YAML, a field is unknown (the nearest known one is named), or
            a value does not fit its field.

    Example:

    ```python
    >>> from emospeech_hf.training import load_recipe

    >>> recipe = load_recipe("task2", ["learning_rate=5e-4"])
    >>> recipe.training.epochs, recipe.training.learning_rate
    (150, 0.0005)

    ```
    """
    text, origin = _read(name_or_path)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{origin}: is no YAML ({error}).") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{origin}: a recipe is a mapping with the fields {', '.join(_names(Recipe))}.")
    content.setdefault("name", Path(origin).stem)
    for override in overrides:
        _override(content, override)
    return recipe_from_dict(content, origin)


def recipe_from_dict(content: dict[str, Any], origin: str = "recipe") -> Recipe:
    """
    Check a recipe that is at hand as a mapping.

    Args:
        content (`dict`): fields to values.
        origin (`str`, *optional*): where it comes from, for error messages.

    Returns:
        [`Recipe`]

    Raises:
        RecipeError: See [`load_recipe`].
    """
    try:
        recipe = TypeAdapter(Recipe).validate_python(content)
    except ValidationError as error:
        raise RecipeError("\n".join(_explain(problem, origin) for problem in error.errors())) from error
    _check_together(recipe, origin)
    return recipe


def _check_together(recipe: Recipe, origin: str) -> None:
    """Fields that are right by themselves and do not fit each other."""
    training, model = recipe.training, recipe.model
    for modality in ("text", "speech"):
        has, frozen = getattr(model, f"{modality}_encoder"), getattr(model, f"freeze_{modality}_encoder")
        if has and not frozen and model.standardize:
            raise RecipeError(f"{origin}: standardize needs frozen encoders: set freeze_{modality}_encoder=true.")
        if has and frozen and getattr(model, f"{modality}_pooling") == "attention" and model.fusion not in SEQUENCES:
            raise RecipeError(
                f"{origin}: {modality}_pooling=attention learns, and what is pooled of a frozen encoder is kept: set "
                f"freeze_{modality}_encoder=false, or fusion=attention."
            )
    if training.center_speakers and not model.standardize:
        raise RecipeError(f"{origin}: center_speakers needs standardize=true.")
    if training.temperature_folds == 1 or (training.temperature_folds and not training.fit_temperature):
        raise RecipeError(f"{origin}: temperature_folds is 2 or more, with fit_temperature=true; 0 does without.")
    if training.keep == "last" and training.early_stopping:
        raise RecipeError(f"{origin}: early_stopping needs training.keep=best; with last there is no best epoch.")
    if training.modality_dropout and not (model.text_encoder and (model.speech_encoder or model.num_mfcc)):
        raise RecipeError(f"{origin}: modality_dropout needs a model that hears and reads.")
    if training.text_masking and (not model.text_encoder or model.freeze_text_encoder):
        raise RecipeError(f"{origin}: text_masking needs a text encoder that is trained (freeze_text_encoder=false).")


def encoder_settings(text_encoder: str | None = None, speech_encoder: str | None = None) -> list[str]:
    """
    Args:
        text_encoder, speech_encoder (`str`, *optional*): Hub ids or folders in the place of a recipe's own.

    Returns:
        `list[str]`: the settings that put them there, for [`load_recipe`]; revisions go, as they are of the recipe's
        encoders.
    """
    settings = []
    for modality, encoder in (("text", text_encoder), ("speech", speech_encoder)):
        if encoder is not None:
            path = Path(encoder)
            settings += [
                f"{modality}_encoder={path.resolve() if path.exists() else encoder}",
                f"{modality}_revision=",
            ]
    return settings


def _read(name_or_path: str | Path) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path}: there is no such recipe file.")
        return path.read_text(encoding="utf-8"), str(path)
    names = recipe_names()
    if str(name_or_path) not in names:
        near = difflib.get_close_matches(str(name_or_path), names, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise RecipeError(
            f"There is no recipe {str(name_or_path)!r}. {hint}The recipes are {', '.join(names)}; or give a YAML file."
        )
    file = importlib.resources.files(__package__).joinpath("recipes", f"{name_or_path}.yaml")
    return file.read_text(encoding="utf-8"), str(name_or_path)


def _names(part: type) -> list[str]:
    return [item.name for item in fields(part)]


def _parts() -> dict[str, type]:
    hints = get_type_hints(Recipe)
    return {name: hints[name] for name in ("data", "model", "training")}


def _override(content: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals:
        raise RecipeError(f"{override!r} is no setting; write field=value, for example learning_rate=1e-4.")
    part, dot, item = name.partition(".")
    if not dot:
        homes = [part for part, kind in _parts().items() if name in _names(kind)]
        if homes:
            part, item = homes[0], name
        elif name in ("name", "description"):
            content[name] = text
            return
        else:
            raise RecipeError(
                _unknown(name, [known for kind in _parts().values() for known in _names(kind)], "settings")
            )
    if part not in _parts():
        raise RecipeError(
            _unknown(name, [f"{part}.{known}" for part, kind in _parts().items() for known in _names(kind)], "settings")
        )
    # YAML takes 1e-4 for text; the check against the field's type makes it a number.
    content[part] = {**(content.get(part) or {}), item: _value(text)}


def _value(text: str) -> Any:
    return yaml.safe_load(text) if text else None


def _explain(problem: Any, origin: str) -> str:
    location = [str(step) for step in problem["loc"]]
    if problem["type"] == "unexpected_keyword_argument":
        known = _names(_parts().get(location[0], Recipe) if len(location) > 1 else Recipe)
        return _unknown(".".join(location), [".".join([*location[:-1], name]) for name in known], origin)
    return f"{origin}: the field {'.'.join(location)} is {problem['input']!r}. {problem['msg']}."


def _unknown(name: str, known: list[str], origin: str) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"The fields are {', '.join(known)}."
    return f"{origin}: there is no field {name!r}. {hint}"

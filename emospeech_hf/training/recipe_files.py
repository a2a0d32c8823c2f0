"""Recipes: YAML files, checked into the fields of [`~training.recipe.Recipe`] before anything is loaded."""

from __future__ import annotations

import difflib
import importlib.resources
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from ..configuration_emospeech import SEQUENCE_FUSION_NAMES
from .recipe import ModelRecipe, Recipe, RecipeError, TrainingRecipe


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
    _check_encoders(model, origin)
    _check_training(training, model, origin)


def _check_encoders(model: ModelRecipe, origin: str) -> None:
    for modality in ("text", "speech"):
        has, frozen = getattr(model, f"{modality}_encoder"), getattr(model, f"freeze_{modality}_encoder")
        if has and not frozen and (model.standardize is True or modality in (model.standardize or ())):
            raise RecipeError(f"{origin}: standardize needs frozen encoders: set freeze_{modality}_encoder=true.")
        if (
            has
            and frozen
            and getattr(model, f"{modality}_pooling") == "attention"
            and model.fusion not in SEQUENCE_FUSION_NAMES
        ):
            raise RecipeError(
                f"{origin}: {modality}_pooling=attention learns, and what is pooled of a frozen encoder is kept: set "
                f"freeze_{modality}_encoder=false, or fusion=attention."
            )
        for name in (f"frozen_{modality}_layers", f"{modality}_lora_rank"):
            if getattr(model, name) and not (has and not frozen):
                raise RecipeError(
                    f"{origin}: {name} needs an encoder that is trained: set freeze_{modality}_encoder=false."
                )
        if getattr(model, f"frozen_{modality}_layers") and getattr(model, f"{modality}_lora_rank"):
            raise RecipeError(f"{origin}: {modality}_lora_rank trains no layer itself: set frozen_{modality}_layers=0.")
    if model.missing_modalities and not (model.text_encoder and (model.speech_encoder or model.num_mfcc)):
        raise RecipeError(f"{origin}: missing_modalities needs a model that hears and reads.")


def _check_training(training: TrainingRecipe, model: ModelRecipe, origin: str) -> None:
    if training.center_speakers and not model.standardize:
        raise RecipeError(f"{origin}: center_speakers needs standardize=true.")
    if training.temperature_folds == 1 or (training.temperature_folds and not training.fit_temperature):
        raise RecipeError(f"{origin}: temperature_folds is 2 or more, with fit_temperature=true; 0 does without.")
    if training.keep == "last" and training.early_stopping:
        raise RecipeError(f"{origin}: early_stopping needs training.keep=best; with last there is no best epoch.")
    augments = [
        name
        for name in ("speed_factors", "noise_snr", "reverberation", "crop_seconds", "time_masking", "frequency_masking")
        if getattr(training, name)
    ]
    if "speed_factors" in augments and model.speech_encoder and model.freeze_speech_encoder:
        augments.remove("speed_factors")
        if model.fusion in SEQUENCE_FUSION_NAMES or model.num_mfcc:
            raise RecipeError(
                f"{origin}: speed_factors with a frozen encoder are for fusions that take one embedding, and no MFCC."
            )
    if augments and (not model.speech_encoder or model.freeze_speech_encoder):
        raise RecipeError(
            f"{origin}: {augments[0]} needs a speech encoder that is trained (freeze_speech_encoder=false): what a "
            "frozen one hears is computed once."
        )
    if training.modality_dropout and not model.missing_modalities:
        raise RecipeError(f"{origin}: modality_dropout needs missing_modalities=true.")
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

"""Which parts of a pretrained encoder are trained: all, the upper layers, or low-rank additions."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..modeling_emospeech import EmoSpeechForEmotionClassification
from .optimization import LAYER, is_before_layers
from .recipe import ModelRecipe, RecipeError


def choose_trained_weights(model: EmoSpeechForEmotionClassification, recipe: ModelRecipe) -> None:
    """
    Freeze what the recipe does not train, and put low-rank additions in where it asks for them.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): changed in place.
        recipe ([`ModelRecipe`]): says what is frozen.

    Raises:
        RecipeError: If more layers are to be frozen than there are.
        ImportError: If low-rank additions are asked for and the extra `lora` is not installed.
    """
    for modality in ("text", "speech"):
        encoder = getattr(model.emospeech, f"{modality}_encoder")
        if encoder is None:
            continue
        layers, rank = getattr(recipe, f"frozen_{modality}_layers"), getattr(recipe, f"{modality}_lora_rank")
        if getattr(recipe, f"freeze_{modality}_encoder"):
            encoder.requires_grad_(False)
        elif rank:
            _add_low_rank(encoder, rank)
        elif layers:
            _freeze_lower(encoder, layers, f"frozen_{modality}_layers")


def merge_low_rank(model: nn.Module) -> None:
    """
    Add trained low-rank additions into the weights that they belong to, so that the model is as if it had been trained
    whole.

    Args:
        model (`nn.Module`): changed in place; one without additions stays as it is.
    """
    for name, module in list(model.named_modules()):
        if _is_low_rank(module):
            layer: Any = module
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, layer.get_base_layer())


def _add_low_rank(encoder: nn.Module, rank: int) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError("Low-rank training needs peft: pip install 'emospeech-hf[lora]'.") from error
    # The usual scale: additions count twice, whatever their rank.
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    inject_adapter_in_model(config, encoder)


def _is_low_rank(module: nn.Module) -> bool:
    # Asked for by name: where no additions are, peft need not be installed.
    return hasattr(module, "lora_A") and hasattr(module, "get_base_layer")


def _freeze_lower(encoder: nn.Module, layers: int, field: str) -> None:
    depth = 0
    for name, parameter in encoder.named_parameters():
        layer = LAYER.search(f".{name}")
        if layer is not None:
            depth = max(depth, int(layer.group(1)) + 1)
        lower = int(layer.group(1)) < layers if layer else is_before_layers(name)
        parameter.requires_grad_(not lower)
    if layers > depth:
        raise RecipeError(f"{field} is {layers}; this encoder has {depth} layers.")

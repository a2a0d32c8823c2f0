"""Which parameters learn how fast, and the average of the weights along the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .recipe import TrainingRecipe


LAYER = re.compile(r"\.(?:layers?|blocks?|h)\.(\d+)\.")
"""Where an encoder's parameter names tell the layer; so they do in all encoders of transformers."""


def build_optimizer(model: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """
    Args:
        model ([`EmoSpeechForEmotionClassification`]): not wrapped; its parameters that ask for gradients are trained.
        recipe ([`TrainingRecipe`]): optimizer, learning rates, weight decay.

    Returns:
        `torch.optim.Optimizer` with a parameter group for each learning rate.
    """
    rates: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rates.setdefault(_learning_rate(name, model, recipe), []).append(parameter)
    groups = [{"params": parameters, "lr": rate} for rate, parameters in rates.items()]
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[recipe.optimizer](
        groups, lr=recipe.learning_rate, eps=recipe.epsilon, weight_decay=recipe.weight_decay, fused=True
    )


def is_before_layers(name: str) -> bool:
    """
    Args:
        name (`str`): of an encoder's parameter that is in none of its layers.

    Returns:
        `bool`: whether it comes before them, as embeddings and convolutions do.
    """
    return re.search(r"embed|conv|feature_extract|feature_projection", name) is not None


def _learning_rate(name: str, model: nn.Module, recipe: TrainingRecipe) -> float:
    """Of one parameter: an encoder's layers learn the slower, the further they are from its output."""
    encoder = re.match(r".*?(text|speech)_encoder\.", name)
    if encoder is None:
        return recipe.head_learning_rate or recipe.learning_rate
    depth = _depth(model.get_submodule(encoder.group().rstrip(".")))
    layer = LAYER.search(name)
    # What lies before the layers learns slowest, what comes after them as the last.
    place = int(layer.group(1)) if layer else -1 if is_before_layers(name) else depth - 1
    return float(recipe.learning_rate * recipe.layer_decay ** (depth - 1 - place))


def _depth(encoder: nn.Module) -> int:
    layers = [int(found.group(1)) for name, _ in encoder.named_parameters() if (found := LAYER.search(f".{name}"))]
    return max(layers, default=-1) + 1


class WeightAverage:
    """
    Exponential moving average of the trained weights (Polyak averaging). It is warmed up: after `t` steps the decay is
    at most `(1 + t) / (10 + t)`.

    Args:
        model (`nn.Module`): not wrapped.
        decay (`float`): in (0, 1); the average looks back over about `1 / (1 - decay)` steps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.averages = {name: value.detach().clone() for name, value in self.parameters.items()}

    def update(self) -> None:
        """Take the weights in, after a step of the optimizer."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        current: list[Any] = [value.detach() for value in self.parameters.values()]
        get_ema_multi_avg_fn(decay)(list(self.averages.values()), current, self.steps)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the average's weights inside the block, and its own after it."""
        own = {name: value.detach().clone() for name, value in self.parameters.items()}
        self._set(self.averages)
        try:
            yield
        finally:
            self._set(own)

    def on_cpu(self) -> dict[str, torch.Tensor]:
        """The averages, by the parameters' names."""
        return {name: value.cpu() for name, value in self.averages.items()}

    def load(self, averages: dict[str, torch.Tensor], steps: int) -> None:
        """
        Args:
            averages (`dict[str, torch.Tensor]`): from [`on_cpu`] of such an average.
            steps (`int`): its `steps`.
        """
        self.steps = steps
        for name, value in self.averages.items():
            value.copy_(averages[name])

    def _set(self, weights: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(weights[name])

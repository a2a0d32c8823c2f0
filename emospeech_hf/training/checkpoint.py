"""Checkpoints: safetensors and JSON, nothing that would have to be unpickled.

A checkpoint is taken at the end of an epoch. Order and dropout of the next epoch follow from seed and epoch, so no
state of a random generator is kept. Weights that are not trained are left out; they come from the encoders' own files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ..safe_writing import replaced_folder


WEIGHTS = "trained_weights.safetensors"
AVERAGES = "averaged_weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"


def trained_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """
    Args:
        model (`nn.Module`): not wrapped.

    Returns:
        `dict[str, torch.Tensor]`: copies, on the CPU, of the parameters that are trained, and of those that the
        training split told.
    """
    return {name: parameter.detach().cpu().clone().contiguous() for name, parameter in _learnt(model).items()}


def set_trained_weights(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """
    Args:
        model (`nn.Module`): not wrapped; changed in place.
        weights (`dict[str, torch.Tensor]`): as from [`trained_weights`] of such a model.

    Raises:
        ValueError: If the names differ: the weights are of another recipe.
    """
    own = _learnt(model)
    if own.keys() != weights.keys():
        differing = sorted(own.keys() ^ weights.keys())
        raise ValueError(f"The checkpoint is of another model: it and this one differ in {', '.join(differing[:5])}.")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])


def _learnt(model: nn.Module) -> dict[str, nn.Parameter]:
    """What the encoders' own files do not hold; standardisation is fitted, not trained."""
    parameters = model.named_parameters()
    return {name: value for name, value in parameters if value.requires_grad or ".standardization." in name}


def save_checkpoint(
    folder: Path,
    weights: dict[str, torch.Tensor],
    state: dict[str, Any],
    optimizer: torch.optim.Optimizer | None = None,
    averages: dict[str, torch.Tensor] | None = None,
) -> None:
    """
    Write a checkpoint; a kill at any moment leaves the one before or this one.

    Args:
        folder (`Path`): its folder, replaced whole.
        weights (`dict[str, torch.Tensor]`): from [`trained_weights`].
        state (`dict`): what JSON can express: epoch, history, ...
        optimizer (`torch.optim.Optimizer`, *optional*): where training is to be resumed from here.
        averages (`dict[str, torch.Tensor]`, *optional*): likewise, the moving average of the weights.
    """
    with replaced_folder(folder) as aside:
        save_file(weights, aside / WEIGHTS)
        if optimizer is not None:
            tensors, numbers = _flatten(optimizer.state_dict()["state"])
            save_file(tensors, aside / OPTIMIZER)
            state = {**state, "optimizer_numbers": numbers}
        if averages is not None:
            save_file(averages, aside / AVERAGES)
        (aside / STATE).write_text(json.dumps(state, allow_nan=False), encoding="utf-8")


def load_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """
    Args:
        folder (`Path`): as written by [`save_checkpoint`].

    Returns:
        `tuple[dict[str, torch.Tensor], dict]`: weights and state.
    """
    return load_file(folder / WEIGHTS), json.loads((folder / STATE).read_text(encoding="utf-8"))


def load_averages(folder: Path) -> dict[str, torch.Tensor]:
    """
    Args:
        folder (`Path`): as written by [`save_checkpoint`] with averages.

    Returns:
        `dict[str, torch.Tensor]`: the averages.
    """
    return load_file(folder / AVERAGES)


def load_optimizer(folder: Path, state: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """
    Args:
        folder (`Path`): as written by [`save_checkpoint`] with an optimizer.
        state (`dict`): from [`load_checkpoint`].
        optimizer (`torch.optim.Optimizer`): of the same parameters; changed in place. Its learning rate is left alone.
    """
    restored = _unflatten(load_file(folder / OPTIMIZER), state["optimizer_numbers"])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": restored})


def _flatten(state: dict[int, dict[str, Any]]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors, numbers = {}, {}
    for parameter, values in state.items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{parameter}.{name}"] = value.detach().cpu().contiguous()
            else:
                numbers[f"{parameter}.{name}"] = value
    return tensors, numbers


def _unflatten(tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[int, dict[str, Any]]:
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **numbers}.items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = value
    return state

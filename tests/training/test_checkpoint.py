"""Checkpoints restore weights and optimizer to the bit, and hold nothing that must be unpickled."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from emospeech_hf.training.checkpoint import (
    load_checkpoint,
    load_optimizer,
    save_checkpoint,
    set_trained_weights,
    trained_weights,
)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    layers[0].requires_grad_(False)
    return layers


def step(layers: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    layers(torch.ones(3, 4)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_resuming_equals_going_on(kind: type[torch.optim.Optimizer], tmp_path: Path) -> None:
    layers = network()
    parameters = [p for p in layers.parameters() if p.requires_grad]
    optimizer = kind(parameters, lr=0.1)
    for _ in range(3):
        step(layers, optimizer)
    save_checkpoint(tmp_path / "last", trained_weights(layers), {"epoch": 3}, optimizer)
    assert {path.suffix for path in (tmp_path / "last").iterdir()} == {".safetensors", ".json"}
    step(layers, optimizer)

    other = network()
    other_optimizer = kind([p for p in other.parameters() if p.requires_grad], lr=0.1)
    weights, state = load_checkpoint(tmp_path / "last")
    assert state["epoch"] == 3
    assert sorted(weights) == ["2.bias", "2.weight"]  # what is frozen is not saved
    set_trained_weights(other, weights)
    load_optimizer(tmp_path / "last", state, other_optimizer)
    step(other, other_optimizer)
    for name, tensor in layers.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_weights_are_copies() -> None:
    layers = network()
    weights = trained_weights(layers)
    before = weights["2.weight"].clone()
    with torch.no_grad():
        layers[2].weight.add_(1)
    assert torch.equal(weights["2.weight"], before)


def test_weights_of_another_model() -> None:
    with pytest.raises(ValueError, match="differ in"):
        set_trained_weights(network(), {"other": torch.zeros(1)})

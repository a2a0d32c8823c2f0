"""Poolings and standardisation: real positions alone count, and statistics are what NumPy says they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emospeech_hf.pooling_emospeech import POOLINGS, AttentionPooling, LayerSum, Standardization


@pytest.fixture
def states() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(2, 3, (3, 5, 4))).float()


MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])


@pytest.mark.parametrize("name", POOLINGS)
def test_padding_does_not_show(name: str, states: torch.Tensor) -> None:
    torch.manual_seed(0)
    pooling = POOLINGS[name](4)
    together = pooling(states, MASK)
    assert together.shape == (3, pooling.output_dim)
    for row, length in enumerate(MASK.sum(dim=1)):
        alone = pooling(states[row : row + 1, :length], torch.ones(1, length))
        torch.testing.assert_close(alone[0], together[row])


def test_mean_std_is_numpys(states: torch.Tensor) -> None:
    pooled = POOLINGS["mean_std"](4)(states, MASK).numpy()
    for row, length in enumerate(MASK.sum(dim=1)):
        real = states[row, :length].numpy()
        np.testing.assert_allclose(pooled[row, :4], real.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(pooled[row, 4:], real.std(axis=0), rtol=1e-4, atol=2e-5)


def test_attention_that_scores_all_alike_is_mean_and_deviation(states: torch.Tensor) -> None:
    pooling = AttentionPooling(4)
    torch.nn.init.zeros_(pooling.scorer[2].weight)
    torch.testing.assert_close(pooling(states, MASK), POOLINGS["mean_std"](4)(states, MASK))


def test_attention_looks_where_the_score_is_high(states: torch.Tensor) -> None:
    pooling = AttentionPooling(4)
    with torch.no_grad():
        pooling.scorer[0].weight.zero_()
        pooling.scorer[0].weight[0, 0] = 1.0
        pooling.scorer[0].bias.zero_()
        pooling.scorer[2].weight.fill_(100.0)
        states[:, :, 0] = torch.tensor([-1.0, 1.0, -1.0, -1.0, -1.0])
    torch.testing.assert_close(pooling(states, MASK)[:2, :4], states[:2, 1])


def test_one_position_gives_finite_gradients(states: torch.Tensor) -> None:
    states.requires_grad_(True)
    POOLINGS["mean_std"](4)(states, MASK).sum().backward()
    assert states.grad is not None
    assert states.grad.isfinite().all()


def test_standardization_gives_mean_zero_and_deviation_one() -> None:
    rows = torch.from_numpy(np.random.default_rng(1).normal(7, [1.0, 50.0, 0.0], (40, 3))).float()
    standardization = Standardization(3)
    torch.testing.assert_close(standardization(rows), rows)  # until it is fitted
    standardization.fit(rows)
    fitted = standardization(rows)
    torch.testing.assert_close(fitted.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(fitted.std(dim=0, correction=0)[:2], torch.ones(2))
    assert fitted.isfinite().all()
    assert not any(parameter.requires_grad for parameter in standardization.parameters())


def test_layers_add_up_by_their_weights() -> None:
    layers = LayerSum(3, 4)
    # Mean and deviation of three layers, side by side.
    values = torch.randn(2, 2, 3, 4)
    pooled = values.flatten(1)
    torch.testing.assert_close(layers(pooled), values.mean(dim=2).flatten(1))
    layers.layer_weights.data = torch.tensor([0.0, 50.0, 0.0])
    torch.testing.assert_close(layers(pooled), values[:, :, 1].flatten(1))

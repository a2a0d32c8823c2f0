"""The loss, by hand and against PyTorch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from emospeech_hf.training.losses import EmotionLoss
from emospeech_hf.training.recipe import TrainingRecipe


LABELS = [0] * 8 + [1] * 2
LOGITS = torch.tensor([[2.0, -1.0], [0.5, 0.2], [-3.0, 1.0]])
TARGETS = torch.tensor([0, 1, 0])


def loss(**settings: object) -> EmotionLoss:
    return EmotionLoss(TrainingRecipe(**settings), LABELS, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_plain_is_pytorchs(smoothing: float) -> None:
    expected = nn.functional.cross_entropy(LOGITS, TARGETS, label_smoothing=smoothing)
    torch.testing.assert_close(loss(label_smoothing=smoothing)(LOGITS, TARGETS), expected)


@pytest.mark.parametrize(("kind", "power"), [("sqrt_balanced", 0.5), ("balanced", 1.0)])
def test_class_weights(kind: str, power: float) -> None:
    own = loss(class_weights=kind)
    assert own.weights[1] / own.weights[0] == pytest.approx(4**power)
    rows = torch.tensor(LABELS)
    assert own.weights[rows].mean() == pytest.approx(1)
    each = nn.functional.cross_entropy(LOGITS, TARGETS, reduction="none")
    torch.testing.assert_close(own(LOGITS, TARGETS), (own.weights[TARGETS] * each).mean())


def test_focal_loss_by_hand() -> None:
    right = LOGITS.softmax(dim=-1)[torch.arange(3), TARGETS]
    torch.testing.assert_close(loss(focal_gamma=2.0)(LOGITS, TARGETS), (-((1 - right) ** 2) * right.log()).mean())


def test_logit_adjustment_asks_less_of_the_frequent_class() -> None:
    """Equal logits are then right on average: their gradient, summed over the training split, is nought."""
    logits = torch.zeros(10, 2, requires_grad=True)
    loss(logit_adjustment=1.0)(logits, torch.tensor(LABELS)).backward()
    torch.testing.assert_close(logits.grad.sum(dim=0), torch.zeros(2), atol=1e-6, rtol=0)
    plain = torch.zeros(10, 2, requires_grad=True)
    loss()(plain, torch.tensor(LABELS)).backward()
    assert plain.grad.sum(dim=0)[0] < -0.1


def test_a_class_that_train_lacks() -> None:
    own = EmotionLoss(TrainingRecipe(class_weights="balanced", logit_adjustment=1.0), [0, 0, 1], 3)
    assert own(torch.zeros(2, 3), torch.tensor([0, 1])).isfinite()


def test_half_precision_is_summed_in_single() -> None:
    assert loss()(LOGITS.bfloat16(), TARGETS).dtype == torch.float32

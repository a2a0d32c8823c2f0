"""The loss, and what keeps frequent emotions from drowning rare ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from .recipe import TrainingRecipe


class EmotionLoss(nn.Module):
    """
    Cross entropy with the recipe's means against imbalance, of which the defaults use none (the paper's loss).

    - `class_weights`: each row counts by its class, on average once: `"balanced"` by the inverse of the class's
      frequency, `"sqrt_balanced"` by the square root of that.
    - `focal_gamma`: rows count the less, the surer and righter the model is of them: by `(1 - p) ** gamma` (Lin et al.,
      "Focal loss for dense object detection").
    - `logit_adjustment`: the logarithm of each class's frequency, times this, is added to the logits in training only,
      so that the model need not learn how frequent a class is (Menon et al., "Long-tail learning via logit
      adjustment").
    - `label_smoothing`: this share of each target is spread over all classes.

    Args:
        recipe ([`TrainingRecipe`]): the settings.
        labels (`Sequence[int]`): class numbers of the training rows.
        num_classes (`int`): how many classes there are.
        row_weights (`np.ndarray` of shape `(rows,)`, *optional*): how much each of those rows counts, on average once;
            all the same by default.
    """

    weights: torch.Tensor
    log_prior: torch.Tensor

    def __init__(
        self,
        recipe: TrainingRecipe,
        labels: Sequence[int],
        num_classes: int,
        row_weights: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.gamma = recipe.focal_gamma
        self.label_smoothing = recipe.label_smoothing
        counts = np.bincount(labels, row_weights, minlength=num_classes)
        # A class that train lacks is never asked for; any frequency does.
        shares = np.where(counts > 0, counts, 1) / len(labels)
        power = {"none": 0.0, "sqrt_balanced": 0.5, "balanced": 1.0}[recipe.class_weights]
        weights = shares**-power
        weights /= (weights * counts).sum() / len(labels)
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32))
        self.register_buffer("log_prior", torch.tensor(recipe.logit_adjustment * np.log(shares), dtype=torch.float32))

    def forward(
        self, logits: torch.Tensor, labels: torch.Tensor, row_weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """
        Args:
            logits (`torch.Tensor` of shape `(batch, classes)`): scores before the softmax.
            labels (`torch.Tensor` of shape `(batch,)`, int64): class numbers.
            row_weights (`torch.Tensor` of shape `(batch,)`, *optional*): how much each row counts.

        Returns:
            `torch.Tensor` of shape `()`: the mean over the batch.
        """
        logits = logits.float() + self.log_prior
        losses = nn.functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing, reduction="none")
        if self.gamma:
            right = logits.softmax(dim=-1).gather(1, labels.unsqueeze(1)).squeeze(1)
            losses = (1 - right) ** self.gamma * losses
        if row_weights is not None:
            losses = row_weights * losses
        return (self.weights[labels] * losses).mean()

"""From a sequence of states to one vector. Each pooling is one small module in `POOLINGS`."""

from __future__ import annotations

import torch
from torch import nn


class MeanPooling(nn.Module):
    """
    Mean over the positions that `mask` marks (paper, Task 2).

    Args:
        hidden_size (`int`): width of the states.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_dim = hidden_size

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            states (`torch.Tensor` of shape `(batch, length, hidden_size)`): the encoder's states.
            mask (`torch.Tensor` of shape `(batch, length)`): true, or 1, at real positions.

        Returns:
            `torch.Tensor` of shape `(batch, output_dim)`.
        """
        weights = mask.to(states.dtype).unsqueeze(-1)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


class ClsPooling(nn.Module):
    """
    State of the first position, BERT's `[CLS]`.

    Args:
        hidden_size (`int`): width of the states.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_dim = hidden_size

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See [`MeanPooling.forward`]."""
        return states[:, 0]


class MeanStdPooling(nn.Module):
    """
    Mean and standard deviation over the positions that `mask` marks, side by side.

    Args:
        hidden_size (`int`): width of the states; `output_dim` is twice that.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_dim = 2 * hidden_size

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See [`MeanPooling.forward`]."""
        weights = mask.to(states.dtype)
        return _mean_and_deviation(states, weights / weights.sum(dim=1, keepdim=True).clamp(min=1))


class AttentionPooling(nn.Module):
    """
    Attentive statistics: mean and standard deviation, side by side, in which each position counts as much as a small
    network makes it (Okabe et al., "Attentive statistics pooling for deep speaker embedding").

    Args:
        hidden_size (`int`): width of the states; `output_dim` is twice that.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_dim = 2 * hidden_size
        width = max(1, hidden_size // 4)
        self.scorer = nn.Sequential(nn.Linear(hidden_size, width), nn.Tanh(), nn.Linear(width, 1, bias=False))

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See [`MeanPooling.forward`]."""
        scores = self.scorer(states).squeeze(-1)
        scores = scores.masked_fill(~mask.bool(), torch.finfo(scores.dtype).min)
        return _mean_and_deviation(states, scores.softmax(dim=-1).to(states.dtype))


def _mean_and_deviation(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    weights = weights.unsqueeze(-1)
    mean = (states * weights).sum(dim=1)
    variance = ((states - mean.unsqueeze(1)).square() * weights).sum(dim=1)
    # The root's slope at zero is infinite, and a recording of one position has no deviation.
    return torch.cat([mean, variance.clamp(min=1e-10).sqrt()], dim=-1)


Pooling = MeanPooling | ClsPooling | MeanStdPooling | AttentionPooling

POOLINGS: dict[str, type[Pooling]] = {
    "mean": MeanPooling,
    "cls": ClsPooling,
    "mean_std": MeanStdPooling,
    "attention": AttentionPooling,
}


class Standardization(nn.Module):
    """
    Takes the training data's mean away from an embedding and divides it by their standard deviation. Both are kept in
    the model; pretrained speech encoders have a few huge dimensions that would drown the others.

    Args:
        width (`int`): of the embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # Parameters that ask for no gradients, and not buffers: checkpoints and releases treat them as weights.
        self.mean = nn.Parameter(torch.zeros(width), requires_grad=False)
        self.deviation = nn.Parameter(torch.ones(width), requires_grad=False)

    def fit(self, embeddings: torch.Tensor) -> None:
        """
        Args:
            embeddings (`torch.Tensor` of shape `(rows, width)`): of the training split. A dimension that does not
                vary is left as it is.
        """
        with torch.no_grad():
            deviation = embeddings.std(dim=0, correction=0)
            self.mean.copy_(embeddings.mean(dim=0))
            self.deviation.copy_(torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation)))

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """
        Args:
            embedding (`torch.Tensor` of shape `(..., width)`): as the encoder gives it.

        Returns:
            `torch.Tensor` of the same shape.
        """
        return (embedding - self.mean) / self.deviation


class LayerSum(nn.Module):
    """
    Sum of several layers of an encoder by learned weights, positive and summing up to 1, which start out equal.

    Args:
        layers (`int`): how many layers lie side by side.
        hidden_size (`int`): width of each.
    """

    def __init__(self, layers: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.layer_weights = nn.Parameter(torch.zeros(layers))

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """
        Args:
            embedding (`torch.Tensor` of shape `(..., parts x layers x hidden_size)`): layers side by side; for each of
                the parts, as mean and deviation are, once.

        Returns:
            `torch.Tensor` of shape `(..., parts x hidden_size)`.
        """
        layers = embedding.unflatten(-1, (-1, len(self.layer_weights), self.hidden_size))
        weights = self.layer_weights.softmax(dim=0).to(layers.dtype).unsqueeze(-1)
        return (layers * weights).sum(dim=-2).flatten(-2)


__all__ = [
    "POOLINGS",
    "AttentionPooling",
    "ClsPooling",
    "LayerSum",
    "MeanPooling",
    "MeanStdPooling",
    "Pooling",
    "Standardization",
]

"""From a sequence of states to one vector. Each pooling is one small module in `POOLINGS`."""

from __future__ import annotations

import torch
from torch import nn


class MeanPooling(nn.Module):
    """Mean over the positions that `mask` marks (paper, Task 2)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_dim = hidden_size

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            states (`torch.Tensor` of shape `(batch, length, hidden_size)`): the encoder's last states.
            mask (`torch.Tensor` of shape `(batch, length)`): true, or 1, at real positions.

        Returns:
            `torch.Tensor` of shape `(batch, output_dim)`.
        """
        weights = mask.to(states.dtype).unsqueeze(-1)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


class ClsPooling(nn.Module):
    """State of the first position, BERT's `[CLS]`."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output_dim = hidden_size

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See [`MeanPooling.forward`]."""
        return states[:, 0]


POOLINGS: dict[str, type[MeanPooling] | type[ClsPooling]] = {"mean": MeanPooling, "cls": ClsPooling}


__all__ = ["POOLINGS", "ClsPooling", "MeanPooling"]

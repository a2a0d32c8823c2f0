"""From one embedding per source to one vector per utterance. Each fusion is one small module in `FUSIONS`."""

from __future__ import annotations

import torch
from torch import nn


class NoFusion(nn.Module):
    """
    Concatenates the embeddings as they are; with a single one, passes it on (paper, Task 1).

    Args:
        input_dims (`list[int]`): width of each embedding.
        fusion_dim (`int`): not used.
    """

    def __init__(self, input_dims: list[int], fusion_dim: int) -> None:
        super().__init__()
        self.output_dim = sum(input_dims)

    def forward(self, embeddings: list[torch.Tensor], present: list[torch.Tensor | None]) -> torch.Tensor:
        """
        Args:
            embeddings (`list` of `torch.Tensor` of shape `(batch, input_dim)`): one for each source.
            present (`list` of `torch.Tensor` of shape `(batch,)`, boolean, or `None`):
                for each source, which rows really have it; `None` where all do. The others count as zeros.

        Returns:
            `torch.Tensor` of shape `(batch, output_dim)`.
        """
        return torch.cat([_hide(*pair) for pair in zip(embeddings, present)], dim=-1)


class ConcatFusion(nn.Module):
    """
    Projects each embedding to the same width and concatenates them (paper, Task 2).

    Args:
        input_dims (`list[int]`): width of each embedding.
        fusion_dim (`int`): width to which each is projected.
    """

    def __init__(self, input_dims: list[int], fusion_dim: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList([nn.Linear(input_dim, fusion_dim) for input_dim in input_dims])
        self.output_dim = fusion_dim * len(input_dims)

    def forward(self, embeddings: list[torch.Tensor], present: list[torch.Tensor | None]) -> torch.Tensor:
        """See [`NoFusion.forward`]."""
        projected = [projection(embedding) for projection, embedding in zip(self.projections, embeddings)]
        return torch.cat([_hide(*pair) for pair in zip(projected, present)], dim=-1)


def _hide(embedding: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
    if present is None:
        return embedding
    # Not a product: what stands in for a missing source may be anything, NaN included.
    return torch.where(present.unsqueeze(-1), embedding, torch.zeros_like(embedding))


FUSIONS: dict[str, type[NoFusion] | type[ConcatFusion]] = {"none": NoFusion, "concat": ConcatFusion}


__all__ = ["FUSIONS", "ConcatFusion", "NoFusion"]

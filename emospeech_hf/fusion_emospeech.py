"""
From the sources to one vector per utterance. Each fusion is one small module in `FUSIONS`.

A source is MFCC, a speech encoder or a text encoder. Most fusions take one embedding of each; those with
`takes_sequences` take its MFCC frames or encoder states instead, and pool them by attention.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


QUERY_BLOCK = 512
"""Positions that attend at once; bounds the memory that a long recording takes."""


class NoFusion(nn.Module):
    """
    Concatenates the embeddings as they are; with a single one, passes it on (paper, Task 1).

    Args:
        input_dims (`list[int]`): width of each source.
        fusion_dim (`int`): not used.
        num_heads (`int`): not used.
    """

    takes_sequences = False

    def __init__(self, input_dims: list[int], fusion_dim: int, num_heads: int) -> None:
        super().__init__()
        self.output_dim = sum(input_dims)

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """
        Args:
            sources (`list` of `torch.Tensor` of shape `(batch, input_dim)`): the embeddings.
            masks (`list` of `None`): embeddings have no positions.
            present (`list` of `torch.Tensor` of shape `(batch,)`, boolean, or `None`):
                for each source, which rows really have it; `None` where all do. The others count as zeros.

        Returns:
            `torch.Tensor` of shape `(batch, output_dim)`.
        """
        return torch.cat([_hide(*pair) for pair in zip(sources, present)], dim=-1)


class ConcatFusion(nn.Module):
    """
    Projects each embedding to the same width and concatenates them (paper, Task 2).

    Args:
        input_dims (`list[int]`): width of each source.
        fusion_dim (`int`): width to which each is projected.
        num_heads (`int`): not used.
    """

    takes_sequences = False

    def __init__(self, input_dims: list[int], fusion_dim: int, num_heads: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList([nn.Linear(input_dim, fusion_dim) for input_dim in input_dims])
        self.output_dim = fusion_dim * len(input_dims)

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`NoFusion.forward`]."""
        projected = [projection(source) for projection, source in zip(self.projections, sources)]
        return torch.cat([_hide(*pair) for pair in zip(projected, present)], dim=-1)


class MeanFusion(nn.Module):
    """
    Projects each embedding to the same width, normalises it, and takes the mean of those that a row has: a missing
    source leaves its place to the others instead of a hole.

    Args:
        input_dims (`list[int]`): width of each source.
        fusion_dim (`int`): width to which each is projected.
        num_heads (`int`): not used.
    """

    takes_sequences = False

    def __init__(self, input_dims: list[int], fusion_dim: int, num_heads: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList([_projection(input_dim, fusion_dim) for input_dim in input_dims])
        self.output_dim = fusion_dim

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`NoFusion.forward`]; a row without any source gives zeros."""
        projected, real = _side_by_side(self.projections, sources, present)
        return projected.sum(dim=1) / real.sum(dim=1, keepdim=True).clamp(min=1)


class GatedFusion(MeanFusion):
    """
    As [`MeanFusion`], but each number of the result weighs the sources by a softmax of gates that see what each source
    says (after Arevalo et al., "Gated multimodal units for information fusion").

    Args:
        input_dims (`list[int]`): width of each source.
        fusion_dim (`int`): width to which each is projected.
        num_heads (`int`): not used.
    """

    def __init__(self, input_dims: list[int], fusion_dim: int, num_heads: int) -> None:
        super().__init__(input_dims, fusion_dim, num_heads)
        self.gates = nn.ModuleList([nn.Linear(fusion_dim, fusion_dim) for _ in input_dims])

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`NoFusion.forward`]; a row without any source gives zeros."""
        projected, real = _side_by_side(self.projections, sources, present)
        gates = torch.stack([gate(projected[:, place]) for place, gate in enumerate(self.gates)], dim=1)
        shares = gates.masked_fill(~real.unsqueeze(-1), torch.finfo(gates.dtype).min).softmax(dim=1)
        return _hide((shares * projected).sum(dim=1), real.any(dim=1))


class AttentionFusion(nn.Module):
    """
    Attends over the positions of each source, then concatenates (a variant of the paper's Task 2).

    Each position is projected to the same width and normalised; a small network scores it; the softmax of the scores
    weighs the sum over positions. The paper does not describe its attention; this is additive attention, with a
    normalisation in front because MFCC, in the hundreds, would otherwise drive the scores into saturation.

    Args:
        input_dims (`list[int]`): width of each source.
        fusion_dim (`int`): width to which each is projected.
        num_heads (`int`): not used.
    """

    takes_sequences = True

    def __init__(self, input_dims: list[int], fusion_dim: int, num_heads: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList([_projection(input_dim, fusion_dim) for input_dim in input_dims])
        self.scorers = nn.ModuleList(
            [
                nn.Sequential(nn.Linear(fusion_dim, fusion_dim), nn.Tanh(), nn.Linear(fusion_dim, 1, bias=False))
                for _ in input_dims
            ]
        )
        self.output_dim = fusion_dim * len(input_dims)

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """
        Args:
            sources (`list` of `torch.Tensor` of shape `(batch, length, input_dim)`): frames or states; the lengths
                of the sources differ.
            masks (`list` of `torch.Tensor` of shape `(batch, length)`): true, or 1, at real positions.
            present (`list` of `torch.Tensor` of shape `(batch,)`, boolean, or `None`):
                for each source, which rows really have it; `None` where all do. The others count as zeros.

        Returns:
            `torch.Tensor` of shape `(batch, output_dim)`.
        """
        pooled = []
        for projection, scorer, source, mask, rows in zip(self.projections, self.scorers, sources, masks, present):
            real = _real_positions(source, mask, rows)
            states = projection(_hide(source, real))
            scores = scorer(states).squeeze(-1)
            weights = scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(dim=-1)
            pooled.append(_hide((weights.unsqueeze(-1) * states).sum(dim=1), rows))
        return torch.cat(pooled, dim=-1)


class MultiheadFusion(nn.Module):
    """
    Multi-head self-attention among the positions of each source, their mean, then concatenation (a variant of the
    paper's Task 2).

    The paper names multi-head attention without describing it. Here each position is projected to the same width and
    normalised, the positions of one source attend to one another, and the result is added to what went in.

    Args:
        input_dims (`list[int]`): width of each source.
        fusion_dim (`int`): width to which each is projected; a multiple of `num_heads`.
        num_heads (`int`): attention heads.
    """

    takes_sequences = True

    def __init__(self, input_dims: list[int], fusion_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.projections = nn.ModuleList([_projection(input_dim, fusion_dim) for input_dim in input_dims])
        # Query, key and value in one.
        self.attention_inputs = nn.ModuleList([nn.Linear(fusion_dim, 3 * fusion_dim) for _ in input_dims])
        self.attention_outputs = nn.ModuleList([nn.Linear(fusion_dim, fusion_dim) for _ in input_dims])
        self.output_dim = fusion_dim * len(input_dims)

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`AttentionFusion.forward`]."""
        pooled = []
        for index, (source, mask, rows) in enumerate(zip(sources, masks, present)):
            real = _real_positions(source, mask, rows)
            states = self.projections[index](_hide(source, real))
            weights = real.to(states.dtype)
            weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
            attended = self.attention_outputs[index](self._mean_attended(index, states, weights, real))
            mean = (weights.unsqueeze(1) @ states).squeeze(1) + attended
            pooled.append(_hide(mean, real.any(dim=1)))
        return torch.cat(pooled, dim=-1)

    def _mean_attended(
        self, index: int, states: torch.Tensor, weights: torch.Tensor, real: torch.Tensor
    ) -> torch.Tensor:
        """
        What the positions get from one another, averaged over them by `weights`. As only the mean is wanted, and all
        behind the softmax is linear, values are computed of one vector for each head instead of every position.
        """
        batch, length, width = states.shape
        linear: Any = self.attention_inputs[index]
        names = nn.functional.linear(states, linear.weight[: 2 * width], linear.bias[: 2 * width])
        query, key = names.view(batch, length, 2, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        # A row without real positions attends to all of them, so that no NaN arises; the caller hides it.
        hidden = ~(real | ~real.any(dim=1, keepdim=True))[:, None, None, :]
        received = states.new_zeros(batch, self.num_heads, 1, length)
        # An exported graph has no loop over a length that it does not know.
        block = None if torch.compiler.is_compiling() else QUERY_BLOCK
        parts = zip(query.split(block, dim=2), weights.split(block, dim=1)) if block else [(query, weights)]
        for queries, shares in parts:
            scores = queries * queries.shape[-1] ** -0.5 @ key.transpose(-1, -2)
            attention = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(dim=-1)
            received = received + shares[:, None, None, :].to(attention.dtype) @ attention
        pooled = received.squeeze(2).to(states.dtype) @ states
        value = linear.weight[2 * width :].view(self.num_heads, -1, width)
        bias = linear.bias[2 * width :].view(self.num_heads, -1)
        return (torch.einsum("bhw,hdw->bhd", pooled, value) + bias).reshape(batch, width)


def _projection(input_dim: int, fusion_dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(input_dim, fusion_dim), nn.LayerNorm(fusion_dim))


def _side_by_side(
    projections: nn.ModuleList, sources: list[torch.Tensor], present: list[torch.Tensor | None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Projected embeddings, (batch, sources, width), zeros where a row lacks one; and boolean (batch, sources)."""
    rows = [
        torch.ones(len(source), dtype=torch.bool, device=source.device) if has is None else has.bool()
        for source, has in zip(sources, present)
    ]
    projected = [_hide(projection(_hide(*pair)), pair[1]) for projection, pair in zip(projections, zip(sources, rows))]
    return torch.stack(projected, dim=1), torch.stack(rows, dim=1)


def _real_positions(source: torch.Tensor, mask: torch.Tensor | None, present: torch.Tensor | None) -> torch.Tensor:
    """Boolean (batch, length): positions that are no padding, of rows that have this source."""
    real = torch.ones(source.shape[:2], dtype=torch.bool, device=source.device) if mask is None else mask.bool()
    return real if present is None else real & present.unsqueeze(-1)


def _hide(values: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
    """Zeros wherever `real`, of one dimension less, is false."""
    if real is None:
        return values
    # Not a product: what stands in for a missing source may be anything, NaN included.
    return torch.where(real.unsqueeze(-1), values, torch.zeros_like(values))


Fusion = NoFusion | ConcatFusion | MeanFusion | GatedFusion | AttentionFusion | MultiheadFusion

FUSIONS: dict[str, type[Fusion]] = {
    "none": NoFusion,
    "concat": ConcatFusion,
    "mean": MeanFusion,
    "gated": GatedFusion,
    "attention": AttentionFusion,
    "multihead": MultiheadFusion,
}


__all__ = [
    "FUSIONS",
    "AttentionFusion",
    "ConcatFusion",
    "Fusion",
    "GatedFusion",
    "MeanFusion",
    "MultiheadFusion",
    "NoFusion",
]

"""Fusions of sequences: MFCC frames and encoder states, which attend and are pooled."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .configuration_emospeech import EmoSpeechConfig
from .embedding_fusion_emospeech import hide, normalized_projections


QUERY_BLOCK = 512
"""Positions that attend at once; bounds the memory that a long recording takes."""


class AttentionFusion(nn.Module):
    """
    Attends over the positions of each source, then concatenates (a variant of the paper's Task 2).

    Each position is projected to the same width and normalised; a small network scores it; the softmax of the scores
    weighs the sum over positions. The paper does not describe its attention; this is additive attention, with a
    normalisation in front because MFCC, in the hundreds, would otherwise drive the scores into saturation.

    Args:
        input_dims (`list[int]`): width of each source.
        config ([`EmoSpeechConfig`]): its `fusion_dim` is the width to which each is projected.
    """

    takes_sequences = True

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
        super().__init__()
        width = config.fusion_dim
        self.projections = normalized_projections(input_dims, width)
        self.scorers = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Linear(width, width),
                    nn.Tanh(),
                    nn.Linear(width, 1, bias=False),
                )
                for _ in input_dims
            ]
        )
        self.output_dim = width * len(input_dims)

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
            states = projection(hide(source, real))
            scores = scorer(states).squeeze(-1)
            weights = scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(dim=-1)
            pooled.append(hide((weights.unsqueeze(-1) * states).sum(dim=1), rows))
        return torch.cat(pooled, dim=-1)


class MultiheadFusion(nn.Module):
    """
    Multi-head self-attention among the positions of each source, their mean, then concatenation (a variant of the
    paper's Task 2).

    The paper names multi-head attention without describing it. Here each position is projected to the same width and
    normalised, the positions of one source attend to one another, and the result is added to what went in.

    Args:
        input_dims (`list[int]`): width of each source.
        config ([`EmoSpeechConfig`]): its `fusion_dim` is the width to which each is projected, its `fusion_heads` the
            number of heads.
    """

    takes_sequences = True

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
        super().__init__()
        self.num_heads = config.fusion_heads
        width = config.fusion_dim
        self.projections = normalized_projections(input_dims, width)
        # Query, key and value in one.
        self.attention_inputs = nn.ModuleList([nn.Linear(width, 3 * width) for _ in input_dims])
        self.attention_outputs = nn.ModuleList([nn.Linear(width, width) for _ in input_dims])
        self.output_dim = width * len(input_dims)

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
            states = self.projections[index](hide(source, real))
            weights = real.to(states.dtype)
            weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
            attended = self.attention_outputs[index](self._mean_attended(index, states, weights, real))
            mean = (weights.unsqueeze(1) @ states).squeeze(1) + attended
            pooled.append(hide(mean, real.any(dim=1)))
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


class CrossAttentionFusion(nn.Module):
    """
    The positions of each source attend, with several heads, to those of all other sources: speech to text and back.
    Each source is then averaged over its positions, and the sources are concatenated.

    Each position is projected to the same width and normalised, and what it hears from the others is added to it. Where
    an utterance has no other source, nothing is added.

    Args:
        input_dims (`list[int]`): width of each source; two or more.
        config ([`EmoSpeechConfig`]): its `fusion_dim` is the width to which each is projected, its `fusion_heads` the
            number of heads.
    """

    takes_sequences = True

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
        super().__init__()
        width = config.fusion_dim
        self.num_heads = config.fusion_heads
        self.projections = normalized_projections(input_dims, width)
        self.queries = nn.ModuleList([nn.Linear(width, width) for _ in input_dims])
        # Key and value in one.
        self.answers = nn.ModuleList([nn.Linear(width, 2 * width) for _ in input_dims])
        self.outputs = nn.ModuleList([nn.Linear(width, width) for _ in input_dims])
        self.output_dim = width * len(input_dims)

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`AttentionFusion.forward`]."""
        real = [_real_positions(*three) for three in zip(sources, masks, present)]
        states = [layer(hide(*pair)) for layer, pair in zip(self.projections, zip(sources, real))]
        queries = [self._heads(layer(state)) for layer, state in zip(self.queries, states)]
        answers = [layer(state).chunk(2, dim=-1) for layer, state in zip(self.answers, states)]
        pooled = []
        for own, (state, positions) in enumerate(zip(states, real)):
            others = [place for place in range(len(states)) if place != own]
            key, value = (self._heads(torch.cat([answers[place][part] for place in others], dim=1)) for part in (0, 1))
            heard = torch.cat([real[place] for place in others], dim=1)
            hears = heard.any(dim=1)
            # A row that hears nothing attends to all there is, so that no NaN arises, and forgets it.
            shown = (heard | ~hears.unsqueeze(1))[:, None, None, :]
            attended = nn.functional.scaled_dot_product_attention(queries[own], key, value, attn_mask=shown)
            attended = self.outputs[own](attended.transpose(1, 2).flatten(2))
            state = state + hide(attended, hears.unsqueeze(1).expand(positions.shape))
            weights = positions.to(state.dtype).unsqueeze(1)
            mean = (weights @ state).squeeze(1) / weights.sum(dim=-1).clamp(min=1)
            pooled.append(hide(mean, positions.any(dim=1)))
        return torch.cat(pooled, dim=-1)

    def _heads(self, states: torch.Tensor) -> torch.Tensor:
        """(batch, length, width) to (batch, heads, length, width of a head)."""
        return states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def _real_positions(source: torch.Tensor, mask: torch.Tensor | None, present: torch.Tensor | None) -> torch.Tensor:
    """Boolean (batch, length): positions that are no padding, of rows that have this source."""
    real = torch.ones(source.shape[:2], dtype=torch.bool, device=source.device) if mask is None else mask.bool()
    return real if present is None else real & present.unsqueeze(-1)


__all__ = ["AttentionFusion", "CrossAttentionFusion", "MultiheadFusion"]

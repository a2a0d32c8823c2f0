"""Fusions of one embedding for each source: MFCC means, pooled speech encoder, pooled text encoder."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from .configuration_emospeech import EmoSpeechConfig


class NoFusion(nn.Module):
    """
    Concatenates the embeddings as they are; with a single one, passes it on (paper, Task 1).

    Args:
        input_dims (`list[int]`): width of each source.
        config ([`EmoSpeechConfig`]): not used.
    """

    takes_sequences = False

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
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
        return torch.cat([hide(*pair) for pair in zip(sources, present)], dim=-1)


class ConcatFusion(nn.Module):
    """
    Projects each embedding to the same width and concatenates them (paper, Task 2).

    Args:
        input_dims (`list[int]`): width of each source.
        config ([`EmoSpeechConfig`]): its `fusion_dim` is the width to which each is projected.
    """

    takes_sequences = False

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
        super().__init__()
        self.projections = nn.ModuleList([nn.Linear(input_dim, config.fusion_dim) for input_dim in input_dims])
        self.output_dim = config.fusion_dim * len(input_dims)

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`NoFusion.forward`]."""
        projected = [projection(source) for projection, source in zip(self.projections, sources)]
        return torch.cat([hide(*pair) for pair in zip(projected, present)], dim=-1)


class MeanFusion(nn.Module):
    """
    Projects each embedding to the same width, normalises it, and takes the mean of those that a row has: a missing
    source leaves its place to the others instead of a hole.

    Args:
        input_dims (`list[int]`): width of each source.
        config ([`EmoSpeechConfig`]): its `fusion_dim` is the width to which each is projected.
    """

    takes_sequences = False

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
        super().__init__()
        width = config.fusion_dim
        self.projections = normalized_projections(input_dims, width)
        self.output_dim = width

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
        config ([`EmoSpeechConfig`]): its `fusion_dim` is the width to which each is projected.
    """

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
        super().__init__(input_dims, config)
        self.gates = nn.ModuleList([nn.Linear(config.fusion_dim, config.fusion_dim) for _ in input_dims])

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`NoFusion.forward`]; a row without any source gives zeros."""
        projected, real = _side_by_side(self.projections, sources, present)
        gates = torch.stack([gate(projected[:, place]) for place, gate in enumerate(self.gates)], dim=1)
        return _weighed(projected, gates, real)


class LateFusion(nn.Module):
    """
    A classifier for each source, and the mean of their logits, weighted by the softmax of one learned number for each.
    A missing source leaves its weight to the others, so that each modality alone is judged by its own classifier. An
    embedding that is not standardised is normalised first: with an encoder's own scale, one source would learn much
    faster than another.

    Args:
        input_dims (`list[int]`): width of each source.
        config ([`EmoSpeechConfig`]): its `classifier_dim`, `classifier_dropout` and `num_labels` are those of each
            classifier.
    """

    takes_sequences = False

    def __init__(self, input_dims: list[int], config: EmoSpeechConfig) -> None:
        super().__init__()
        norms = [
            nn.Identity() if name in config.standardized_sources else nn.LayerNorm(input_dim, elementwise_affine=False)
            for name, input_dim in zip(config.sources, input_dims)
        ]
        self.classifiers = nn.ModuleList(
            [nn.Sequential(norm, *classifier(input_dim, config)) for norm, input_dim in zip(norms, input_dims)]
        )
        self.source_weights = nn.Parameter(torch.zeros(len(input_dims)))
        self.output_dim = config.num_labels

    def forward(
        self,
        sources: list[torch.Tensor],
        masks: list[torch.Tensor | None],
        present: list[torch.Tensor | None],
    ) -> torch.Tensor:
        """See [`NoFusion.forward`]; the result are logits. A row without any source gives zeros."""
        logits, real = _side_by_side(self.classifiers, sources, present)
        return _weighed(logits, self.source_weights.expand(real.shape).unsqueeze(-1), real)


def classifier(input_dim: int, config: EmoSpeechConfig) -> nn.Sequential:
    """
    The paper's classifier: linear, ReLU, dropout, linear (Task 2).

    Args:
        input_dim (`int`): width of what is classified.
        config ([`EmoSpeechConfig`]): with `classifier_dim=0` the hidden layer and its ReLU are left out.

    Returns:
        `nn.Sequential`: to logits.
    """
    layers: list[nn.Module] = []
    if config.classifier_dim:
        layers += [nn.Linear(input_dim, config.classifier_dim), nn.ReLU()]
        input_dim = config.classifier_dim
    return nn.Sequential(*layers, nn.Dropout(config.classifier_dropout), nn.Linear(input_dim, config.num_labels))


def normalized_projections(input_dims: list[int], fusion_dim: int) -> nn.ModuleList:
    """For each source, a projection to the same width, and a norm."""
    return nn.ModuleList(
        [nn.Sequential(nn.Linear(input_dim, fusion_dim), nn.LayerNorm(fusion_dim)) for input_dim in input_dims]
    )


def hide(values: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
    """Zeros wherever `real`, of one dimension less, is false."""
    if real is None:
        return values
    # Not a product: what stands in for a missing source may be anything, NaN included.
    return torch.where(real.unsqueeze(-1), values, torch.zeros_like(values))


def _side_by_side(
    layers: Iterable[nn.Module], sources: list[torch.Tensor], present: list[torch.Tensor | None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each layer's output, (batch, sources, width), zeros where a row lacks one; and boolean (batch, sources)."""
    rows = [
        torch.ones(len(source), dtype=torch.bool, device=source.device) if has is None else has.bool()
        for source, has in zip(sources, present)
    ]
    outputs = [hide(layer(hide(*pair)), pair[1]) for layer, pair in zip(layers, zip(sources, rows))]
    return torch.stack(outputs, dim=1), torch.stack(rows, dim=1)


def _weighed(values: torch.Tensor, scores: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """
    Mean of the sources' values, (batch, sources, width), by the softmax of their scores, (batch, sources, width or 1),
    among those that a row has; zeros where it has none.
    """
    shares = scores.masked_fill(~real.unsqueeze(-1), torch.finfo(scores.dtype).min).softmax(dim=1)
    return hide((shares * values).sum(dim=1), real.any(dim=1))


__all__ = [
    "ConcatFusion",
    "GatedFusion",
    "LateFusion",
    "MeanFusion",
    "NoFusion",
    "classifier",
    "hide",
    "normalized_projections",
]

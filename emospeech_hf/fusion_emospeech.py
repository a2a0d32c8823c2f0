"""
From the sources to one vector per utterance: the fusions by their names. Each is one small module.

A source is MFCC, a speech encoder or a text encoder. Most fusions take one embedding of each; those with
`takes_sequences` take its MFCC frames or encoder states instead, and pool them by attention.
"""

from __future__ import annotations

from .embedding_fusion_emospeech import ConcatFusion, GatedFusion, LateFusion, MeanFusion, NoFusion
from .sequence_fusion_emospeech import AttentionFusion, CrossAttentionFusion, MultiheadFusion


Fusion = (
    NoFusion
    | ConcatFusion
    | MeanFusion
    | GatedFusion
    | LateFusion
    | AttentionFusion
    | MultiheadFusion
    | CrossAttentionFusion
)

FUSIONS: dict[str, type[Fusion]] = {
    "none": NoFusion,
    "concat": ConcatFusion,
    "mean": MeanFusion,
    "gated": GatedFusion,
    "late": LateFusion,
    "attention": AttentionFusion,
    "multihead": MultiheadFusion,
    "cross_attention": CrossAttentionFusion,
}


__all__ = [
    "FUSIONS",
    "AttentionFusion",
    "ConcatFusion",
    "CrossAttentionFusion",
    "Fusion",
    "GatedFusion",
    "LateFusion",
    "MeanFusion",
    "MultiheadFusion",
    "NoFusion",
]

"""Whisper's encoder on the real length of a recording, instead of thirty seconds of padding."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutput


def is_whisper(encoder: Any) -> bool:
    """
    Args:
        encoder (`PreTrainedModel`): a speech encoder.

    Returns:
        `bool`: whether it is Whisper's.
    """
    return bool(encoder.config.model_type == "whisper")


def encode_with_whisper(
    encoder: Any,
    input_features: torch.Tensor,
    attention_mask: torch.Tensor | None,
    num_layers: int | None = None,
) -> tuple[BaseModelOutput, torch.Tensor]:
    """
    Whisper's own `forward` takes exactly thirty seconds, and attends to their padding as to speech. This runs its
    layers on what there is, and hides the padding of a batch from convolutions and attention, so that a recording
    alone and in a batch gives the same states. A recording of more than thirty seconds goes through in pieces of
    thirty, as the position table ends there.

    Args:
        encoder (`WhisperEncoder`): with its weights.
        input_features (`torch.Tensor` of shape `(batch, mel bands, frames)`): log mel spectrogram, 100 frames a second.
        attention_mask (`torch.Tensor` of shape `(batch, frames)`, *optional*): true, or 1, at real frames.
        num_layers (`int`, *optional*): run so many layers; by default all.

    Returns:
        `tuple[BaseModelOutput, torch.Tensor]`: the states, 50 a second, of these layers, the first before them and that
        of the encoder's last layer behind the final norm; and a boolean mask of shape (batch, states) of the real ones.
    """
    batch, bands, frames = input_features.shape
    if attention_mask is None:
        attention_mask = torch.ones(batch, frames, dtype=torch.bool, device=input_features.device)
    real = attention_mask.bool()
    piece = 2 * encoder.config.max_source_positions
    pieces = 1
    if frames > piece:
        pieces = -(-frames // piece)
        missing = pieces * piece - frames
        padded = nn.functional.pad(input_features, (0, missing))
        input_features = padded.view(batch, bands, pieces, piece).transpose(1, 2).reshape(-1, bands, piece)
        real = nn.functional.pad(real, (0, missing)).reshape(-1, piece)
    states, mask = _run(encoder, input_features, real, len(encoder.layers) if num_layers is None else num_layers)
    if pieces > 1:
        states = [state.reshape(batch, -1, state.shape[-1]) for state in states]
        mask = mask.reshape(batch, -1)
    return BaseModelOutput(last_hidden_state=states[-1], hidden_states=tuple(states)), mask


def _run(
    encoder: Any, features: torch.Tensor, real: torch.Tensor, num_layers: int
) -> tuple[list[torch.Tensor], torch.Tensor]:
    shown = real.unsqueeze(1)
    hidden = nn.functional.gelu(encoder.conv1(torch.where(shown, features, torch.zeros_like(features))))
    # Behind the end of a recording the second convolution finds what it would find without a batch: zeros.
    hidden = nn.functional.gelu(encoder.conv2(torch.where(shown, hidden, torch.zeros_like(hidden)))).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    hidden = nn.functional.dropout(hidden, p=encoder.dropout, training=encoder.training)
    mask = real[:, ::2]
    # One form for every kind of attention that adds its mask to the scores.
    bias = torch.zeros(mask.shape, dtype=hidden.dtype, device=hidden.device)
    bias = bias.masked_fill(~mask, torch.finfo(hidden.dtype).min)[:, None, None, :]
    states = [hidden]
    # transformers 4 asks for a mask of heads, and wraps the states into a tuple.
    parameters = inspect.signature(encoder.layers[0].forward).parameters
    older = {"layer_head_mask": None} if "layer_head_mask" in parameters else {}
    for layer in encoder.layers[:num_layers]:
        output = layer(hidden, attention_mask=bias, **older)
        hidden = output[0] if isinstance(output, tuple) else output
        states.append(hidden)
    if num_layers >= len(encoder.layers):
        states[-1] = encoder.layer_norm(states[-1])
    return states, mask


__all__ = ["encode_with_whisper", "is_whisper"]

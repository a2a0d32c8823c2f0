"""The pretrained encoders inside the model: how they are made and loaded, and which of their frames are real."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel

from .whisper_emospeech import is_whisper


def build_encoder(config: Any) -> Any:
    """
    Args:
        config (`PreTrainedConfig`): of a text or speech encoder, or of an encoder-decoder.

    Returns:
        `PreTrainedModel`: the encoder, with random weights.
    """
    return _encoder_only(AutoModel.from_config(config, **_options(config)))


def load_encoder(name: str, revision: str | None = None, attn_implementation: str | None = None) -> Any:
    """
    Args:
        name (`str`): Hub id or folder; only safetensors are read.
        revision (`str`, *optional*): commit, branch or tag on the Hub.
        attn_implementation (`str`, *optional*): `"eager"`, `"sdpa"`, ...

    Returns:
        `PreTrainedModel`: the encoder, in float32.

    Raises:
        OSError: If it is not found, or has no safetensors.
    """
    config = AutoConfig.from_pretrained(name, revision=revision or "main")
    model = AutoModel.from_pretrained(
        name,
        config=config,
        revision=revision or "main",
        use_safetensors=True,
        dtype=torch.float32,
        attn_implementation=attn_implementation,
        **_options(config),
    )
    return _encoder_only(model)


def frame_mask(
    encoder: Any, attention_mask: torch.Tensor | None, states: torch.Tensor, from_samples: bool
) -> torch.Tensor:
    """
    Which of a speech encoder's output frames are real.

    Args:
        encoder (`PreTrainedModel`): the speech encoder.
        attention_mask (`torch.Tensor` of shape `(batch, input length)`, *optional*): its input's real part.
        states (`torch.Tensor` of shape `(batch, frames, width)`): its output.
        from_samples (`bool`): whether its input are samples rather than frames.

    Returns:
        `torch.Tensor` of shape `(batch, frames)`, boolean; at least one frame of each row is real.
    """
    frames = states.shape[1]
    if attention_mask is None:
        return torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
    lengths = attention_mask.sum(dim=-1)
    if is_whisper(encoder):
        lengths = (lengths + 1) // 2
    elif from_samples and hasattr(encoder, "_get_feat_extract_output_lengths"):
        lengths = encoder._get_feat_extract_output_lengths(lengths)
    else:
        # Strided encoders keep the proportion; a frame that is partly real counts.
        lengths = (lengths * frames + attention_mask.shape[-1] - 1) // attention_mask.shape[-1]
    return torch.arange(frames, device=states.device) < lengths.clamp(1, frames).unsqueeze(-1)


def chosen_layers(encoded: Any, layers: list[int] | None) -> torch.Tensor:
    """
    Args:
        encoded (`ModelOutput`): an encoder's, with its hidden states where layers are asked for.
        layers (`list[int]`, *optional*): which of the hidden states; by default the last.

    Returns:
        `torch.Tensor` of shape `(batch, length, layers x width)`: their states, side by side.
    """
    if layers is None:
        return encoded.last_hidden_state
    return torch.cat([encoded.hidden_states[layer] for layer in layers], dim=-1)


def _encoder_only(model: Any) -> Any:
    """The encoder of an encoder-decoder, without the pooler of pretraining, which no pooling here uses."""
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    if isinstance(getattr(model, "pooler", None), nn.Module):
        model.pooler = None
    return model


def _options(config: Any) -> dict[str, bool]:
    """What spares an encoder the pooler of its pretraining, as far as its class can do without one."""
    parameters = inspect.signature(MODEL_MAPPING[type(config)].__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in parameters else {}


__all__ = ["build_encoder", "chosen_layers", "frame_mask", "load_encoder"]

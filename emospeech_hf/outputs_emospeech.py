"""What the EmoSpeech models return."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers.utils import ModelOutput


@dataclass
class EmoSpeechModelOutput(ModelOutput):
    """
    Output of [`EmoSpeechModel`].

    Args:
        pooler_output (`torch.Tensor` of shape `(batch, fusion width)`): the fused embedding.
        text_embeds (`torch.Tensor` of shape `(batch, text width)`, *optional*): pooled text encoder states;
            where the fusion takes sequences, all of them, of shape (batch, tokens, text width).
        speech_embeds (`torch.Tensor` of shape `(batch, speech width)`, *optional*): pooled speech encoder states;
            where the fusion takes sequences, all of them, of shape (batch, frames, speech width).
        text_hidden_states, speech_hidden_states (`tuple` of `torch.Tensor`, *optional*):
            states of each layer, of shape (batch, length, width), with `output_hidden_states=True`.
        text_attentions, speech_attentions (`tuple` of `torch.Tensor`, *optional*):
            attention weights of each layer, of shape (batch, heads, length, length), with `output_attentions=True`.
    """

    pooler_output: torch.Tensor | None = None
    text_embeds: torch.Tensor | None = None
    speech_embeds: torch.Tensor | None = None
    text_hidden_states: tuple[torch.Tensor, ...] | None = None
    speech_hidden_states: tuple[torch.Tensor, ...] | None = None
    text_attentions: tuple[torch.Tensor, ...] | None = None
    speech_attentions: tuple[torch.Tensor, ...] | None = None

    @property
    def hidden_states(self) -> tuple[torch.Tensor, ...] | None:
        """The text encoder's states, or those of the speech encoder in a model without text."""
        return self.text_hidden_states if self.text_hidden_states is not None else self.speech_hidden_states

    @property
    def attentions(self) -> tuple[torch.Tensor, ...] | None:
        """The text encoder's attention weights, or those of the speech encoder in a model without text."""
        return self.text_attentions if self.text_attentions is not None else self.speech_attentions


@dataclass
class EmoSpeechClassifierOutput(EmoSpeechModelOutput):
    """
    Output of [`EmoSpeechForEmotionClassification`]: that of [`EmoSpeechModel`], and

    Args:
        loss (`torch.Tensor` of shape `()`, *optional*): cross entropy, where labels are given.
        logits (`torch.Tensor` of shape `(batch, 6)`): scores before the softmax.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None


__all__ = ["EmoSpeechClassifierOutput", "EmoSpeechModelOutput"]

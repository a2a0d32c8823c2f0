"""The EmoSpeech classifier: speech and transcript in, the logits of six emotions out."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .backbone_emospeech import EmoSpeechModel, EmoSpeechPreTrainedModel
from .configuration_emospeech import EmoSpeechConfig
from .embedding_fusion_emospeech import classifier
from .encoders_emospeech import load_encoder
from .fusion_emospeech import FUSIONS  # noqa: F401 (see `MODEL_CODE`; so are the others that are marked)
from .outputs_emospeech import EmoSpeechClassifierOutput
from .pooling_emospeech import POOLINGS  # noqa: F401
from .remote_code_emospeech import MODEL_CODE  # noqa: F401
from .sequence_fusion_emospeech import AttentionFusion  # noqa: F401
from .whisper_emospeech import is_whisper  # noqa: F401


class EmoSpeechForEmotionClassification(EmoSpeechPreTrainedModel):
    r"""
    [`EmoSpeechModel`] with the paper's classifier on top: linear, ReLU, dropout, linear (Task 2).

    With `classifier_dim=0` the hidden layer and its ReLU are left out, as in the usual fine-tuning of BERT (Task 1).

    Args:
        config ([`EmoSpeechConfig`]): the architecture.

    Example:

    ```python
    >>> import torch
    >>> from emospeech_hf import EmoSpeechConfig, EmoSpeechForEmotionClassification

    >>> model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None))
    >>> output = model(mfcc_means=torch.zeros(2, 128), labels=torch.tensor([0, 5]))
    >>> output.logits.shape, output.loss.shape
    (torch.Size([2, 6]), torch.Size([]))

    ```
    """

    def __init__(self, config: EmoSpeechConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.emospeech = EmoSpeechModel(config)
        width = self.emospeech.fusion.output_dim
        # Late fusion has classified already.
        self.classifier = nn.Sequential() if config.fusion == "late" else classifier(width, config)
        self.post_init()

    @classmethod
    def from_encoder_pretrained(
        cls,
        text_encoder: str | None = None,
        speech_encoder: str | None = None,
        text_revision: str | None = None,
        speech_revision: str | None = None,
        attn_implementation: str | None = None,
        **config_kwargs: Any,
    ) -> EmoSpeechForEmotionClassification:
        """
        A classifier with pretrained encoders and a new head.

        Args:
            text_encoder, speech_encoder (`str`, *optional*):
                Hub ids or folders. Only safetensors are read.
            text_revision, speech_revision (`str`, *optional*):
                Commits, branches or tags of those Hub repositories.
            attn_implementation (`str`, *optional*):
                `"eager"`, `"sdpa"`, `"flash_attention_2"`, ...; for both encoders.
            config_kwargs:
                The other arguments of [`EmoSpeechConfig`].

        Returns:
            [`EmoSpeechForEmotionClassification`] in float32.

        Raises:
            OSError: If an encoder is not found, or has no safetensors.
        """
        encoders = {
            modality: load_encoder(name, revision, attn_implementation)
            for modality, name, revision in (
                ("text", text_encoder, text_revision),
                ("speech", speech_encoder, speech_revision),
            )
            if name is not None
        }
        config = cls.config_class(
            text_config=encoders["text"].config if "text" in encoders else None,
            speech_config=encoders["speech"].config if "speech" in encoders else None,
            **config_kwargs,
        )
        if attn_implementation is not None:
            config._attn_implementation = attn_implementation
        model = cls(config)
        for modality, encoder in encoders.items():
            setattr(model.emospeech, f"{modality}_encoder", encoder)
        return model

    def get_input_embeddings(self) -> nn.Module:
        return self.emospeech.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.emospeech.set_input_embeddings(value)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        mfcc_means: torch.Tensor | None = None,
        mfcc_frames: torch.Tensor | None = None,
        mfcc_mask: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        speech_attention_mask: torch.Tensor | None = None,
        text_embeds: torch.Tensor | None = None,
        speech_embeds: torch.Tensor | None = None,
        modality_mask: torch.Tensor | None = None,
        speaker_shift: torch.Tensor | None = None,
        speaker_correction: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> EmoSpeechClassifierOutput | tuple[Any, ...]:
        """
        The arguments are those of [`EmoSpeechModel.forward`], and

        Args:
            speaker_correction (`torch.Tensor` of shape `(batch, classes, speech width)`, float, *optional*): of a
                speaker's profile that was made of labelled clips, see [`SpeakerProfile`].
            labels (`torch.Tensor` of shape `(batch,)`, int64, *optional*): the emotions' numbers.

        Returns:
            [`EmoSpeechClassifierOutput`]

        Raises:
            ValueError: If a profile is of another model.
        """
        encoded = self.emospeech(
            input_ids=input_ids,
            attention_mask=attention_mask,
            mfcc_means=mfcc_means,
            mfcc_frames=mfcc_frames,
            mfcc_mask=mfcc_mask,
            input_features=input_features,
            input_values=input_values,
            speech_attention_mask=speech_attention_mask,
            text_embeds=text_embeds,
            speech_embeds=speech_embeds,
            modality_mask=modality_mask,
            speaker_shift=speaker_shift,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        logits = self.classifier(encoded.pooler_output)
        if speaker_correction is not None:
            added = self._correct(speaker_correction, speaker_shift, mfcc_means, encoded.speech_embeds, modality_mask)
            logits = logits + added.to(logits.dtype)
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        output = EmoSpeechClassifierOutput(loss=loss, logits=logits, **encoded)
        return output if return_dict is not False else tuple(value for value in (loss, logits) if value is not None)

    def _correct(
        self,
        correction: torch.Tensor,
        shift: torch.Tensor | None,
        mfcc_means: torch.Tensor | None,
        speech_embeds: torch.Tensor | None,
        modality_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """What a profile of labelled clips adds to the logits; nothing where a row has no speech."""
        own = {"mfcc_means": mfcc_means, "speech_embeds": speech_embeds}
        if self.config.num_mfcc and mfcc_means is None:
            return torch.zeros(correction.shape[:2], device=correction.device)
        embeddings = self.emospeech.get_speaker_embeddings(**own)
        if correction.shape[1:] != (self.num_labels, embeddings.shape[1]):
            raise ValueError(
                f"This speaker's profile corrects {correction.shape[1]} emotions by embeddings {correction.shape[2]} "
                f"wide, and the model has {self.num_labels} and {embeddings.shape[1]}: make it with this model."
            )
        if shift is not None:
            embeddings = embeddings - shift
        added = torch.einsum("bcw,bw->bc", correction.to(embeddings.dtype), embeddings)
        # In the order of `MODALITIES`, speech first.
        return added if modality_mask is None else torch.where(modality_mask[:, :1].bool(), added, 0.0)


__all__ = ["EmoSpeechForEmotionClassification", "EmoSpeechModel"]

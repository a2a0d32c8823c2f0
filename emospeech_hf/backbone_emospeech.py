"""The EmoSpeech backbone: speech and transcript in, one fused embedding out."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from .configuration_emospeech import EmoSpeechConfig
from .embedding_fusion_emospeech import LateFusion
from .encoders_emospeech import build_encoder, chosen_layers, frame_mask
from .fusion_emospeech import FUSIONS
from .outputs_emospeech import EmoSpeechModelOutput
from .pooling_emospeech import POOLINGS, LayerSum, Standardization
from .remote_code_emospeech import carry_code
from .whisper_emospeech import encode_with_whisper, is_whisper


class EmoSpeechPreTrainedModel(PreTrainedModel):
    """Loading, saving and initialisation, common to the EmoSpeech models."""

    config_class = EmoSpeechConfig
    base_model_prefix = "emospeech"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # The encoders attend; each of them refuses by itself what it cannot do.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flash_attn_2 = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own initialisation of linear layers, which the paper's network starts from."""
        if isinstance(module, nn.Linear):
            nn.init.kaiming_uniform_(module.weight, a=5**0.5)
            if module.bias is not None:
                bound = module.in_features**-0.5
                nn.init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, Standardization):
            nn.init.zeros_(module.mean)
            nn.init.ones_(module.deviation)
        elif isinstance(module, LayerSum):
            nn.init.zeros_(module.layer_weights)
        elif isinstance(module, LateFusion):
            nn.init.zeros_(module.source_weights)

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Save to a folder, with the code that loads it; see `PreTrainedModel.save_pretrained`."""
        if kwargs.get("is_main_process", True):
            os.makedirs(save_directory, exist_ok=True)
            carry_code(save_directory)
        super().save_pretrained(save_directory, *args, **kwargs)


class EmoSpeechModel(EmoSpeechPreTrainedModel):
    r"""
    Encodes speech, transcript or both, and fuses them into one embedding.

    The sources are, as far as the config has them and in this order: MFCC means, a pretrained speech encoder, a
    pretrained text encoder.

    Args:
        config ([`EmoSpeechConfig`]): the architecture. The weights are random; see
            [`~EmoSpeechForEmotionClassification.from_encoder_pretrained`] and `from_pretrained`.

    Example:

    ```python
    >>> import torch
    >>> from emospeech_hf import EmoSpeechConfig, EmoSpeechModel

    >>> model = EmoSpeechModel(EmoSpeechConfig(text_config=None, num_mfcc=13, fusion_dim=8))
    >>> model(mfcc_means=torch.zeros(2, 13)).pooler_output.shape
    torch.Size([2, 8])

    ```
    """

    # A classifier's checkpoint loads here too, without a word about its head.
    _keys_to_ignore_on_load_unexpected = [r"^classifier\."]  # noqa: RUF012 (5.0 adds a list to it)

    def __init__(self, config: EmoSpeechConfig) -> None:
        super().__init__(config)
        self.speech_encoder: Any = None
        self.text_encoder: Any = None
        self.source_dims: dict[str, int] = {"mfcc": config.num_mfcc} if config.num_mfcc else {}
        self.layer_sums = nn.ModuleDict()
        dims = dict(self.source_dims)
        for name in ("speech", "text"):
            encoder_config = getattr(config, f"{name}_config")
            if encoder_config is None:
                continue
            setattr(self, f"{name}_encoder", build_encoder(encoder_config))
            layers = len(getattr(config, f"{name}_layers") or [-1])
            width = encoder_config.hidden_size * layers
            pooling = POOLINGS[getattr(config, f"{name}_pooling")](width)
            setattr(self, f"{name}_pooling", pooling)
            dims[name] = self.source_dims[name] = width if config.takes_sequences else pooling.output_dim
            if config.layer_combination == "weighted_sum" and layers > 1:
                self.layer_sums[name] = LayerSum(layers, encoder_config.hidden_size)
                dims[name] = self.source_dims[name] // layers
        standardized = {name: self.source_dims[name] for name in config.standardized_sources}
        self.standardization = nn.ModuleDict({name: Standardization(width) for name, width in standardized.items()})
        self.fusion = FUSIONS[config.fusion](list(dims.values()), config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        if self.text_encoder is None:
            raise ValueError("This model has no text encoder, so it has no token embeddings.")
        return self.text_encoder.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        if self.text_encoder is None:
            raise ValueError("This model has no text encoder, so it has no token embeddings.")
        self.text_encoder.set_input_embeddings(value)

    def get_text_features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """
        Pooled states of the text encoder, or all of them where the fusion takes sequences; given as `text_embeds`,
        they spare encoding the text again.

        Args:
            input_ids (`torch.Tensor` of shape `(batch, tokens)`, int64): the tokenizer's.
            attention_mask (`torch.Tensor` of shape `(batch, tokens)`, *optional*): the tokenizer's.

        Returns:
            `torch.Tensor` of shape `(batch, text width)` or `(batch, tokens, text width)`.
        """
        return self._encode_text(input_ids, attention_mask, {})[0]

    def get_speech_features(
        self,
        input_features: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        speech_attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """
        Pooled states of the speech encoder, or all of them where the fusion takes sequences; given as
        `speech_embeds`, they spare encoding the speech again.

        Args:
            input_features, input_values (`torch.Tensor`): one of them, as the wrapped speech extractor gives it.
            speech_attention_mask (`torch.Tensor` of shape `(batch, input frames)`, *optional*): its real frames.

        Returns:
            `torch.Tensor` of shape `(batch, speech width)` or `(batch, frames, speech width)`.
        """
        return self._encode_speech(input_features, input_values, speech_attention_mask, {})[0]

    def get_speech_states(
        self,
        input_features: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        speech_attention_mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        What [`get_speech_features`] pools.

        Args:
            input_features, input_values, speech_attention_mask (`torch.Tensor`): as there.

        Returns:
            `tuple`: the chosen layers' states side by side, of shape (batch, frames, width), and a boolean mask of
            shape (batch, frames) of the real ones.
        """
        states, mask, _ = self._speech_states(input_features, input_values, speech_attention_mask, {})
        return states, mask

    def get_speaker_embeddings(
        self,
        mfcc_means: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        speech_attention_mask: torch.Tensor | None = None,
        speech_embeds: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """
        What a speaker's profile is made of: the standardised speech embeddings, MFCC means and speech encoder side by
        side.

        Args:
            mfcc_means, input_features, input_values, speech_attention_mask, speech_embeds (`torch.Tensor`): as in
                [`forward`].

        Returns:
            `torch.Tensor` of shape `(batch, speech width)`.

        Raises:
            ValueError: If the model does not hear, or what it hears is not standardised: nobody in particular would not
                be at zero then.
        """
        widths = self._speech_widths()
        if not self.config.takes_profiles:
            raise ValueError("Profiles are for models that hear, and whose speech is standardised (standardize=true).")
        found: dict[str, Any] = {"mfcc": mfcc_means}
        if "speech" in widths:
            given = (input_features, input_values, speech_attention_mask)
            found["speech"] = self.get_speech_features(*given) if speech_embeds is None else speech_embeds
        return torch.cat([self._standardized(name, found[name]) for name in widths], dim=-1)

    def _standardized(self, name: str, source: torch.Tensor) -> torch.Tensor:
        return self.standardization[name](source) if name in self.standardization else source

    def _speech_widths(self) -> dict[str, int]:
        return {name: width for name, width in self.source_dims.items() if name != "text"}

    def _shifts(self, speaker_shift: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """A profile's shift, cut into those of the single sources."""
        if speaker_shift is None:
            return {}
        widths = self._speech_widths()
        if self.config.takes_sequences or speaker_shift.shape[-1] != sum(widths.values()):
            raise ValueError(
                f"This speaker's profile is {speaker_shift.shape[-1]} wide, and the model takes "
                f"{0 if self.config.takes_sequences else sum(widths.values())}: make it with this model."
            )
        return dict(zip(widths, speaker_shift.split(list(widths.values()), dim=-1)))

    def get_speech_mask(
        self, states: torch.Tensor, speech_attention_mask: torch.Tensor | None, from_samples: bool
    ) -> torch.Tensor:
        """
        Which of the frames that [`get_speech_features`] gives are real, where the fusion takes sequences.

        Args:
            states (`torch.Tensor` of shape `(batch, frames, speech width)`): what it gave.
            speech_attention_mask (`torch.Tensor` of shape `(batch, input frames)`, *optional*): what it was given.
            from_samples (`bool`): whether it was given `input_values` rather than `input_features`.

        Returns:
            `torch.Tensor` of shape `(batch, frames)`, boolean.
        """
        return frame_mask(self.speech_encoder, speech_attention_mask, states, from_samples)

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
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> EmoSpeechModelOutput | tuple[Any, ...]:
        """
        Args:
            input_ids, attention_mask (`torch.Tensor` of shape `(batch, tokens)`, int64, *optional*):
                The tokenizer's.
            mfcc_means (`torch.Tensor` of shape `(batch, num_mfcc)`, float, *optional*):
                Means of the MFCC over time.
            mfcc_frames (`torch.Tensor` of shape `(batch, frames, num_mfcc)`, float, *optional*), mfcc_mask \
            (`torch.Tensor` of shape `(batch, frames)`, *optional*):
                The MFCC over time and their real frames, instead of the means where the fusion takes sequences.
            input_features, input_values, speech_attention_mask (`torch.Tensor`, *optional*):
                As the wrapped speech extractor gives them.
            text_embeds, speech_embeds (`torch.Tensor` of shape `(batch, width)`, float, *optional*):
                Pooled encoder outputs, instead of the encoder's inputs. Where the fusion takes sequences, all outputs,
                of shape (batch, length, width), with `attention_mask` and `speech_attention_mask` of shape
                (batch, length).
            modality_mask (`torch.Tensor` of shape `(batch, 2)`, boolean, *optional*):
                Which of (speech, text) each row really has. By default, both. The inputs of a modality that no row
                has may be left out.
            speaker_shift (`torch.Tensor` of shape `(batch, speech width)`, float, *optional*):
                What is taken off the standardised speech embeddings, of MFCC means and speech encoder side by side:
                each row's speaker's profile, see [`SpeakerProfile`]. Not for fusions that take sequences.
            output_hidden_states, output_attentions (`bool`, *optional*):
                Whether to return the encoders' states and attention weights.
            return_dict (`bool`, *optional*, defaults to `True`):
                Whether to return an output object or a tuple.

        Returns:
            [`EmoSpeechModelOutput`]

        Raises:
            ValueError: If the inputs of a modality are missing that `modality_mask` does not say is missing.
        """
        wanted = {"output_hidden_states": output_hidden_states, "output_attentions": output_attentions}
        flags = {name: flag for name, flag in wanted.items() if flag is not None}
        batch, like = self._batch_size(
            modality_mask, mfcc_means, mfcc_frames, speech_embeds, text_embeds, input_ids, input_features, input_values
        )
        # In the order of `MODALITIES`.
        has_speech, has_text = (None, None) if modality_mask is None else modality_mask.bool().unbind(dim=1)
        dtype = self._fusion_dtype()
        states: dict[str, Any] = {}
        sources: list[torch.Tensor] = []
        masks: list[torch.Tensor | None] = []
        present: list[torch.Tensor | None] = []

        shifts = self._shifts(speaker_shift)

        def add(name: str, source: torch.Tensor, mask: torch.Tensor | None, rows: torch.Tensor | None) -> None:
            source = self._standardized(name, source)
            if name in shifts:
                source = source - shifts[name]
            if name in self.layer_sums:
                source = self.layer_sums[name](source)
            sources.append(source.to(dtype) if dtype is not None else source)
            masks.append(mask)
            present.append(rows)

        if self.config.num_mfcc:
            mfcc, name = (mfcc_frames, "mfcc_frames") if self.config.takes_sequences else (mfcc_means, "mfcc_means")
            if mfcc is None:
                mfcc, mfcc_mask = self._absent(name, has_speech, like, batch, self.source_dims["mfcc"]), None
            add("mfcc", mfcc, mfcc_mask, has_speech)
        if self.speech_encoder is not None:
            speech_mask = speech_attention_mask if self.config.takes_sequences else None
            if speech_embeds is None and (input_features is not None or input_values is not None):
                speech_embeds, speech_mask, encoded = self._encode_speech(
                    input_features, input_values, speech_attention_mask, flags
                )
                states["speech_hidden_states"] = getattr(encoded, "hidden_states", None)
                states["speech_attentions"] = getattr(encoded, "attentions", None)
            elif speech_embeds is None:
                names = "input_features, input_values or speech_embeds"
                speech_embeds = self._absent(names, has_speech, like, batch, self.source_dims["speech"])
                speech_mask = None
            add("speech", speech_embeds, speech_mask, has_speech)
        if self.text_encoder is not None:
            text_mask = attention_mask if self.config.takes_sequences else None
            if text_embeds is None and input_ids is not None:
                text_embeds, text_mask, encoded = self._encode_text(input_ids, attention_mask, flags)
                states["text_hidden_states"] = getattr(encoded, "hidden_states", None)
                states["text_attentions"] = getattr(encoded, "attentions", None)
            elif text_embeds is None:
                names = "input_ids or text_embeds"
                text_embeds = self._absent(names, has_text, like, batch, self.source_dims["text"])
                text_mask = None
            add("text", text_embeds, text_mask, has_text)

        output = EmoSpeechModelOutput(
            pooler_output=self.fusion(sources, masks, present),
            text_embeds=text_embeds if self.text_encoder is not None else None,
            speech_embeds=speech_embeds if self.speech_encoder is not None else None,
            **states,
        )
        return output if return_dict is not False else output.to_tuple()

    def _encode_text(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, flags: dict[str, bool]
    ) -> tuple[torch.Tensor, torch.Tensor | None, Any]:
        """What the fusion takes of the text, the mask of its positions if it has any, and the encoder's own output."""
        if self.text_encoder is None:
            raise ValueError("This model has no text encoder.")
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        if self.config.text_layers is not None:
            flags = {**flags, "output_hidden_states": True}
        encoded = self.text_encoder(input_ids=input_ids, attention_mask=attention_mask, return_dict=True, **flags)
        states = chosen_layers(encoded, self.config.text_layers)
        if self.config.takes_sequences:
            return states, attention_mask, encoded
        return self.text_pooling(states, attention_mask), None, encoded

    def _encode_speech(
        self,
        input_features: torch.Tensor | None,
        input_values: torch.Tensor | None,
        speech_attention_mask: torch.Tensor | None,
        flags: dict[str, bool],
    ) -> tuple[torch.Tensor, torch.Tensor | None, Any]:
        """As [`_encode_text`], of the speech."""
        states, mask, encoded = self._speech_states(input_features, input_values, speech_attention_mask, flags)
        if self.config.takes_sequences:
            return states, mask, encoded
        return self.speech_pooling(states, mask), None, encoded

    def _speech_states(
        self,
        input_features: torch.Tensor | None,
        input_values: torch.Tensor | None,
        speech_attention_mask: torch.Tensor | None,
        flags: dict[str, bool],
    ) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """The chosen layers' states side by side, their real frames, and the encoder's own output."""
        if self.speech_encoder is None:
            raise ValueError("This model has no speech encoder.")
        name, inputs = ("input_features", input_features) if input_values is None else ("input_values", input_values)
        if inputs is None:
            raise ValueError("Give `input_features` or `input_values`, whichever the speech extractor computes.")
        inputs = inputs.to(self.speech_encoder.dtype)
        encoder, layers = self.speech_encoder, self.config.speech_layers
        if is_whisper(encoder):
            # Layers above the chosen ones are run for those alone who ask for all states.
            needed = None if layers is None or flags.get("output_hidden_states") or min(layers) < 0 else max(layers)
            encoded, mask = encode_with_whisper(encoder, inputs, speech_attention_mask, needed)
        else:
            if layers is not None:
                flags = {**flags, "output_hidden_states": True}
            encoded = encoder(**{name: inputs}, attention_mask=speech_attention_mask, return_dict=True, **flags)
            last, from_samples = encoded.last_hidden_state, input_values is not None
            mask = frame_mask(encoder, speech_attention_mask, last, from_samples)
        return chosen_layers(encoded, layers), mask, encoded

    def _absent(
        self, names: str, present: torch.Tensor | None, like: torch.Tensor, batch: int, width: int
    ) -> torch.Tensor:
        """Zeros for a source whose inputs are left out, once it is sure that no row should have had it."""
        if present is None or (not torch.compiler.is_compiling() and bool(present.any())):
            raise ValueError(f"Missing {names}: this model takes {' and '.join(self.config.modalities)}.")
        shape = (batch, 1, width) if self.config.takes_sequences else (batch, width)
        return torch.zeros(shape, device=like.device)

    def _batch_size(self, *inputs: torch.Tensor | None) -> tuple[int, torch.Tensor]:
        given = next((tensor for tensor in inputs if tensor is not None), None)
        if given is None:
            raise ValueError(f"No inputs: this model takes {' and '.join(self.config.modalities)}.")
        return given.shape[0], given

    def _fusion_dtype(self) -> torch.dtype | None:
        return next((parameter.dtype for parameter in self.fusion.parameters()), None)


__all__ = ["EmoSpeechModel", "EmoSpeechPreTrainedModel"]

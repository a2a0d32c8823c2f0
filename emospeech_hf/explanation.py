"""Why a model tells an emotion: what each second, each word and each layer of the speech encoder adds to it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from .audio_emospeech import AudioError, decode_audio
from .encoders_emospeech import chosen_layers
from .evaluation import plot_contributions
from .pipeline_emospeech import AudioTextEmotionPipeline
from .safe_writing import write_json


STEPS = 32
"""Points on the way from nothing to the utterance at which gradients are taken."""

BIN_SECONDS = 0.25
"""Length of the pieces of time whose contributions are told."""


@dataclass(kw_only=True)
class Explanation:
    """
    By how much an utterance raises the logit of one emotion above the mean of all logits, and where that comes from.

    Args:
        label (`str`): the emotion.
        score (`float`): its probability.
        margin (`float`): its logit less the mean of all logits.
        baseline (`float`): the same of nothing: an average recording without words. The contributions of the sources
            add up to the difference of the two, as far as the steps allow.
        sources (`dict[str, float]`): contribution of `mfcc`, `speech` (its encoder) and `text`, as far as there are.
        seconds (`list[dict]`): `start`, `end` and `contribution` of each piece of the recording; together those of
            `mfcc` and `speech`.
        words (`list[dict]`): `word` and `contribution` of each word of the transcript.
        layers (`list[dict]`): `layer` and `contribution` of each layer that is used of the speech encoder.
    """

    label: str
    score: float
    margin: float
    baseline: float
    sources: dict[str, float] = field(default_factory=dict)
    seconds: list[dict[str, float]] = field(default_factory=list)
    words: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, float]] = field(default_factory=list)


def write_explanation(explanation: Explanation, path: Path) -> None:
    """
    Args:
        explanation ([`Explanation`]): of [`explain`].
        path (`Path`): its suffix tells the form, `.json` or `.png`.

    Raises:
        ValueError: If the suffix is none of those.
    """
    check_explanation_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        write_json(path, asdict(explanation))
        return
    seconds = [(entry["start"], entry["end"], entry["contribution"]) for entry in explanation.seconds]
    words = [(entry["word"], entry["contribution"]) for entry in explanation.words]
    layers = [(f"speech, layer {entry['layer']}", entry["contribution"]) for entry in explanation.layers]
    title = f"What speaks for {explanation.label} (score {explanation.score:.2f})"
    plot_contributions(seconds, words, [*explanation.sources.items(), *layers], path, title)


def check_explanation_path(path: Path) -> None:
    """
    Args:
        path (`Path`): see [`write_explanation`].

    Raises:
        ValueError: If its suffix is none that can be written.
    """
    if path.suffix not in (".json", ".png"):
        raise ValueError(f"{path}: an explanation is a file with the suffix .json or .png.")


def explain(
    classify: AudioTextEmotionPipeline,
    utterance: Any,
    label: str | None = None,
    steps: int = STEPS,
    speaker: Any = None,
) -> Explanation:
    """
    Integrated gradients (Sundararajan et al., "Axiomatic attribution for deep networks") on the way from nothing to the
    utterance. Nothing is, for speech, the training recordings' mean where the model is standardised, and zeros where
    not; for words, the tokenizer's mask token in the place of each. A frame of a speech encoder has heard its
    neighbours, so that seconds are told a little blurred.

    Args:
        classify ([`AudioTextEmotionPipeline`]): the model's pipeline.
        utterance: one utterance, as the pipeline takes it.
        label (`str`, *optional*): the emotion to be explained; by default the one that is told.
        steps (`int`, *optional*, defaults to 32): points at which gradients are taken; more are more exact.
        speaker (*optional*): profile, as the pipeline takes it.

    Returns:
        [`Explanation`]

    Raises:
        ValueError: If the utterance lacks what the model needs, or there is no such emotion.
        AudioError: If the recording cannot be used, or there is nothing to hear in it.
    """
    model = classify.model
    names = list(model.config.label2id)
    if label is not None and label not in names:
        raise ValueError(f"There is no emotion {label!r}; this model tells {', '.join(names)}.")
    preprocess, _, _ = classify._sanitize_parameters(speaker=speaker)
    prepared = classify.preprocess(utterance, **preprocess)
    heard = prepared.pop("heard", None)
    if prepared.pop("silent"):
        raise AudioError("There is nothing to hear in this recording, so that there is no emotion to explain.")
    classify._turn_bands(prepared)
    inputs = {name: value.to(model.device) for name, value in prepared.items()}
    sources = _Sources(classify, inputs)
    with torch.no_grad():
        logits = sources.logits(1.0)[0].float()
    index = int(logits.argmax()) if label is None else int(model.config.label2id[label])
    scores = (logits / model.config.temperature).softmax(dim=0)
    with torch.no_grad():
        baseline = _margin(sources.logits(0.0), index)
    found = sources.contributions(index, steps)
    explanation = Explanation(
        label=model.config.id2label[index],
        score=float(scores[index]),
        margin=float(_margin(logits.unsqueeze(0), index)),
        baseline=float(baseline),
        sources={name: float(values.sum()) for name, values in found.items()},
    )
    keys = [{"speech": "audio", "text": "text"}[modality] for modality in model.config.modalities]
    given = classify._as_utterance(utterance, keys)
    if "mfcc" in found or "speech" in found:
        waveform, rate = decode_audio(given["audio"], given.get("sampling_rate"))
        frames: dict[str, np.ndarray] = {
            name: found[name].sum(dim=1).numpy() for name in ("mfcc", "speech") if name in found
        }
        if "mfcc" in found and not model.config.takes_sequences:
            frames["mfcc"] = sources.mfcc_over_time(classify.processor.feature_extractor, waveform, rate)
        explanation.seconds = _seconds(frames, len(waveform) / rate)
    if "text" in found:
        explanation.words = _words(classify, heard or given["text"], found["text"])
    if "speech" in found:
        layers = model.config.speech_layers or [-1]
        parts = found["speech"].sum(dim=0).chunk(len(layers))
        explanation.layers = [{"layer": layer, "contribution": float(part.sum())} for layer, part in zip(layers, parts)]
    return explanation


def _margin(logits: torch.Tensor, index: int) -> torch.Tensor:
    return (logits[:, index] - logits.float().mean(dim=1)).sum()


class _Sources:
    """An utterance's sources and what counts as nothing for each; the logits on the way between the two."""

    def __init__(self, classify: AudioTextEmotionPipeline, inputs: dict[str, torch.Tensor]) -> None:
        self.model = classify.model
        backbone = self.backbone = self.model.emospeech
        config = self.config = self.model.config
        self.fixed: dict[str, Any] = {
            name: inputs[name] for name in ("modality_mask", "speaker_shift", "speaker_correction") if name in inputs
        }
        has_speech, has_text = inputs.get("modality_mask", torch.ones(1, 2, dtype=torch.bool))[0].tolist()
        self.ends: dict[str, torch.Tensor] = {}
        self.starts: dict[str, torch.Tensor] = {}
        self.masks: dict[str, torch.Tensor] = {}
        self.slopes: dict[str, torch.Tensor] = {}
        if has_speech and config.num_mfcc:
            name = "mfcc_frames" if config.takes_sequences else "mfcc_means"
            self.ends["mfcc"] = inputs[name]
            self.starts["mfcc"] = self._nothing("mfcc", inputs[name])
            if config.takes_sequences:
                self.masks["mfcc"] = inputs["mfcc_mask"]
        if has_speech and config.speech_config is not None:
            given = {name: inputs.get(name) for name in ("input_features", "input_values", "speech_attention_mask")}
            with torch.no_grad():
                states, mask = backbone.get_speech_states(**given)
            self.ends["speech"], self.starts["speech"] = states, self._nothing("speech", states)
            self.masks["speech"] = mask
        if has_text and config.text_config is not None:
            tokens = inputs["input_ids"]
            tokenizer = classify.processor.tokenizer
            blank = tokenizer.pad_token_id if tokenizer.mask_token_id is None else tokenizer.mask_token_id
            special = torch.isin(tokens, torch.tensor(tokenizer.all_special_ids, device=tokens.device))
            embed = backbone.get_input_embeddings()
            with torch.no_grad():
                self.ends["text"] = embed(tokens)
                self.starts["text"] = embed(torch.where(special, tokens, torch.full_like(tokens, blank)))
            self.masks["text"] = inputs["attention_mask"]

    def logits(self, share: float) -> torch.Tensor:
        """At this share of the way, of shape (1, classes)."""
        return self._logits({name: torch.lerp(self.starts[name], end, share) for name, end in self.ends.items()})

    def contributions(self, index: int, steps: int) -> dict[str, torch.Tensor]:
        """Of each source, of shape (positions, width): frames, tokens, or a single position for MFCC means."""
        sums = {name: torch.zeros_like(end) for name, end in self.ends.items()}
        # Norms turn most near the start, so that more steps are taken there: at the cubes of even ones.
        places = (np.arange(steps) + 0.5) / steps
        weights = places**2 / (places**2).sum()
        ways = tqdm(zip(places**3, weights), total=steps, desc="Explaining", unit="step", leave=False, disable=None)
        for share, weight in ways:
            points = {
                name: torch.lerp(self.starts[name], end, float(share)).requires_grad_()
                for name, end in self.ends.items()
            }
            with torch.enable_grad():
                margin = _margin(self._logits(points), index)
            gradients = torch.autograd.grad(margin, list(points.values()))
            for name, gradient in zip(points, gradients):
                sums[name] += float(weight) * gradient
        found = {}
        for name, total in sums.items():
            values = total * (self.ends[name] - self.starts[name])
            self.slopes[name] = total[0]
            real = self.masks[name][0].bool() if name in self.masks else slice(None)
            found[name] = values[0][real].float().cpu() if values.dim() == 3 else values.float().cpu()
        return found

    def mfcc_over_time(self, extractor: Any, waveform: np.ndarray, rate: int) -> np.ndarray:
        """What each MFCC frame adds to the contribution of their means, once that is known; of shape (frames,)."""
        frames = torch.from_numpy(extractor.mfcc_frames([(waveform, rate)])[0]).to(self.starts["mfcc"])
        shares: np.ndarray = ((frames - self.starts["mfcc"]) @ self.slopes["mfcc"] / len(frames)).cpu().numpy()
        return shares

    def _logits(self, points: dict[str, torch.Tensor]) -> torch.Tensor:
        given: dict[str, Any] = dict(self.fixed)
        sequences = self.config.takes_sequences
        if "mfcc" in points:
            given["mfcc_frames" if sequences else "mfcc_means"] = points["mfcc"]
            if sequences:
                given["mfcc_mask"] = self.masks["mfcc"]
        if "speech" in points:
            states, mask = points["speech"], self.masks["speech"]
            given["speech_embeds"] = states if sequences else self.backbone.speech_pooling(states, mask)
            given["speech_attention_mask"] = mask
        if "text" in points:
            mask = self.masks["text"]
            encoded = self.backbone.text_encoder(
                inputs_embeds=points["text"], attention_mask=mask, return_dict=True, output_hidden_states=True
            )
            states = chosen_layers(encoded, self.config.text_layers)
            given["text_embeds"] = states if sequences else self.backbone.text_pooling(states, mask)
            given["attention_mask"] = mask
        logits: torch.Tensor = self.model(**given).logits
        return logits

    def _nothing(self, source: str, like: torch.Tensor) -> torch.Tensor:
        if source not in self.config.standardized_sources:
            return torch.zeros_like(like)
        mean = self.backbone.standardization[source].mean.detach()
        # Of statistics, the first are the means; the states have no deviation then.
        return mean[: like.shape[-1]].to(like.dtype).expand_as(like).clone()


def _seconds(frames: dict[str, np.ndarray], duration: float) -> list[dict[str, float]]:
    edges = np.linspace(0, duration, max(1, round(duration / BIN_SECONDS)) + 1)
    totals = np.zeros(len(edges) - 1)
    for values in frames.values():
        centers = (np.arange(len(values)) + 0.5) * duration / len(values)
        totals += np.histogram(centers, edges, weights=values)[0]
    return [
        {"start": round(float(start), 3), "end": round(float(end), 3), "contribution": float(value)}
        for start, end, value in zip(edges, edges[1:], totals)
    ]


def _words(classify: AudioTextEmotionPipeline, text: str, contributions: torch.Tensor) -> list[dict[str, Any]]:
    text = text.strip()
    tokenizer = classify.processor.tokenizer
    encoded = tokenizer(text, truncation=True, max_length=classify.processor._text_limit(), return_offsets_mapping=True)
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    values = [0.0] * len(spans)
    for (start, end), value in zip(encoded["offset_mapping"], contributions.sum(dim=1).tolist()):
        # SentencePiece counts the blank before a word as its own; the end tells which word it is.
        place = next((place for place, span in enumerate(spans) if span[0] < end <= span[1]), None)
        if end > start and place is not None:
            values[place] += value
    return [{"word": text[slice(*span)], "contribution": value} for span, value in zip(spans, values)]

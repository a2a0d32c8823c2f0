"""The emotions of a long recording: its windows heard one batch after another, and told as entries of a timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from transformers.utils import logging

from .audio_emospeech import AudioError
from .speaker_emospeech import SpeakerProfile
from .windows_emospeech import Window


SILENCE = "silence"
"""Label of a window in which there is nothing to hear."""

NO_WORDS = "no words"
"""Label of a window in which the transcriber hears none, of a model that reads."""

NO_SPEECH = "no speech"
"""Label of a window with sound in which voice activity finds nobody who speaks: noise, music."""

LEAST_SPEECH = 0.25
"""Seconds of speech that a window must hold for its emotion to be told, where voice activity is looked for."""

KEPT_ROWS = 1024
"""Windows whose embeddings lie in one block of memory."""

Item = TypeVar("Item")

VoiceActivity = Callable[[np.ndarray, int], Sequence[tuple[float, float]]]


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """
    Args:
        items (`Iterable`): of any length; only one batch of them is held.
        size (`int`): of a batch; the last may be smaller.

    Returns:
        `Iterator[list]`: the batches.
    """
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


@dataclass
class HeardWindow:
    """
    A window's entry, and what the model needs to tell its emotion again.

    Args:
        entry (`dict`): see [`~AudioTextEmotionPipeline.timeline`]; without label, score and scores until it is told.
        logits (`torch.Tensor` of shape `(classes,)`, *optional*): `None` where there is nothing to tell.
        inputs (`dict[str, torch.Tensor]`): the model's inputs from the encoders on, one row of each.
    """

    entry: dict[str, Any]
    logits: torch.Tensor | None
    inputs: dict[str, torch.Tensor]


class RecordingListener:
    """
    Hears windows with a pipeline's model.

    Args:
        classify ([`AudioTextEmotionPipeline`]): model, processor and transcriber.
        speaker ([`SpeakerProfile`], *optional*): profile of the one who speaks.
        abstain_below (`float`, *optional*, defaults to 0): see the pipeline.
        voice_activity (`Callable`, *optional*): see [`~AudioTextEmotionPipeline.timeline`].
        progress (`bool`, *optional*, defaults to `False`): whether to show how many windows have been heard.
    """

    def __init__(
        self,
        classify: Any,
        speaker: SpeakerProfile | None = None,
        abstain_below: float = 0.0,
        voice_activity: VoiceActivity | None = None,
        progress: bool = False,
    ) -> None:
        self.classify = classify
        self.model = classify.model
        self.speaker = speaker
        self.abstain_below = abstain_below
        self.voice_activity = voice_activity
        self.progress = progress
        self._blocks: dict[str, tuple[torch.Tensor, int]] = {}

    def entries(self, windows: Iterable[Window], batch_size: int) -> Iterator[dict[str, Any]]:
        """
        Args:
            windows (`Iterable[Window]`): of one recording, in order.
            batch_size (`int`): how many go through the model together.

        Returns:
            `Iterator[dict]`: each one's entry, as soon as its batch is full.
        """
        for heard in self._hear_all(windows, batch_size):
            yield self._told(heard, heard.logits)

    def entries_with_own_profile(self, windows: Iterable[Window], batch_size: int) -> list[dict[str, Any]]:
        """
        As [`entries`], with a profile of each channel's speaker that is made of all the channel's windows. What is kept
        of a window meanwhile are its embeddings, a few kilobytes.

        Args:
            windows, batch_size: as there.

        Returns:
            `list[dict]`: the entries.

        Raises:
            ValueError: If the model takes no profiles.
        """
        heard = list(self._hear_all(windows, batch_size))
        told = {id(one): one.logits for one in heard}
        for channel in {one.entry["channel"] for one in heard}:
            own = [one for one in heard if one.logits is not None and one.entry["channel"] == channel]
            if own:
                for one, logits in zip(own, self._with_profile(own)):
                    told[id(one)] = logits
        return [self._told(one, told[id(one)]) for one in heard]

    def _with_profile(self, heard: list[HeardWindow]) -> torch.Tensor:
        # Block by block: hours have so many windows that each copy of what is kept of them would count.
        blocks = list(in_batches(heard, KEPT_ROWS))
        embeddings = []
        for block in blocks:
            inputs = self._stacked(block)
            given = {name: inputs[name] for name in ("mfcc_means", "speech_embeds") if name in inputs}
            with torch.no_grad():
                embeddings.append(self.model.emospeech.get_speaker_embeddings(**given).float().cpu())
        scores = torch.stack([one.logits for one in heard if one.logits is not None]).softmax(dim=1)
        profile = SpeakerProfile.fit(torch.cat(embeddings), scores, chosen=False)
        del embeddings
        logits = []
        for block in blocks:
            inputs = {**self._stacked(block), **profile.model_inputs(len(block), self.model.device)}
            with torch.no_grad():
                logits.append(self.model(**inputs).logits.float().cpu())
        return torch.cat(logits)

    def _stacked(self, heard: list[HeardWindow]) -> dict[str, torch.Tensor]:
        names = heard[0].inputs
        return {name: torch.stack([one.inputs[name] for one in heard]).to(self.model.device) for name in names}

    def _hear_all(self, windows: Iterable[Window], batch_size: int) -> Iterator[HeardWindow]:
        shown = logging.tqdm(windows, desc="Listening", unit="window", disable=not self.progress)
        for batch in in_batches(shown, batch_size):
            yield from self._hear(batch)

    def _hear(self, batch: list[Window]) -> list[HeardWindow]:
        config, transcriber = self.model.config, self.classify.transcriber
        results: list[HeardWindow] = []
        sounding: list[tuple[HeardWindow, Window]] = []
        for cut in batch:
            entry = {"start": round(cut.start, 3), "end": round(cut.end, 3), "channel": cut.channel, "text": None}
            results.append(HeardWindow({**entry, "label": SILENCE, "score": None, "scores": {}}, None, {}))
            if cut.is_silent:
                continue
            if self.voice_activity is not None:
                cut = self._speech_of(cut)
                if len(cut.waveform) < LEAST_SPEECH * cut.sampling_rate:
                    results[-1].entry["label"] = NO_SPEECH
                    continue
            if transcriber is not None:
                try:
                    text = transcriber({"array": cut.waveform, "sampling_rate": cut.sampling_rate})
                    results[-1].entry["text"] = text
                except AudioError:
                    # Where speech alone is enough, words are for the subtitles.
                    if "text" in config.modalities and not config.missing_modalities:
                        results[-1].entry["label"] = NO_WORDS
                        continue
            sounding.append((results[-1], cut))
        if sounding:
            self._run(sounding)
        return results

    def _speech_of(self, cut: Window) -> Window:
        """The window with nothing in it but speech."""
        spans = self.voice_activity(cut.waveform, cut.sampling_rate) if self.voice_activity is not None else []
        rate = cut.sampling_rate
        parts = [cut.waveform[round(start * rate) : round(end * rate)] for start, end in spans]
        return replace(cut, waveform=np.concatenate([*parts, np.empty(0, np.float32)]))

    def _run(self, sounding: list[tuple[HeardWindow, Window]]) -> None:
        config, processor = self.model.config, self.classify.processor
        recordings = [{"array": cut.waveform, "sampling_rate": cut.sampling_rate} for _, cut in sounding]
        given = {"speech": ("audio", recordings), "text": ("text", [heard.entry["text"] for heard, _ in sounding])}
        prepared = processor(**dict(given[name] for name in config.modalities), return_tensors="pt")
        inputs = dict(prepared.to(self.model.device))
        if self.speaker is not None:
            inputs.update(self.speaker.model_inputs(len(sounding), self.model.device))
        with torch.no_grad():
            output = self.model(**inputs)
        kept = {name: inputs[name] for name in ("mfcc_means", "modality_mask") if name in inputs}
        if config.missing_modalities and "modality_mask" not in kept:
            kept["modality_mask"] = torch.ones(len(sounding), 2, dtype=torch.bool)
        for name in ("speech_embeds", "text_embeds"):
            if output.get(name) is not None and not config.takes_sequences:
                kept[name] = output[name]
        for row, (heard, _) in enumerate(sounding):
            heard.logits = output.logits[row].float().cpu()
            heard.inputs = {name: self._keep(name, value[row]) for name, value in kept.items()}

    def _keep(self, name: str, row: torch.Tensor) -> torch.Tensor:
        """A copy in a block of many: small pieces that outlive large ones would leave holes in the memory."""
        block, used = self._blocks.get(name, (None, KEPT_ROWS))
        if block is None or used == KEPT_ROWS:
            block, used = torch.empty((KEPT_ROWS, *row.shape), dtype=row.dtype), 0
        block[used] = row
        self._blocks[name] = (block, used + 1)
        return block[used]

    def _told(self, heard: HeardWindow, logits: torch.Tensor | None) -> dict[str, Any]:
        if logits is None:
            return heard.entry
        answer = self.classify.postprocess({"logits": logits.unsqueeze(0)}, abstain_below=self.abstain_below)
        scores = {found["label"]: found["score"] for found in answer[-len(self.model.config.id2label) :]}
        return {**heard.entry, "label": answer[0]["label"], "score": answer[0]["score"], "scores": scores}


__all__ = ["NO_SPEECH", "NO_WORDS", "SILENCE", "RecordingListener", "VoiceActivity", "in_batches"]

"""A speaker's profile from some of their clips, which need no labels; a few labelled ones make it better."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from .audio_emospeech import AudioError, decode_audio, is_silent
from .data import CorpusError
from .data.folder import AUDIO_SUFFIXES, read_csv
from .data.rows import check_rows
from .inference import load_pipeline
from .pipeline_emospeech import AudioTextEmotionPipeline
from .speaker_emospeech import SpeakerProfile
from .timeline_emospeech import in_batches
from .windows_emospeech import WINDOW_SECONDS, cut_windows


BATCH_SIZE = 16

logger = logging.getLogger(__name__)


def find_clips(folder: Path) -> list[Path]:
    """
    Args:
        folder (`Path`): of recordings; other files in it are passed over.

    Returns:
        `list[Path]`: the recordings, by name.

    Raises:
        FileNotFoundError: If there are none.
    """
    clips = sorted(path for path in folder.glob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not clips:
        raise FileNotFoundError(f"{folder} holds no recordings; {', '.join(AUDIO_SUFFIXES)} are read.")
    return clips


def windows_as_clips(recording: Path, window: float | None = None) -> Iterator[dict[str, Any]]:
    """
    One long recording of one person instead of many clips.

    Args:
        recording (`Path`): an audio file, read piece by piece.
        window (`float`, *optional*): length of a clip in seconds, as the model's config has it; by default 8.

    Returns:
        `Iterator[dict]`: its windows in which something is heard, one behind the other, for [`make_profile`].

    Raises:
        AudioError: If it cannot be used.
    """
    for cut in cut_windows(str(recording), window=window or WINDOW_SECONDS, overlap=0.0):
        if not cut.is_silent:
            yield {"array": cut.waveform, "sampling_rate": cut.sampling_rate}


def read_labels(path: Path, clips: Sequence[Path]) -> list[str | None]:
    """
    Args:
        path (`Path`): CSV with the columns `filename` and `label`; it may name some of the clips.
        clips (`Sequence[Path]`): the recordings.

    Returns:
        `list[str | None]`: each clip's emotion, as far as it is told.

    Raises:
        CorpusError: If a label is unknown, or a row names no clip; with file, row and cure.
    """
    rows = read_csv(path, transcribed=False)
    problems = list(check_rows(rows, (), labelled=True).values())
    places = {name: place for place, clip in enumerate(clips) for name in (clip.name, clip.stem)}
    problems += [
        row.problem("there is no such recording", f"The folder holds {clips[0].name} and {len(clips) - 1} others")
        for row in rows
        if row.id and row.id not in places
    ]
    if problems:
        raise CorpusError(problems, skippable=False)
    labels: list[str | None] = [None] * len(clips)
    for row in rows:
        if row.label:
            labels[places[row.id]] = row.label
    return labels


def make_profile(
    model: str, clips: Iterable[Any], revision: str | None = None, labels: Sequence[str | None] | None = None
) -> SpeakerProfile:
    """
    Hear some clips of one person, of more than one mood, and keep what they have in common.

    Args:
        model (`str`): release folder, or id on the Hub, of a model that hears.
        clips (`Iterable`): recordings of that person, each as [`~audio_emospeech.decode_audio`] takes it. Silent ones
            are left out.
        revision (`str`, *optional*): commit, branch or tag on the Hub.
        labels (`Sequence[str]`, *optional*): the emotion of each recording, `None` where it is not known.

    Returns:
        [`SpeakerProfile`]: for `pipeline(..., speaker=profile)`.

    Raises:
        ValueError: If the model does not hear, or its fusion takes sequences.
        AudioError: If a recording cannot be used, or there is none; the message names it.
    """
    return profile_of(load_pipeline(model, revision), clips, labels)


def profile_of(
    classify: AudioTextEmotionPipeline,
    clips: Iterable[Any],
    labels: Sequence[str | None] | None = None,
    chosen: bool = True,
    progress: bool = True,
) -> SpeakerProfile:
    """
    As [`make_profile`], with a model that is loaded already.

    Args:
        classify ([`AudioTextEmotionPipeline`]): the model's pipeline.
        clips (`Iterable`), labels (`Sequence[str]`, *optional*): as there.
        chosen (`bool`, *optional*, defaults to `True`): whether somebody chose the clips, see [`SpeakerProfile.fit`].
        progress (`bool`, *optional*, defaults to `True`): show how far it is.

    Returns:
        [`SpeakerProfile`]

    Raises:
        ValueError, AudioError: As there.
    """
    network, extractor = classify.model, classify.processor.feature_extractor
    embeddings, logits, given = [], [], []
    places: list[int] = []
    batches = in_batches(_sounding(clips, places), BATCH_SIZE)
    for batch in tqdm(batches, desc="Listening", unit="batch", disable=not progress):
        inputs = extractor(batch, return_tensors="pt").to(network.device)
        with torch.no_grad():
            # A transcript that is not there counts for nothing.
            present = torch.tensor([[True, False]] * len(batch), device=network.device)
            output = network(**inputs, modality_mask=present)
            given.append({"mfcc_means": inputs.get("mfcc_means"), "speech_embeds": output.speech_embeds})
            embeddings.append(network.emospeech.get_speaker_embeddings(**given[-1]).float().cpu())
            logits.append(output.logits.float().cpu())
    if not embeddings:
        raise AudioError("There is nothing to hear in these recordings, so they make no profile.")
    profile = SpeakerProfile.fit(torch.cat(embeddings), torch.cat(logits).softmax(dim=1), chosen)
    told = {row: label for row, place in enumerate(places) if labels and (label := labels[place]) is not None}
    if not told:
        return profile
    shifted = []
    for part in given:
        rows = len(next(tensor for tensor in part.values() if tensor is not None))
        present = torch.tensor([[True, False]] * rows, device=network.device)
        with torch.no_grad():
            output = network(**part, modality_mask=present, **profile.model_inputs(rows, network.device))
        shifted.append(output.logits.float().cpu())
    known = torch.tensor([network.config.label2id[label] for label in told.values()])
    return profile.with_labels(torch.cat(embeddings)[list(told)], torch.cat(shifted)[list(told)], known)


def _sounding(clips: Iterable[Any], places: list[int]) -> Iterator[tuple[np.ndarray, int]]:
    """The recordings in which there is something to hear, decoded; appends each one's place to `places`."""
    for place, clip in enumerate(clips):
        waveform, rate = decode_audio(clip)
        if is_silent(waveform, rate):
            name = clip if isinstance(clip, (str, Path)) else f"recording {place + 1}"
            logger.warning("%s: there is nothing to hear in it, and it is left out.", name)
            continue
        places.append(place)
        yield waveform, rate

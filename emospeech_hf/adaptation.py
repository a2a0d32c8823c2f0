"""A speaker's profile from some of their clips, which need no labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from .audio_emospeech import AudioError
from .data.folder import AUDIO_SUFFIXES
from .inference import load_pipeline
from .speaker_emospeech import SpeakerProfile
from .windows_emospeech import cut_windows


BATCH_SIZE = 16


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


def windows_as_clips(recording: Path) -> Iterator[dict[str, Any]]:
    """
    One long recording of one person instead of many clips.

    Args:
        recording (`Path`): an audio file, read piece by piece.

    Returns:
        `Iterator[dict]`: its windows in which something is heard, one behind the other, for [`make_profile`].

    Raises:
        AudioError: If it cannot be used.
    """
    for cut in cut_windows(str(recording), overlap=0.0):
        if not cut.is_silent:
            yield {"array": cut.waveform, "sampling_rate": cut.sampling_rate}


def make_profile(model: str, clips: Iterable[Any], revision: str | None = None) -> SpeakerProfile:
    """
    Hear some clips of one person, of more than one mood, and keep what they have in common.

    Args:
        model (`str`): release folder, or id on the Hub, of a model that hears.
        clips (`Iterable`): recordings of that person, each as [`~audio_emospeech.decode_audio`] takes it.
        revision (`str`, *optional*): commit, branch or tag on the Hub.

    Returns:
        [`SpeakerProfile`]: for `pipeline(..., speaker=profile)`.

    Raises:
        ValueError: If the model does not hear, or its fusion takes sequences.
        AudioError: If a recording cannot be used, or there is none; the message names it.
    """
    classify = load_pipeline(model, revision)
    network, extractor = classify.model, classify.processor.feature_extractor
    embeddings, logits = [], []
    for batch in tqdm(_batches(clips), desc="Listening", unit="batch"):
        inputs = extractor(batch, return_tensors="pt").to(network.device)
        with torch.no_grad():
            # A transcript that is not there counts for nothing.
            present = torch.tensor([[True, False]] * len(batch), device=network.device)
            output = network(**inputs, modality_mask=present)
            given = {"mfcc_means": inputs.get("mfcc_means"), "speech_embeds": output.speech_embeds}
            embeddings.append(network.emospeech.get_speaker_embeddings(**given).float().cpu())
            logits.append(output.logits.float().cpu())
    if not embeddings:
        raise AudioError("There is nothing to hear in these recordings, so they make no profile.")
    return SpeakerProfile.fit(torch.cat(embeddings), torch.cat(logits).softmax(dim=1))


def _batches(clips: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(clips)
    while batch := list(islice(remaining, BATCH_SIZE)):
        yield batch

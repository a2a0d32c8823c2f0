"""A speaker's profile from some of their clips, which need no labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm.auto import tqdm

from .data.folder import AUDIO_SUFFIXES
from .inference import load_pipeline
from .speaker_emospeech import SpeakerProfile


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


def make_profile(model: str, clips: Sequence[str | Path], revision: str | None = None) -> SpeakerProfile:
    """
    Hear some clips of one person, of more than one mood, and keep what they have in common.

    Args:
        model (`str`): release folder, or id on the Hub, of a model that hears.
        clips (`Sequence[str | Path]`): recordings of that person.
        revision (`str`, *optional*): commit, branch or tag on the Hub.

    Returns:
        [`SpeakerProfile`]: for `pipeline(..., speaker=profile)`.

    Raises:
        ValueError: If the model does not hear, or its fusion takes sequences.
        AudioError: If a recording cannot be used; the message names it.
    """
    classify = load_pipeline(model, revision)
    network, extractor = classify.model, classify.processor.feature_extractor
    embeddings, logits = [], []
    for start in tqdm(range(0, len(clips), BATCH_SIZE), desc="Listening", unit="batch"):
        batch = [str(path) for path in clips[start : start + BATCH_SIZE]]
        inputs = extractor(batch, return_tensors="pt").to(network.device)
        with torch.no_grad():
            # A transcript that is not there counts for nothing.
            present = torch.tensor([[True, False]] * len(batch), device=network.device)
            output = network(**inputs, modality_mask=present)
            given = {"mfcc_means": inputs.get("mfcc_means"), "speech_embeds": output.speech_embeds}
            embeddings.append(network.emospeech.get_speaker_embeddings(**given).float().cpu())
            logits.append(output.logits.float().cpu())
    return SpeakerProfile.fit(torch.cat(embeddings), torch.cat(logits).softmax(dim=1))

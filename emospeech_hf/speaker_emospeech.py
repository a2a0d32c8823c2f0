"""A speaker's profile: what of an embedding is the voice and not the emotion, in a small safetensors file."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from safetensors import safe_open
from safetensors.torch import save_file


PRIOR_CLIPS = 4
"""So many clips of nobody in particular every profile starts with; few clips move it little."""

VARIED = 3.0
"""Emotions that the clips should seem to hold, at the least, for the profile to count in full."""


@dataclass
class SpeakerProfile:
    """
    Args:
        shift (`torch.Tensor` of shape `(speech width,)`): what is taken off the speaker's standardised embeddings.
        clips (`int`): recordings that it was made of.
        weight (`float`): how far it goes, from 0, nobody in particular, to 1, the mean of the clips.
    """

    shift: torch.Tensor
    clips: int
    weight: float

    @classmethod
    def fit(cls, embeddings: torch.Tensor, scores: torch.Tensor) -> SpeakerProfile:
        """
        From clips without labels. The mean of clips that are all of one mood holds that mood, and taking it off would
        take the mood away; so the profile shrinks towards nobody in particular where the clips are few, or where the
        model finds few emotions in them.

        Args:
            embeddings (`torch.Tensor` of shape `(clips, speech width)`): from
                [`EmoSpeechModel.get_speaker_embeddings`].
            scores (`torch.Tensor` of shape `(clips, classes)`): probabilities of the emotions, without a profile.

        Returns:
            [`SpeakerProfile`]
        """
        clips = len(embeddings)
        shares = torch.bincount(scores.argmax(dim=1), minlength=scores.shape[1]) / clips
        # The exponential of the entropy counts the emotions, the rare ones less.
        variety = float(torch.special.entr(shares).sum().exp())
        weight = clips / (clips + PRIOR_CLIPS) * min(1.0, variety / VARIED)
        return cls(weight * embeddings.mean(dim=0), clips, weight)

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Args:
            path (`str` or `PathLike`): the safetensors file.
        """
        metadata = {"format": "emospeech-speaker", "clips": str(self.clips), "weight": repr(self.weight)}
        save_file({"shift": self.shift.detach().cpu().contiguous()}, path, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SpeakerProfile:
        """
        Args:
            path (`str` or `PathLike`): a file of [`save`].

        Returns:
            [`SpeakerProfile`]

        Raises:
            ValueError: If it is another kind of file.
        """
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != "emospeech-speaker":
                raise ValueError(f"{path} is no speaker's profile; `emospeech adapt` makes one.")
            return cls(file.get_tensor("shift"), int(metadata["clips"]), float(metadata["weight"]))


__all__ = ["SpeakerProfile"]

"""
A speaker's profile, in a small safetensors file: what of an embedding is the voice and not the emotion, and, where some
clips were labelled, how this speaker shows emotions otherwise than most.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import torch
from safetensors import safe_open
from safetensors.torch import save_file


PRIOR_CLIPS = 4
"""So many clips of nobody in particular every profile starts with; few clips move it little."""

VARIED = 3.0
"""Emotions that the clips should seem to hold, at the least, for the profile to count in full."""


CORRECTION_PENALTY = 0.5
"""Half of this, times the embeddings' mean squared norm and the sum of the correction's squares, is what a correction
costs: whatever the embeddings' scale, few clips change little."""


@dataclass
class SpeakerProfile:
    """
    Args:
        shift (`torch.Tensor` of shape `(speech width,)`): what is taken off the speaker's standardised embeddings.
        clips (`int`): recordings that it was made of.
        weight (`float`): how far it goes, from 0, nobody in particular, to 1, the mean of the clips.
        correction (`torch.Tensor` of shape `(classes, speech width)`, *optional*): what the shifted embedding is
            multiplied by and then added to the logits; of labelled clips.
        labelled (`int`): how many those are.
    """

    shift: torch.Tensor
    clips: int
    weight: float
    correction: torch.Tensor | None = None
    labelled: int = 0

    @classmethod
    def fit(cls, embeddings: torch.Tensor, scores: torch.Tensor, chosen: bool = True) -> SpeakerProfile:
        """
        From clips without labels. The mean of clips that are all of one mood holds that mood, and taking it off would
        take the mood away; so the profile shrinks towards nobody in particular where the clips are few, or where the
        model finds few emotions in them.

        Args:
            embeddings (`torch.Tensor` of shape `(clips, speech width)`): from
                [`EmoSpeechModel.get_speaker_embeddings`].
            scores (`torch.Tensor` of shape `(clips, classes)`): probabilities of the emotions, without a profile.
            chosen (`bool`, *optional*, defaults to `True`): whether somebody chose the clips, of several moods as they
                were asked to. If not, as of the windows of a recording, clips of one mood count for nothing.

        Returns:
            [`SpeakerProfile`]
        """
        clips = len(embeddings)
        shares = torch.bincount(scores.argmax(dim=1), minlength=scores.shape[1]) / clips
        # The exponential of the entropy counts the emotions, the rare ones less.
        variety = float(torch.special.entr(shares).sum().exp())
        weight = clips / (clips + PRIOR_CLIPS) * min(1.0, (variety if chosen else variety - 1) / VARIED)
        return cls(weight * embeddings.mean(dim=0), clips, weight)

    def with_labels(self, embeddings: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> SpeakerProfile:
        """
        Learn from labelled clips what the model gets wrong with this speaker: a logistic regression on the shifted
        embeddings, on top of the model's own logits. The model stays as it is, so that it forgets nobody.

        Args:
            embeddings (`torch.Tensor` of shape `(clips, speech width)`): of the labelled clips, without a profile.
            logits (`torch.Tensor` of shape `(clips, classes)`): the model's, with this profile.
            labels (`torch.Tensor` of shape `(clips,)`, int64): the emotions' numbers.

        Returns:
            [`SpeakerProfile`]: this one with a correction.
        """
        shifted = embeddings.double() - self.shift.double()
        logits = logits.double()
        # The best correction lies in the span of the clips, which are fewer than the embedding's dimensions.
        products = shifted @ shifted.T
        penalty = CORRECTION_PENALTY * products.diagonal().mean()
        parts = torch.zeros(logits.shape, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [parts], tolerance_change=1e-12, max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
        )

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            added = products @ parts
            surprise = torch.nn.functional.cross_entropy(logits + added, labels, reduction="sum")
            loss = surprise + penalty / 2 * (parts * added).sum()
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(closure)
        correction = (parts.detach().T @ shifted).float()
        return replace(self, correction=correction, labelled=len(labels))

    def model_inputs(self, rows: int, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """
        Args:
            rows (`int`): utterances in the batch, all of this speaker.
            device (`torch.device`, *optional*, defaults to `"cpu"`): where the model is.

        Returns:
            `dict[str, torch.Tensor]`: `speaker_shift` and, where there is one, `speaker_correction`.
        """
        inputs = {"speaker_shift": self.shift.to(device).expand(rows, -1)}
        if self.correction is not None:
            inputs["speaker_correction"] = self.correction.to(device).expand(rows, -1, -1)
        return inputs

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Args:
            path (`str` or `PathLike`): the safetensors file.
        """
        metadata = {
            "format": "emospeech-speaker",
            "clips": str(self.clips),
            "weight": repr(self.weight),
            "labelled": str(self.labelled),
        }
        tensors = {"shift": self.shift, "correction": self.correction}
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items() if tensor is not None}
        save_file(kept, path, metadata)

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
            correction = file.get_tensor("correction") if "correction" in file.keys() else None  # noqa: SIM118
            return cls(
                file.get_tensor("shift"),
                int(metadata["clips"]),
                float(metadata["weight"]),
                correction,
                int(metadata.get("labelled", 0)),
            )


__all__ = ["SpeakerProfile"]

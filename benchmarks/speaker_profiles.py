#!/usr/bin/env python3
"""What a speaker's profile is worth: on people whom the model never met, with and without some of their clips.

    emospeech cross-validate --recipe speech_only --data speech --output runs/voice
    python benchmarks/speaker_profiles.py --run runs/voice --data speech

For each fold's test speakers: macro-F1 without a profile, and with one of all their clips (unlabelled, the scored ones
among them), taken for clips that somebody chose or, as `emospeech predict --own-profiles` does, that nobody chose; of
12 drawn at random, of two for each emotion, and of 12 that are all of one emotion; and of two and of five for each
emotion that are labelled. Where clips are drawn, only the others are scored, with and without the profile, on average
over speakers and draws. What labelled clips correct is also tried on the fold's other speakers, who have nothing to do
with it.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score
from tqdm.auto import tqdm

from emospeech_hf import EMOTIONS, EmoSpeechForEmotionClassification, EmoSpeechProcessor
from emospeech_hf.data import load_corpus
from emospeech_hf.evaluation import Predictions
from emospeech_hf.speaker_emospeech import SpeakerProfile
from emospeech_hf.training import PREDICTIONS_FILE, load_run


CLIPS = 12
DRAWS = 5


class Voice:
    """
    One speaker's clips, as a model that never met the speaker hears them.

    Args:
        model ([`EmoSpeechForEmotionClassification`]), processor ([`EmoSpeechProcessor`]): of the fold's run.
        recordings (`list`): the clips.
        labels (`np.ndarray` of shape `(clips,)`): their emotions' numbers.
    """

    def __init__(
        self,
        model: EmoSpeechForEmotionClassification,
        processor: EmoSpeechProcessor,
        recordings: list[object],
        labels: np.ndarray,
    ) -> None:
        self.model = model
        self.labels = labels
        with torch.no_grad():
            parts = [processor.feature_extractor([recording], return_tensors="pt") for recording in recordings]
            pooled = torch.cat([self.model.emospeech.get_speech_features(**part) for part in parts])
            self.inputs = {"speech_embeds": pooled}
            self.embeddings = self.model.emospeech.get_speaker_embeddings(**self.inputs)
            self.scores = self.model(**self.inputs).logits.softmax(dim=1)

    def profile(self, clips: np.ndarray, labelled: bool = False, chosen: bool = True) -> SpeakerProfile:
        """
        Args:
            clips (`np.ndarray`): numbers of those that it is made of.
            labelled (`bool`, *optional*, defaults to `False`): whether their emotions are told.
            chosen (`bool`, *optional*, defaults to `True`): whether somebody chose them, see [`SpeakerProfile.fit`].

        Returns:
            [`SpeakerProfile`]
        """
        profile = SpeakerProfile.fit(self.embeddings[clips], self.scores[clips], chosen)
        if not labelled:
            return profile
        labels = torch.from_numpy(self.labels[clips])
        return profile.with_labels(self.embeddings[clips], self.logits(profile)[clips], labels)

    def logits(self, profile: SpeakerProfile | None) -> torch.Tensor:
        """
        Args:
            profile ([`SpeakerProfile`], *optional*): given to the model.

        Returns:
            `torch.Tensor` of shape `(clips, classes)`.
        """
        given = {} if profile is None else profile.model_inputs(len(self.labels))
        with torch.no_grad():
            return self.model(**self.inputs, **given).logits

    def predict(self, profile: SpeakerProfile | None) -> np.ndarray:
        """
        Args:
            profile ([`SpeakerProfile`], *optional*): given to the model.

        Returns:
            `np.ndarray`: the predicted class of every clip.
        """
        return self.logits(profile).argmax(dim=1).numpy()

    def gain(
        self, choose: Callable[[np.random.Generator], np.ndarray], draws: int, labelled: bool = False
    ) -> tuple[float, float]:
        """
        Args:
            choose (`Callable`): draws the clips of a profile.
            draws (`int`): how often.
            labelled (`bool`, *optional*, defaults to `False`): whether their emotions are told.

        Returns:
            `tuple[float, float]`: macro-F1 on the other clips without the profile and with it, on average over draws.
        """
        scores = []
        plain = self.predict(None)
        for seed in range(draws):
            clips = choose(np.random.default_rng(seed))
            rest = np.setdiff1d(np.arange(len(self.labels)), clips)
            with_profile = self.predict(self.profile(clips, labelled))
            scores.append([_macro_f1(self.labels[rest], found[rest]) for found in (plain, with_profile)])
        without, helped = np.mean(scores, axis=0)
        return float(without), float(helped)


def _macro_f1(references: np.ndarray, predicted: np.ndarray) -> float:
    return float(f1_score(references, predicted, labels=np.unique(references), average="macro", zero_division=0.0))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, type=Path, metavar="DIR", help="of `emospeech cross-validate`")
    parser.add_argument("--data", required=True, metavar="DIR", help="the corpus of that run")
    options = parser.parse_args()
    corpus = load_corpus(options.data, ("speech",))
    recordings = {row["id"]: row["audio"] for part in corpus.values() for row in part}
    folds: list[tuple[float, float, float]] = []
    gains: dict[str, list[tuple[float, float]]] = {}
    others: list[list[float]] = []
    for run in tqdm(sorted(options.run.glob("runs/seed-*/fold-*")), unit="fold", desc="Speakers"):
        model, processor, _ = load_run(run)
        test = Predictions.load(run / PREDICTIONS_FILE)
        groups, labels = np.asarray(test.groups), np.asarray(test.references)
        plain, helped, in_bulk = (np.empty(len(labels), int) for _ in range(3))
        corrections: list[tuple[Voice, SpeakerProfile]] = []
        for speaker in np.unique(groups):
            rows = np.flatnonzero(groups == speaker)
            voice = Voice(model, processor, [recordings[test.ids[row]] for row in rows], labels[rows])
            plain[rows], helped[rows] = voice.predict(None), voice.predict(voice.profile(np.arange(len(rows))))
            # As `emospeech predict --own-profiles` makes them.
            in_bulk[rows] = voice.predict(voice.profile(np.arange(len(rows)), chosen=False))
            own = {emotion: np.flatnonzero(voice.labels == emotion) for emotion in range(len(EMOTIONS))}
            ways = {
                f"{CLIPS} at random": lambda draw: draw.permutation(len(rows))[:CLIPS],  # noqa: B023 (used at once)
                "2 of each emotion": lambda draw: np.concatenate([draw.permutation(own[e])[:2] for e in own]),  # noqa: B023
            }
            for name, way in ways.items():
                gains.setdefault(name, []).append(voice.gain(way, DRAWS))
            for each in (2, 5):
                way = lambda draw: np.concatenate([draw.permutation(own[e])[:each] for e in own])  # noqa: B023, E731
                gains.setdefault(f"{each} of each, labelled", []).append(voice.gain(way, DRAWS, labelled=True))
            some = np.concatenate([own[emotion][:2] for emotion in own])
            corrections.append(
                (voice, replace(voice.profile(some, labelled=True), shift=torch.zeros(voice.embeddings.shape[1])))
            )
            for emotion, name in enumerate(EMOTIONS):
                one = own[emotion][:CLIPS]
                gains.setdefault(f"{CLIPS} of {name}", []).append(voice.gain(lambda _: one, 1))  # noqa: B023
        for place, (_, correction) in enumerate(corrections):
            for voice, _ in corrections[:place] + corrections[place + 1 :]:
                found = [voice.predict(given) for given in (None, correction)]
                others.append([_macro_f1(voice.labels, one) for one in found])
        folds.append((_macro_f1(labels, plain), _macro_f1(labels, helped), _macro_f1(labels, in_bulk)))
    without, own_clips, nobodys = (statistics.mean(column) for column in zip(*folds))
    print(
        f"mean over {len(folds)} folds: without a profile {without:.3f}, with all of one's clips {own_clips:.3f}, "
        f"as of clips that nobody chose {nobodys:.3f}"
    )
    print(f"\n{'profile of':22s} {'without':>8s} {'with':>8s} {'gain':>8s}   mean over speakers, other clips scored")
    for name, pairs in gains.items():
        before, after = (statistics.mean(column) for column in zip(*pairs))
        print(f"{name:22s} {before:8.3f} {after:8.3f} {after - before:+8.3f}")
    before, after = (statistics.mean(column) for column in zip(*others))
    print(f"\nother speakers, with what 2 labelled clips of each emotion of one correct: {before:.3f}, {after:.3f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What a long recording's own profile is worth: one person after another, whom the model never met.

    emospeech cross-validate --recipe speech_only --data speech --output runs/voice
    python benchmarks/own_profiles.py --run runs/voice --data speech

The clips of each of a fold's test speakers are put one behind another, one mood after the other, and heard as one
recording, without a profile and with its own. A window counts as the mood that fills most of it; the score is the
macro-F1 of the windows. `--moods N` leaves N moods, drawn at random, in the recording: the fewer, the more of the
mood a profile takes away. With `--together` the recording is a dialogue: a fold's test speakers take turns, clip by
clip, on one channel, and share the profile.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score
from tqdm.auto import tqdm
from transformers import pipeline

from emospeech_hf import EMOTIONS, TASK
from emospeech_hf.audio_emospeech import decode_audio, resample_audio
from emospeech_hf.data import load_corpus
from emospeech_hf.evaluation import Predictions
from emospeech_hf.training import PREDICTIONS_FILE, load_run
from emospeech_hf.voice_activity import VoiceActivity


RATE = 16_000


def join_clips(
    recordings: list[Any], labels: np.ndarray, moods: np.ndarray, speakers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Args:
        recordings (`list`): clips.
        labels (`np.ndarray` of shape `(clips,)`): their emotions' numbers.
        moods (`np.ndarray`): the emotions in their order.
        speakers (`np.ndarray` of shape `(clips,)`): who speaks; within a mood, they take turns.

    Returns:
        `tuple`: the waveform at 16 kHz, and the emotion of each of its samples.
    """
    turns = np.empty(len(labels), int)
    for speaker in np.unique(speakers):
        for mood in moods:
            own = np.flatnonzero((speakers == speaker) & (labels == mood))
            turns[own] = np.arange(len(own))
    order = [
        clip for mood in moods for clip in sorted(np.flatnonzero(labels == mood), key=lambda clip: (turns[clip], clip))
    ]
    parts = [resample_audio(*decode_audio(recordings[clip]), RATE) for clip in order]
    truth = np.concatenate([np.full(len(part), labels[clip]) for clip, part in zip(order, parts)])
    return np.concatenate(parts), truth


def score(entries: list[dict[str, Any]], truth: np.ndarray) -> float:
    """
    Args:
        entries (`list[dict]`): of the timeline.
        truth (`np.ndarray` of shape `(samples,)`): each sample's emotion.

    Returns:
        `float`: macro-F1 of the windows in which something is heard.
    """
    heard = [entry for entry in entries if entry["scores"]]
    spans = [truth[int(entry["start"] * RATE) : int(entry["end"] * RATE)] for entry in heard]
    references = [EMOTIONS[np.bincount(span).argmax()] for span in spans]
    found = [entry["label"] for entry in heard]
    return float(f1_score(references, found, labels=sorted(set(references)), average="macro", zero_division=0.0))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, type=Path, metavar="DIR", help="of `emospeech cross-validate`")
    parser.add_argument("--data", required=True, metavar="DIR", help="the corpus of that run")
    parser.add_argument("--moods", type=int, nargs="+", default=[6, 3, 2], metavar="N", help="in the recordings")
    parser.add_argument("--together", action="store_true", help="a fold's speakers in one recording")
    parser.add_argument("--voice-activity", action="store_true", help="hear speech without its pauses")
    parser.add_argument("--window", type=float, metavar="SECONDS", help="(default: the model's)")
    options = parser.parse_args()
    voice_activity = VoiceActivity() if options.voice_activity else None
    corpus = load_corpus(options.data, ("speech",))
    recordings = {row["id"]: row["audio"] for part in corpus.values() for row in part}
    scores: dict[int, list[tuple[float, float]]] = {number: [] for number in options.moods}
    for run in tqdm(sorted(options.run.glob("runs/seed-*/fold-*")), unit="fold", desc="Speakers"):
        model, processor, _ = load_run(run)
        classify = pipeline(TASK, model=model, processor=processor, device=-1)
        test = Predictions.load(run / PREDICTIONS_FILE)
        groups, labels = np.asarray(test.groups), np.asarray(test.references)
        people = [groups == speaker for speaker in np.unique(groups)]
        for chosen in [np.ones(len(groups), bool)] if options.together else people:
            rows = np.flatnonzero(chosen)
            own = [recordings[test.ids[row]] for row in rows]
            for number in options.moods:
                # Drawn anew for each recording, and the same ones in every run.
                draw = np.random.default_rng([number, len(scores[number])])
                moods = draw.permutation(len(EMOTIONS))[:number]
                waveform, truth = join_clips(own, labels[rows], moods, groups[rows])
                audio = {"array": waveform, "sampling_rate": RATE}
                plain, helped = (
                    score(
                        list(
                            classify.timeline(
                                audio,
                                window=options.window,
                                own_profile=asked,
                                voice_activity=voice_activity,
                            )
                        ),
                        truth,
                    )
                    for asked in (False, True)
                )
                scores[number].append((plain, helped))
    print(f"{'moods':>5s} {'without':>8s} {'with':>8s} {'gain':>8s} {'recordings':>11s} {'helped':>7s}")
    for number, pairs in scores.items():
        before, after = (statistics.mean(column) for column in zip(*pairs))
        better = sum(helped > plain for plain, helped in pairs)
        print(f"{number:5d} {before:8.3f} {after:8.3f} {after - before:+8.3f} {len(pairs):11d} {better:7d}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A small Spanish corpus of synthetic emotional speech, made offline with eSpeak NG.

It has the layout of EmoSPeech 2024 (a CSV with id, label, transcription, and one MP3 per id) with a column for the
speaker. Emotion is told by wording, pitch, rate and volume. The voices of test.csv speak nowhere else. It shows that
everything works; what a model scores on it says nothing about people.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm.auto import tqdm

from emospeech_hf.configuration_emospeech import EMOTIONS
from emospeech_hf.safe_writing import replaced_folder


sys.path.insert(0, str(Path(__file__).resolve().parent))  # so that the script's neighbours are found from anywhere
from espeak_sentences import OPENINGS, sentences
from espeak_speech import Delivery, SpeechSynthesizer


EXAMPLES = """example:
  python dataset_scripts/espeak_corpus.py --output runs/demo/corpus --example runs/demo/example.wav
"""


@dataclass(frozen=True)
class Voice:
    """A synthetic speaker: eSpeak's variant, its usual pitch and pace, and its gender."""

    name: str
    pitch: int
    rate: int
    gender: str


VOICES = (
    Voice("es+f1", 58, 165, "female"),
    Voice("es+m1", 40, 160, "male"),
    Voice("es+f2", 64, 175, "female"),
    Voice("es+m3", 34, 150, "male"),
    Voice("es-419+f3", 55, 170, "female"),
    Voice("es-419+m4", 44, 170, "male"),
    Voice("es-419+f5", 50, 155, "female"),
    Voice("es-419+m7", 38, 175, "male"),
)
TEST_VOICES = ("es+m3", "es-419+f5")

# Differences from a voice's usual rate (as a factor), volume, pitch and range of pitch.
DELIVERIES = {
    "anger": (1.20, 60, 10, 75),
    "disgust": (0.82, -5, -12, 45),
    "fear": (1.30, -25, 22, 60),
    "joy": (1.10, 25, 18, 90),
    "neutral": (1.00, 0, 0, 45),
    "sadness": (0.75, -40, -10, 15),
}


def delivery_of(label: str, voice: Voice, generator: random.Random) -> Delivery:
    """
    Args:
        label (`str`): the emotion.
        voice ([`Voice`]): the speaker.
        generator (`random.Random`): varies every utterance, so that the emotions overlap.

    Returns:
        [`Delivery`]
    """
    factor, volume, pitch, pitch_range = DELIVERIES[label]
    return Delivery(
        rate=round(voice.rate * factor * generator.gauss(1, 0.08)),
        volume=int(np.clip(100 + volume + generator.gauss(0, 15), 20, 190)),
        pitch=int(np.clip(voice.pitch + pitch + generator.gauss(0, 7), 0, 100)),
        pitch_range=int(np.clip(pitch_range + generator.gauss(0, 12), 0, 100)),
    )


def write_corpus(output: Path, per_emotion: int, seed: int) -> dict[str, int]:
    """
    Args:
        output (`Path`): folder for `train.csv`, `test.csv` and `audio/`.
        per_emotion (`int`): utterances of each emotion and voice.
        seed (`int`): of words and delivery.

    Returns:
        `dict[str, int]`: split to number of utterances.
    """
    generator = random.Random(seed)
    synthesizer = SpeechSynthesizer()
    taken: set[str] = set()
    rows: dict[str, list[tuple[str, str, str, str, str]]] = {"train": [], "test": []}
    with (
        replaced_folder(output) as folder,
        tqdm(total=len(VOICES) * len(EMOTIONS) * per_emotion, desc="Speaking", unit="utterance") as bar,
    ):
        (folder / "audio").mkdir()
        for voice in VOICES:
            split = "test" if voice.name in TEST_VOICES else "train"
            for label in EMOTIONS:
                for number, text in enumerate(sentences(label, per_emotion, generator, taken)):
                    samples = synthesizer.speak(text, voice.name, delivery_of(label, voice, generator))
                    name = f"{voice.name.replace('+', '-')}-{label}-{number:02d}.mp3"
                    soundfile.write(folder / "audio" / name, samples, synthesizer.sampling_rate, format="MP3")
                    rows[split].append((name, label, text, voice.name, voice.gender))
                    bar.update()
        for split, members in rows.items():
            with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(("id", "label", "transcription", "speaker", "gender"))
                writer.writerows(members)
    return {split: len(members) for split, members in rows.items()}


def write_example(corpus: Path, path: Path) -> str:
    """
    Copy a held-out utterance out as WAV, which every player plays: the first of joy whose words are joyful, too.

    Args:
        corpus (`Path`): as written by [`write_corpus`].
        path (`Path`): the WAV file; its transcript goes beside it, as `.txt`.

    Returns:
        `str`: the transcript.
    """
    with (corpus / "test.csv").open(newline="", encoding="utf-8") as file:
        joyful = (row for row in csv.DictReader(file) if row["label"] == "joy")
        row = next(row for row in joyful if row["transcription"].startswith(OPENINGS["joy"]))
    samples, rate = soundfile.read(corpus / "audio" / row["id"], dtype="int16")
    soundfile.write(path, samples, rate)
    path.with_suffix(".txt").write_text(row["transcription"] + "\n", encoding="utf-8")
    return row["transcription"]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the corpus; an older one is replaced"
    )
    parser.add_argument(
        "--example", type=Path, metavar="WAV", help="copy one held-out utterance there, with its transcript beside it"
    )
    parser.add_argument(
        "--per-emotion", type=int, default=10, metavar="N", help="utterances of each emotion and voice (default: 10)"
    )
    parser.add_argument("--seed", type=int, default=42, help="of words and delivery (default: 42)")
    options = parser.parse_args()
    counts = write_corpus(options.output, options.per_emotion, options.seed)
    print(f"{options.output}: {counts['train']} utterances to train, {counts['test']} by voices heard nowhere else.")
    if options.example:
        print(f"{options.example}: «{write_example(options.output, options.example)}»")


if __name__ == "__main__":
    main()

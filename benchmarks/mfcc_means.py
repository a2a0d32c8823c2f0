#!/usr/bin/env python3
"""MFCC means of the feature extractor against librosa's, on the same recordings in the same run.

    python benchmarks/mfcc_means.py
    python benchmarks/mfcc_means.py --audio my_recordings --threads 4

Prints milliseconds per recording for both, their ratio, and the largest difference of the results.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np
import torch

from emospeech_hf import EmoSpeechFeatureExtractor
from emospeech_hf.audio_emospeech import decode_audio, resample_audio


RATE = 22_050


def milliseconds(function: Callable[[np.ndarray], np.ndarray], waveforms: list[np.ndarray], rounds: int) -> float:
    """
    Args:
        function (`Callable`): waveform to MFCC means.
        waveforms (`list[np.ndarray]`): at 22,050 Hz.
        rounds (`int`): passes over them.

    Returns:
        `float`: median over the rounds of the mean time per waveform.
    """
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        for waveform in waveforms:
            function(waveform)
        times.append(1000 * (time.perf_counter() - started) / len(waveforms))
    return statistics.median(times[1:])  # the first pass builds filters and compiles


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, metavar="DIR", help="folder of recordings (default: 20 of noise, 9.24 s)")
    parser.add_argument("--rounds", type=int, default=5, help="passes over the recordings (default: 5)")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (default: 1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.audio is not None:
        paths = sorted(path for path in options.audio.iterdir() if path.is_file())[:50]
        waveforms = [resample_audio(*decode_audio(path), RATE) for path in paths]
    else:
        generator = np.random.default_rng(0)
        waveforms = [generator.normal(0, 0.1, int(9.24 * RATE)).astype(np.float32) for _ in range(20)]
    extractor = EmoSpeechFeatureExtractor()

    def ours(waveform: np.ndarray) -> np.ndarray:
        return extractor.mfcc_means((waveform, RATE))[0]

    def librosas(waveform: np.ndarray) -> np.ndarray:
        return librosa.feature.mfcc(y=waveform, sr=RATE, n_mfcc=128).mean(axis=1)

    own, peer = milliseconds(ours, waveforms, options.rounds), milliseconds(librosas, waveforms, options.rounds)
    difference = max(float(np.abs(ours(waveform) - librosas(waveform)).max()) for waveform in waveforms)
    seconds = statistics.mean(len(waveform) for waveform in waveforms) / RATE
    print(f"{len(waveforms)} recordings of {seconds:.2f} s on average, {options.threads} thread(s)")
    print(f"emospeech_hf {own:.2f} ms, librosa {version('librosa')} {peer:.2f} ms: {peer / own:.2f} times as fast")
    print(f"largest difference of a mean: {difference:.1e}")


if __name__ == "__main__":
    main()

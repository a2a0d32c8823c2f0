#!/usr/bin/env python3
"""Memory and time of a long recording's timeline against a short one's.

    python benchmarks/long_recordings.py --model runs/voice/release --short minute.flac --long hour.flac

Each is a process of its own. Prints the peak memory of both, their difference, and how many times faster than it is
spoken the long one is heard.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import soundfile


SCRIPT = """
import json, resource, sys, time
from emospeech_hf.inference import load_pipeline
classify = load_pipeline(sys.argv[1])
started = time.perf_counter()
windows = sum(1 for _ in classify.timeline(sys.argv[2]))
seconds = time.perf_counter() - started
print(json.dumps([windows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def measure(model: str, recording: str) -> tuple[int, float, float]:
    """
    Args:
        model (`str`): release folder.
        recording (`str`): an audio file.

    Returns:
        `tuple[int, float, float]`: windows, seconds of hearing them, peak memory of the process in MiB.
    """
    done = subprocess.run(  # noqa: S603 (our own script)
        [sys.executable, "-c", SCRIPT, model, recording],
        check=True, stdout=subprocess.PIPE, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    windows, seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return windows, seconds, peak


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="release folder of a model of speech alone")
    parser.add_argument("--short", required=True, help="a recording of about a minute")
    parser.add_argument("--long", required=True, help="a recording of an hour or more")
    options = parser.parse_args()
    peaks = []
    for recording in (options.short, options.long):
        windows, seconds, peak = measure(options.model, recording)
        length = soundfile.info(recording).duration
        peaks.append(peak)
        print(
            f"{length:8.0f} s: {windows} windows, peak {peak:.0f} MiB, heard in {seconds:.1f} s, "
            f"{length / seconds:.0f} times faster than spoken"
        )
    print(f"the long one takes {peaks[1] - peaks[0]:+.0f} MiB")


if __name__ == "__main__":
    main()

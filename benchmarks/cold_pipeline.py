#!/usr/bin/env python3
"""A cold `pipeline("audio-text-emotion")` against transformers' own loading of its text encoder and tokenizer alone.

    python benchmarks/cold_pipeline.py --model runs/beto/release
    python benchmarks/cold_pipeline.py --model runs/demo/release --rounds 9 --installed

Each is a process of its own, in turns: `pipeline(...)` on the release folder by its remote code, and
`AutoModel.from_pretrained` with `AutoTokenizer.from_pretrained` on a folder that holds nothing but the same encoder.
Prints the median seconds of the whole process, the start of Python and the imports among them, and their ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

from tqdm.auto import tqdm
from transformers import AutoTokenizer

from emospeech_hf import EmoSpeechForEmotionClassification


BARE = """
import sys
from transformers import AutoModel, AutoTokenizer
AutoTokenizer.from_pretrained(sys.argv[1])
AutoModel.from_pretrained(sys.argv[1])
"""

WHOLE = """
import sys
from transformers import pipeline
pipeline("audio-text-emotion", model=sys.argv[1], trust_remote_code=True)
"""


def seconds(script: str, folder: str, installed: bool) -> float:
    """
    Args:
        script (`str`): Python that loads a folder.
        folder (`str`): its argument.
        installed (`bool`): whether it may use this package's own code.

    Returns:
        `float`: seconds of the whole process.
    """
    hide = "" if installed else 'import sys; sys.modules["emospeech_hf"] = None\n'
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 (our own scripts)
        [sys.executable, "-c", hide + script, folder],
        check=True, capture_output=True, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    return time.perf_counter() - started


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="DIR", help="release folder of a model that reads")
    parser.add_argument("--rounds", type=int, default=7, help="processes of each kind (default: 7)")
    parser.add_argument("--installed", action="store_true", help="use this package's code instead of the release's")
    options = parser.parse_args()
    model = EmoSpeechForEmotionClassification.from_pretrained(options.model)
    if model.emospeech.text_encoder is None:
        parser.error(f"{options.model} has no text encoder to compare with")
    with tempfile.TemporaryDirectory() as folder:
        model.emospeech.text_encoder.save_pretrained(folder)
        AutoTokenizer.from_pretrained(options.model).save_pretrained(folder)
        kinds = {"text encoder and tokenizer": (BARE, folder), "pipeline": (WHOLE, options.model)}
        times: dict[str, list[float]] = {name: [] for name in kinds}
        for turn in tqdm(range(options.rounds + 1), unit="round", desc="Loading"):
            for name, (script, argument) in kinds.items():
                taken = seconds(script, argument, options.installed)
                if turn:  # the first round fills the system's file cache
                    times[name].append(taken)
    print(f"transformers {version('transformers')}, torch {version('torch')}, {options.rounds} processes of each kind")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        print(f"{name:28s} {median:6.2f} s")
    print(f"{'ratio':28s} {medians['pipeline'] / medians['text encoder and tokenizer']:6.2f}")


if __name__ == "__main__":
    main()

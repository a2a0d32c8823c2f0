#!/usr/bin/env python3
"""What a stranger does with a release: transformers, two lines, no package of ours."""

from __future__ import annotations

import argparse
import sys

from transformers import pipeline
from transformers.utils import logging


def main() -> None:
    """Command line."""
    logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="release folder, or a model on the Hub")
    parser.add_argument("audio", help="the recording")
    parser.add_argument("text", help="its transcript")
    options = parser.parse_args()

    classify = pipeline("audio-text-emotion", model=options.model, trust_remote_code=True)
    answer = classify({"audio": options.audio, "text": options.text})

    for entry in answer:
        print(f"{entry['label']:<10} {entry['score']:6.1%}  {'█' * round(entry['score'] * 30)}")
    if "emospeech_hf" in sys.modules:
        raise SystemExit("The release used the installed package: it would not load without it.")


if __name__ == "__main__":
    main()

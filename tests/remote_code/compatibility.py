"""
Who can load a release: each row an environment of its own, made from the package index and removed afterwards.

    python -m tests.remote_code.compatibility                  every row; some minutes and about 6 GB at a time
    python -m tests.remote_code.compatibility --quick          the versions of transformers alone, over this torch
    python -m tests.remote_code.compatibility --only 4.57 3.12 the rows whose names contain one of these

In each, `stranger_script.py` loads a release by every entry and answers for one recording; the logits must be those of
this environment within 1e-4. Exit status 1 where a row is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import torch
from tqdm.auto import tqdm
from transformers import BertConfig, BertTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.hub import build_release


ROOT = Path(__file__).resolve().parents[2]
STRANGER = Path(__file__).with_name("stranger_script.py")
TORCH = "torch==2.13.0"
"""A torch without a torchaudio that fits it."""

BESIDE = ("librosa", "soundfile")
REFUSAL = "was saved by transformers 5"


@dataclass(frozen=True)
class Row:
    """
    One environment.

    Args:
        name (`str`): what is special about it.
        requirements (`tuple[str, ...]`): what is installed, as for pip.
        python (`str`, *optional*): version, by default the one that runs this.
        tokenizer (`str`, *optional*, defaults to `"bert"`): of the release; `"other"` has no class of its own.
        package (`bool`, *optional*, defaults to `False`): install this package too, and load by its code.
        refused (`bool`, *optional*, defaults to `False`): the release must say that this environment is too old.
        quick (`bool`, *optional*, defaults to `False`): differs by its transformers alone.
    """

    name: str
    requirements: tuple[str, ...]
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    tokenizer: Literal["bert", "other"] = "bert"
    package: bool = False
    refused: bool = False
    quick: bool = False


NEWEST = (TORCH, "transformers<6", *BESIDE)
ROWS = [
    Row("transformers 5.0.0", (TORCH, "transformers==5.0.0", *BESIDE), quick=True),
    Row("transformers 5.0.0, a tokenizer without a class", (TORCH, "transformers==5.0.0", *BESIDE), tokenizer="other"),
    Row("transformers 4.57", (TORCH, "transformers==4.57.*", *BESIDE), quick=True),
    Row(
        "transformers 4.57, a tokenizer without a class",
        (TORCH, "transformers==4.57.*", *BESIDE),
        tokenizer="other",
        refused=True,
        quick=True,
    ),
    *(Row(f"newest transformers, Python {python}", NEWEST, python) for python in ("3.10", "3.11", "3.12", "3.13")),
    Row("with this package", (str(ROOT),), package=True),
]


def make_release(kind: str, folder: Path, wav: Path) -> list[list[float]]:
    """A tiny release of the paper's network with random weights, and its logits for a recording."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "me", "siento", "muy", "triste"]
    bert = BertTokenizer(vocab={word: number for number, word in enumerate(words)}, model_max_length=32)
    tokenizer: PreTrainedTokenizerBase = bert
    if kind == "other":
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=bert.backend_tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
        )
    torch.manual_seed(0)
    text_config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=text_config.to_dict(), fusion_dim=16)).eval()
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(), tokenizer)
    build_release(model, processor, folder)
    with torch.no_grad():
        logits = model(**processor(audio=wav, text="me siento muy triste", return_tensors="pt")).logits
    return list(logits.tolist())


def command_of(row: Row, folder: Path, quick: bool) -> tuple[list[str], dict[str, str]]:
    """Make the environment; the command that runs its Python, and the variables to run it with."""
    if quick:
        # transformers and what it needs lie before this environment's own, which lends torch, librosa and soundfile.
        transformers = next(entry for entry in row.requirements if entry.startswith("transformers"))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
        _run([*pip, transformers, f"numpy=={np.__version__}"])
        return [sys.executable], {"PYTHONPATH": str(folder)}
    interpreter = sys.executable if row.python == Row("", ()).python else shutil.which(f"python{row.python}")
    # A version manager may have a script of that name that starts nothing.
    if interpreter is None or subprocess.run([interpreter, "--version"], capture_output=True, check=False).returncode:
        raise FileNotFoundError(f"there is no python{row.python} on this machine")
    _run([interpreter, "-m", "venv", str(folder)])
    python = str(folder / "bin" / "python")
    _run([python, "-m", "pip", "install", "--quiet", *row.requirements])
    return [python], {}


def check(row: Row, release: Path, wav: Path, logits: list[list[float]], quick: bool) -> str:
    """What came of one row: a sentence that starts with `ok`, `absent` or `FAILED`."""
    with tempfile.TemporaryDirectory(prefix="compatibility-") as home:
        try:
            python, variables = command_of(row, Path(home) / "environment", quick)
        except FileNotFoundError as error:
            return f"absent: {error}"
        except subprocess.CalledProcessError as error:
            return f"FAILED to install: {error.stderr.strip().splitlines()[-1]}"
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment = {**inherited, **variables, "HF_HUB_OFFLINE": "1", "HF_HOME": f"{home}/huggingface"}
        script = [*python, str(STRANGER), str(release), str(wav), *(["--package"] if row.package else [])]
        done = subprocess.run(script, cwd=home, env=environment, capture_output=True, text=True, check=False)
    if row.refused:
        last = (done.stderr.strip().splitlines() or ["it loads"])[-1]
        return f"ok: refused, as it says: {last}" if done.returncode and REFUSAL in last else f"FAILED: {last}"
    if done.returncode:
        return f"FAILED: {done.stderr.strip().splitlines()[-1]}"
    found = json.loads(done.stdout.splitlines()[-1])
    difference = float(np.abs(np.array(found["logits"]) - np.array(logits)).max())
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)
    return f"{'ok' if difference <= 1e-4 else 'FAILED'}: {versions}; logits differ by {difference:.1e}"


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="compatibility"
    )
    parser.add_argument("--quick", action="store_true", help="the versions of transformers alone, over this torch")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="rows whose names contain one of these")
    options = parser.parse_args(arguments)
    rows = [row for row in ROWS if row.quick or not options.quick]
    rows = [row for row in rows if not options.only or any(text in row.name for text in options.only)]
    if not rows:
        parser.error(f"no row is named so; the rows are {', '.join(row.name for row in ROWS)}")
    failed = False
    with tempfile.TemporaryDirectory(prefix="compatibility-releases-") as folder:
        wav = Path(folder) / "utterance.wav"
        soundfile.write(wav, 0.3 * np.sin(np.arange(16_000) / 9), 16_000)
        logits = {kind: make_release(kind, Path(folder) / kind, wav) for kind in ("bert", "other")}
        for row in tqdm(rows, unit="environment", desc="Compatibility"):
            start = time.monotonic()
            outcome = check(row, Path(folder) / row.tokenizer, wav, logits[row.tokenizer], options.quick)
            failed |= outcome.startswith("FAILED")
            tqdm.write(f"{row.name:50s} {outcome}  ({time.monotonic() - start:.0f} s)", file=sys.stdout)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

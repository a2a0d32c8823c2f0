"""Whether a release works for somebody who has transformers and not this package."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from datasets import Audio, Dataset, Features, Value

from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import EmoSpeechProcessor


STRANGER = Path(__file__).with_name("stranger.py")
TOLERANCE = 1e-5
"""Largest difference of logits between here and there; on one machine there is none."""


class ReleaseError(ValueError):
    """A release that a stranger could not use, or that differs from what it says of itself."""


def run_stranger(model: str | Path, rows: Dataset, offline: bool = True) -> dict[str, Any]:
    """
    Score rows with a release in a process that cannot reach this package.

    Args:
        model (`str` or `Path`): release folder, or id on the Hub with an optional `@revision`.
        rows (`Dataset`): with the columns `audio` and `text`.
        offline (`bool`, *optional*, defaults to `True`): keep that process from the network.

    Returns:
        `dict`: `logits`, of shape (rows, classes), `labels`, `temperature`, and the `versions` of torch and
        transformers.

    Raises:
        ReleaseError: With what the process said, if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows.save_to_disk(f"{folder}/rows")
        output = Path(folder, "output.json")
        environment = {
            **os.environ,
            # Its code is taken out anew, and not left among the user's.
            "HF_MODULES_CACHE": f"{folder}/modules",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            **({"HF_HUB_OFFLINE": "1"} if offline else {}),
        }
        where = str(Path(model).resolve()) if Path(model).is_dir() else str(model)
        done = subprocess.run(  # noqa: S603 (this Python, this package's own script)
            [sys.executable, str(STRANGER), where, f"{folder}/rows", str(output)],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=environment,
        )
        if done.returncode != 0:
            said = "\n".join(done.stderr.strip().splitlines()[-8:])
            raise ReleaseError(f"{model} does not work in a process without this package:\n{said}")
        result: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return result


def check_release(folder: Path, model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor) -> None:
    """
    Load a release as a stranger does, by all its entries, and compare its logits with the model's own.

    Args:
        folder (`Path`): the release.
        model ([`EmoSpeechForEmotionClassification`]), processor ([`EmoSpeechProcessor`]): what was released.

    Raises:
        ReleaseError: If it does not load, or gives other logits.
    """
    rows = _probe()
    result = run_stranger(folder, rows)
    given = {"audio": rows[:]["audio"], "text": rows[:]["text"]}
    inputs = processor(**given, return_tensors="pt")
    model = model.cpu().eval()
    with torch.no_grad():
        own = model(**inputs).logits.float().numpy()
    difference = float(np.abs(own - np.array(result["logits"])).max())
    if not difference <= TOLERANCE:
        raise ReleaseError(f"{folder} gives other logits than the model it was made of: they differ by {difference}.")


def _probe() -> Dataset:
    """Two utterances that no model was made for, and every model has something to say of: noise, and few words."""
    generator = np.random.default_rng(0)
    times = np.arange(16_000) / 16_000
    sounds = [generator.normal(0, 0.1, 12_000), 0.3 * np.sin(2 * np.pi * 180 * times)]
    columns = {"audio": [_as_wav(sound) for sound in sounds], "text": ["hola", "¡Qué alegría verte!"]}
    features = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}, "text": Value("string")})
    return Dataset.from_dict(columns, features=features).cast_column("audio", Audio(decode=False))


def _as_wav(samples: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV")
    return {"bytes": file.getvalue(), "path": None}

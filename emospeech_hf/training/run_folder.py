"""The folder of a training run: what it is a run of, whether it may be written to, and the model that is in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import EmoSpeechProcessor
from .adapters import merge_low_rank
from .building import build_model, build_processor, limit_text_length
from .checkpoint import load_checkpoint, set_trained_weights
from .recipe import Recipe
from .recipe_files import recipe_from_dict
from .report import METRICS_FILE, PICTURES, PREDICTIONS_FILE


RUN_FILE = "run.json"


@dataclass(kw_only=True)
class RunOptions:
    """
    What of a run is not part of the experiment.

    Args:
        data (`str`): folder or Hub id of the corpus.
        output_dir (`Path`): folder of all that the run writes.
        data_revision (`str`, *optional*): commit, branch or tag of the corpus on the Hub.
        auxiliary_data (`Sequence[str]`, *optional*): folders or Hub ids (`user/name@revision` pins one) of other
            corpora to train on as well, never to test on.
        cache_dir (`Path`, *optional*): folder of features that are computed once; by default in `output_dir`. Runs
            that share it share features.
        resume (`bool`): go on from the last checkpoint.
        overwrite (`bool`): start anew where `output_dir` holds a run.
        skip_bad_rows (`bool`): leave out rows that cannot be used, and list them in `rejected.csv`.
        release (`bool`): build the release folder; without it, `emospeech release` still can.
    """

    data: str
    output_dir: Path
    data_revision: str | None = None
    auxiliary_data: Sequence[str] = ()
    cache_dir: Path | None = None
    resume: bool = False
    overwrite: bool = False
    skip_bad_rows: bool = False
    release: bool = True


def run_description(recipe: Recipe, options: RunOptions) -> dict[str, Any]:
    """
    Args:
        recipe ([`Recipe`]), options ([`RunOptions`]): of the run.

    Returns:
        `dict`: what stands in `run.json`; two runs are the same if theirs are.
    """
    description = {"recipe": recipe.as_dict(), "data": options.data, "data_revision": options.data_revision}
    auxiliary = {"auxiliary_data": list(options.auxiliary_data)} if options.auxiliary_data else {}
    return {**description, **auxiliary}


def check_output_dir(output_dir: Path, description: dict[str, Any], options: RunOptions) -> None:
    """
    Refuse to write over another run, or to go on with a run of something else.

    Args:
        output_dir (`Path`): the run's folder.
        description (`dict`): what the run is: recipe and data.
        options ([`RunOptions`]): whether to resume or to overwrite.

    Raises:
        FileExistsError: If the folder holds a run, and neither `resume` nor `overwrite` is set.
        ValueError: If the run to resume has another recipe or other data.
    """
    run_file = output_dir / RUN_FILE
    if not run_file.is_file():
        return
    earlier, own = flat(json.loads(run_file.read_text(encoding="utf-8"))), flat(description)
    different = sorted(name for name in earlier.keys() | own.keys() if earlier.get(name) != own.get(name))
    if options.resume and different:
        raise ValueError(
            f"{output_dir} holds another run; it differs in {', '.join(different)}. Resume it with the same settings, "
            "or give another --output_dir."
        )
    if not options.resume and not options.overwrite:
        raise FileExistsError(
            f"{output_dir} holds a run. Go on with it (--resume), replace it (--overwrite), or give another "
            "--output_dir."
        )


def remove_run(output_dir: Path) -> None:
    """
    Remove what an earlier run wrote, so that none of it can be taken for the new run's. The features' cache stays.

    Args:
        output_dir (`Path`): the run's folder.
    """
    for name in ("checkpoints", "release", "logs"):
        shutil.rmtree(output_dir / name, ignore_errors=True)
    for name in (METRICS_FILE, PREDICTIONS_FILE, *PICTURES):
        (output_dir / name).unlink(missing_ok=True)


def load_run(output_dir: Path) -> tuple[EmoSpeechForEmotionClassification, EmoSpeechProcessor, dict[str, Any] | None]:
    """
    The best epoch of a run, also of one that was stopped before its end.

    Args:
        output_dir (`Path`): the run's folder.

    Returns:
        `tuple`: model, processor, and `metrics.json`, or `None` where the run did not come to it.

    Raises:
        FileNotFoundError: If the folder holds no run, or no epoch of it was finished.
    """
    run_file, best, metrics_file = (
        output_dir / RUN_FILE,
        output_dir / "checkpoints" / "best",
        output_dir / METRICS_FILE,
    )
    if not run_file.is_file():
        raise FileNotFoundError(f"{output_dir} holds no run: there is no {RUN_FILE} in it.")
    if not (best / "state.json").is_file():
        raise FileNotFoundError(
            f"{output_dir}: no epoch was finished, so there is nothing to release. Train with --resume."
        )
    recipe = recipe_from_dict(json.loads(run_file.read_text(encoding="utf-8"))["recipe"], str(run_file))
    processor = build_processor(recipe.model)
    model = build_model(recipe.model)
    limit_text_length(processor, model)
    weights, _ = load_checkpoint(best)
    set_trained_weights(model, weights)
    merge_low_rank(model)
    metrics = json.loads(metrics_file.read_text(encoding="utf-8")) if metrics_file.is_file() else None
    if metrics is not None and "temperature" in metrics:
        model.config.temperature = metrics["temperature"]["value"]
        model.config.window_seconds = metrics.get("window_seconds")
    return model.eval(), processor, metrics


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """
    Args:
        content (`dict`): of dictionaries within dictionaries.
        prefix (`str`, *optional*): stands before each name.

    Returns:
        `dict`: names joined by dots to values, those that are no plain ones as text.
    """
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}."))
        else:
            found[f"{prefix}{name}"] = value if isinstance(value, (int, float, str, bool)) else str(value)
    return found

"""The folder of a Space: the page, what it needs, and the model that it shows."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..hub.cards import space_card
from ..safe_writing import replaced_folder, write_json
from .app import TASK, example_clips


REQUIREMENTS = ("transformers", "torch", "librosa", "soundfile")


def build_space(
    model: str,
    revision: str,
    to: str | Path,
    metrics: dict[str, Any] | None = None,
    examples: Path | None = None,
    transcriber: str | None = None,
) -> Path:
    """
    Write the folder of a Gradio Space.

    Args:
        model (`str`): the model's id on the Hub.
        revision (`str`): its commit, branch or tag.
        to (`str` or `Path`): the folder, written aside and renamed into place.
        metrics (`dict`, *optional*): the release's `metrics.json`, of which the calibration is taken along.
        examples (`Path`, *optional*): folder of recordings, each with its transcript beside it as `.txt`.
        transcriber (`str`, *optional*): id on the Hub of a speech recogniser, for recordings without a transcript.

    Returns:
        `Path`: the folder.
    """
    to = Path(to)
    with replaced_folder(to) as folder:
        shutil.copyfile(Path(__file__).with_name("app.py"), folder / "app.py")
        calibration = (metrics or {}).get("calibration")
        settings = {
            "model": model,
            "revision": revision,
            "transcriber": transcriber,
            "metrics": {"calibration": calibration} if calibration else None,
        }
        write_json(folder / "page.json", settings)
        requirements = "".join(f"{name}=={version(name)}\n" for name in REQUIREMENTS)
        (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
        for clip, _ in example_clips(examples):
            (folder / "examples").mkdir(exist_ok=True)
            for file in (Path(clip), Path(clip).with_suffix(".txt")):
                shutil.copyfile(file, folder / "examples" / file.name)
        card = space_card(model, revision, version("gradio"), TASK)
        (folder / "README.md").write_text(card, encoding="utf-8")
    return to

"""Model cards, filled from what was measured and nothing else."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData, ModelCard, ModelCardData
from jinja2 import Environment, StrictUndefined

from ..configuration_emospeech import EMOTIONS, TASK, EmoSpeechConfig


def model_card(config: EmoSpeechConfig, metrics: Mapping[str, Any] | None, pictures: Sequence[str] = ()) -> str:
    """
    Fill the template `model_cards/model_card.md`.

    Args:
        config ([`EmoSpeechConfig`]): of the released model.
        metrics (`Mapping`, *optional*): `metrics.json` of the run. What it lacks the card says is not measured.
        pictures (`Sequence[str]`, *optional*): names of the pictures that lie beside the card.

    Returns:
        `str`: the card, with the metadata that the Hub reads.

    Raises:
        jinja2.UndefinedError: If the template names a figure that the metrics do not hold.
    """
    metrics = dict(metrics or {})
    # Ids of the Hub have a namespace; a run names a local folder by its last part alone.
    encoders = [name for name in metrics.get("encoders", {}).values() if name and "/" in name]
    data = ModelCardData(
        language="es",
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=["emotion-recognition", "speech", TASK, "emospeech"],
        base_model=encoders or None,
    )
    body = _render(
        "model_card.md",
        task=TASK,
        modalities=config.modalities,
        labels=[config.id2label[index] for index in range(config.num_labels)],
        config=config,
        metrics=metrics,
        evaluations={name: metrics[name] for name in ("test", "validation") if name in metrics},
        pictures=pictures,
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def dataset_card(
    title: str, summary: str, license_name: str, citation: str, statistics: Mapping[str, Mapping[str, Any]]
) -> str:
    """
    Fill the template `model_cards/dataset_card.md`.

    Args:
        title, summary, license_name, citation (`str`): of the corpus.
        statistics (`Mapping`): split to `rows`, `without_audio`, `groups` and `labels`, as counted.

    Returns:
        `str`: the card, with the metadata that the Hub reads.
    """
    data = DatasetCardData(
        language="es",
        license=license_name,
        pretty_name=title,
        task_categories=["audio-classification", "text-classification"],
        tags=["emotion-recognition", "speech", "emospeech"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in statistics],
            }
        ],
    )
    has_audio = any(numbers["rows"] > numbers["without_audio"] for numbers in statistics.values())
    body = _render(
        "dataset_card.md",
        title=title,
        summary=summary,
        citation=citation,
        statistics=statistics,
        labels=EMOTIONS,
        has_audio=has_audio,
    )
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def _render(template: str, **values: Any) -> str:
    # Markdown for the Hub, not HTML; a name that no value was given for is an error.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    return environment.from_string(card_template(template)).render(**values)


def card_template(name: str) -> str:
    """
    Args:
        name (`str`): file name in `model_cards/`.

    Returns:
        `str`: the template; a built package carries the folder inside itself, a checkout beside itself.
    """
    package = importlib.resources.files("emospeech_hf")
    inside = package / "model_cards" / name
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(str(package)).parent / "model_cards" / name).read_text(encoding="utf-8")

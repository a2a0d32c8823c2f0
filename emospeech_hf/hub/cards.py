"""Model cards, filled from what was measured and nothing else."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import (
    DatasetCard,
    DatasetCardData,
    EvalResult,
    ModelCard,
    ModelCardData,
    SpaceCard,
    SpaceCardData,
)
from jinja2 import Environment, StrictUndefined

from ..configuration_emospeech import EMOTIONS, TASK, EmoSpeechConfig


MODEL_ID = "user/model"
"""Stands in a card for the repository until the release is pushed to one."""


def model_card(
    config: EmoSpeechConfig,
    metrics: Mapping[str, Any] | None,
    pictures: Sequence[str] = (),
    size: Mapping[str, Any] | None = None,
    license_name: str | None = None,
    loads_in_4: bool = False,
) -> str:
    """
    Fill the template `model_cards/model_card.md`.

    Args:
        config ([`EmoSpeechConfig`]): of the released model.
        metrics (`Mapping`, *optional*): `metrics.json` of the run. What it lacks the card says is not measured.
        pictures (`Sequence[str]`, *optional*): names of the pictures that lie beside the card.
        size (`Mapping`, *optional*): `parameters` and `megabytes` of the weights.
        license_name (`str`, *optional*): of the weights, as the Hub names it. A licence of the training data that
            forbids commercial use takes its place.
        loads_in_4 (`bool`, *optional*, defaults to `False`): whether transformers 4.57 loads it.

    Returns:
        `str`: the card, with the metadata that the Hub reads.

    Raises:
        jinja2.UndefinedError: If the template names a figure that the metrics do not hold.
    """
    metrics = dict(metrics or {})
    data = metrics.get("data") or {}
    corpora = [*([data] if data else []), *metrics.get("auxiliary", [])]
    non_commercial = [corpus["license"] for corpus in corpora if "-nc" in (corpus.get("license") or "").lower()]
    license_name = non_commercial[0] if non_commercial else license_name
    # Ids of the Hub have a namespace; a run names a local folder by its last part alone.
    encoders = [name for name in metrics.get("encoders", {}).values() if name and "/" in name]
    scored = metrics.get(metrics.get("scored_split") or "")
    card_data = ModelCardData(
        language="es",
        license=license_name,
        library_name="transformers",
        pipeline_tag="audio-classification" if config.uses_speech else "text-classification",
        tags=["emotion-recognition", *(["speech"] if config.uses_speech else []), TASK, "emospeech", "custom_code"],
        base_model=encoders or None,
        datasets=[corpus["hub_id"] for corpus in corpora if corpus.get("hub_id")] or None,
        metrics=["f1", "accuracy"] if scored else None,
        model_name=MODEL_ID.split("/")[1] if scored else None,
        eval_results=_eval_results(metrics, config) if scored else None,
    )
    body = _render(
        "model_card.md",
        task=TASK,
        model_id=MODEL_ID,
        modalities=config.modalities,
        labels=[config.id2label[index] for index in range(config.num_labels)],
        config=config,
        metrics=metrics,
        scored=scored,
        evaluations={name: metrics[name] for name in ("test", "validation") if name in metrics},
        pictures=pictures,
        size=dict(size) if size is not None else None,
        license=license_name,
        non_commercial=bool(non_commercial),
        encoders=encoders,
        loads_in_4=loads_in_4,
    )
    return str(ModelCard(f"---\n{card_data.to_yaml()}\n---\n\n{body}\n"))


def _eval_results(metrics: Mapping[str, Any], config: EmoSpeechConfig) -> list[EvalResult]:
    """The `model-index`: each measured split, its macro-F1 with the interval, and its accuracy."""
    data = metrics.get("data") or {"name": "unknown", "hub_id": None, "revision": None}
    return [
        EvalResult(
            task_type="audio-classification" if config.uses_speech else "text-classification",
            task_name="Emotion recognition",
            dataset_type=data["hub_id"] or "unpublished",
            dataset_name=data["name"],
            dataset_split=split,
            dataset_revision=data["revision"],
            metric_type=kind,
            metric_name=name,
            metric_value=metrics[split][name],
            metric_args={"interval_95": metrics[split][f"{name}_interval"]}
            if metrics[split].get(f"{name}_interval")
            else None,
        )
        for split in ("test", "validation")
        if split in metrics
        for kind, name in (("f1", "macro_f1"), ("f1", "weighted_f1"), ("accuracy", "accuracy"))
    ]


def dataset_card(
    title: str,
    summary: str,
    license_name: str,
    citation: str,
    statistics: Mapping[str, Mapping[str, Any]],
    language: str = "es",
) -> str:
    """
    Fill the template `model_cards/dataset_card.md`.

    Args:
        title, summary, license_name, citation (`str`): of the corpus.
        statistics (`Mapping`): split to `rows`, `without_audio`, `groups` and `labels`, as counted.
        language (`str`, *optional*, defaults to `"es"`): in which it is spoken, as ISO 639-1 names it.

    Returns:
        `str`: the card, with the metadata that the Hub reads.
    """
    data = DatasetCardData(
        language=language,
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


def space_card(model: str, revision: str, gradio_version: str, task: str = TASK) -> str:
    """
    Fill the template `model_cards/space_card.md`.

    Args:
        model (`str`), revision (`str`): the model that the Space shows.
        gradio_version (`str`): that its page was made for.
        task (`str`, *optional*): of the model.

    Returns:
        `str`: the card, with the metadata that the Hub runs the Space by.
    """
    data = SpaceCardData(
        title="Emotion in Spanish speech",
        sdk="gradio",
        sdk_version=gradio_version,
        app_file="app.py",
        license="apache-2.0",
        models=[model],
        tags=["emotion-recognition", "speech", task, "emospeech"],
    )
    body = _render("space_card.md", model=model, revision=revision)
    return str(SpaceCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def _render(template: str, **values: Any) -> str:
    # Markdown for the Hub, not HTML; a name that no value was given for is an error.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    return environment.from_string(packaged_text(f"model_cards/{template}")).render(**values)


def packaged_text(name: str) -> str:
    """
    Args:
        name (`str`): a file that a built package carries inside itself, and a checkout beside itself:
            `model_cards/...` or `LICENSE`.

    Returns:
        `str`: its content.
    """
    package = importlib.resources.files("emospeech_hf")
    inside = package.joinpath(*name.split("/"))
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(str(package)).parent / name).read_text(encoding="utf-8")

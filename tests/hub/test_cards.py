"""Cards say what was measured, and that nothing was where nothing was."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard
from jinja2 import UndefinedError

from emospeech_hf import EMOTIONS, EmoSpeechConfig
from emospeech_hf.evaluation import compute_metrics
from emospeech_hf.hub.cards import dataset_card, model_card
from emospeech_hf.training import load_recipe


def metrics() -> dict[str, object]:
    recipe = load_recipe("task2").as_dict()
    return {
        "recipe": recipe,
        "encoders": {"text": recipe["model"]["text_encoder"], "speech": None},
        "split": {
            "method": "random",
            "rows": {"train": 90, "test": 10},
            "groups": {"train": 5, "test": 3},
            "leaks": {"test": 7},
        },
        "epochs": 3,
        "best_epoch": 2,
        "test": compute_metrics([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 4], EMOTIONS),
    }


def test_measured() -> None:
    scores = metrics()
    card = model_card(EmoSpeechConfig(), scores, ["confusion_matrix.png"])
    assert f"macro-F1 {scores['test']['macro_f1']:.3f}" in card
    assert "7 of 10 test rows share a speaker or video with train" in card
    assert "![confusion_matrix.png](confusion_matrix.png)" in card
    data = ModelCard(card).data
    assert data.language == "es"
    assert data.base_model == ["google-bert/bert-base-multilingual-cased"]
    assert data.pipeline_tag == "audio-classification"


def test_nothing_measured() -> None:
    card = model_card(EmoSpeechConfig(text_config=None), None)
    assert "Nothing was measured" in card
    assert "Nothing was recorded about the training" in card
    assert "macro-F1" not in card
    assert '"text":' not in card  # it hears only


def test_a_figure_that_is_not_there_cannot_be_stated() -> None:
    scores = metrics()
    del scores["test"]["weighted_f1"]
    with pytest.raises(UndefinedError, match="weighted_f1"):
        model_card(EmoSpeechConfig(), scores)


def test_dataset_card() -> None:
    statistics = {"train": {"rows": 5, "without_audio": 5, "groups": 0, "labels": {"joy": 5}}}
    card = dataset_card("Title", "Summary.", "cc-by-nc-4.0", "Somebody.", statistics)
    assert "none is in this copy" in card
    assert "| train | 5 | 5 | not told | not told | not told | not told | 5 |" in card
    assert ModelCard(card).data.license == "cc-by-nc-4.0"

"""Cards say what was measured, and that nothing was where nothing was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from jinja2 import UndefinedError
from transformers import BertConfig, BertTokenizer

from emospeech_hf import (
    EMOTIONS,
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.data import SplitReport
from emospeech_hf.evaluation import Predictions
from emospeech_hf.hub import build_release
from emospeech_hf.hub.cards import MODEL_ID, dataset_card, model_card
from emospeech_hf.training import load_recipe
from emospeech_hf.training.cost import estimate_energy


def metrics(license_name: str | None = None) -> dict[str, Any]:
    recipe = load_recipe("task2").as_dict()
    split = SplitReport("random", 42, {"train": 90, "test": 12}, {"train": 5, "test": 3}, leaks={"test": 7}).as_dict()
    test = Predictions(
        names=list(EMOTIONS),
        ids=[str(number) for number in range(12)],
        references=[0, 1, 2, 3, 4, 5] * 2,
        predicted=[0, 1, 2, 3, 4, 4] * 2,
        scores=np.eye(6)[[0, 1, 2, 3, 4, 4] * 2],
        groups=["ana", "eva", "leo"] * 4,
        genders=["female", "female", "male"] * 4,
    ).metrics()
    return {
        "recipe": recipe,
        "encoders": {"text": recipe["model"]["text_encoder"], "speech": None},
        "split": split,
        "data": {"name": "Mi corpus", "hub_id": "ana/corpus", "revision": "v1", "license": license_name},
        "epochs": 3,
        "best_epoch": 2,
        "test": test,
        **test,
        "scored_split": "test",
        "minutes": 1.5,
        "energy": estimate_energy(1.5, "cpu", 1),
    }


def test_measured() -> None:
    scores = metrics()
    card = model_card(EmoSpeechConfig(), scores, ["confusion_matrix.png"])
    assert f"macro-F1 {scores['test']['macro_f1']:.3f}" in card
    assert "7 of 12 test rows share a speaker or video with train" in card
    assert "![confusion_matrix.png](confusion_matrix.png)" in card
    data = ModelCard(card).data
    assert data.language == "es"
    assert data.base_model == ["google-bert/bert-base-multilingual-cased"]
    assert data.pipeline_tag == "audio-classification"
    assert data.datasets == ["ana/corpus"]
    assert data.library_name == "transformers"
    assert data.get("license") is None
    assert "no licence was stated" in card
    assert f"su macro-F1 es\n{scores['macro_f1']:.2f}" in card


@pytest.mark.parametrize(("leaks", "told"), [({"test": 0}, True), ({"test": 7}, False), ({}, False)])
def test_a_split_is_called_clean_where_there_is_one(leaks: dict[str, int], told: bool) -> None:
    scores = metrics()
    scores["split"]["leaks"] = leaks
    card = model_card(EmoSpeechConfig(), scores)
    assert ("No speaker and no source video stands on both sides" in card) is told


def test_the_model_index_is_what_the_hub_reads() -> None:
    scores = metrics()
    card = ModelCard(model_card(EmoSpeechConfig(), scores))
    name, results = model_index_to_eval_results(card.data.to_dict()["model-index"])
    assert name == "model"
    found = {result.metric_name: result for result in results}
    assert found["macro_f1"].metric_value == pytest.approx(scores["test"]["macro_f1"])
    assert found["macro_f1"].metric_args == {"interval_95": scores["test"]["macro_f1_interval"]}
    assert (found["macro_f1"].dataset_split, found["macro_f1"].dataset_revision) == ("test", "v1")
    assert found["accuracy"].metric_type == "accuracy"


@pytest.mark.parametrize("wanted", [None, "apache-2.0"])
def test_non_commercial_data_decide_the_licence(wanted: str | None) -> None:
    card = model_card(EmoSpeechConfig(), metrics("cc-by-nc-4.0"), license_name=wanted)
    assert ModelCard(card).data.license == "cc-by-nc-4.0"
    assert "It is for non-commercial use, and so is this model" in card
    assert "hereda su licencia, cc-by-nc-4.0" in " ".join(card.split())
    free = model_card(EmoSpeechConfig(), metrics("cc-by-4.0"), license_name=wanted)
    assert ModelCard(free).data.get("license") == wanted
    assert "non-commercial" not in free


def test_auxiliary_corpora_are_named_and_decide_the_licence_too() -> None:
    voices = {"name": "Voci", "hub_id": "eva/voci", "revision": None, "license": "cc-by-nc-sa-4.0"}
    films = {"name": "Filme", "hub_id": None, "revision": None, "license": None}
    auxiliary = [{**voices, "rows": 30, "groups": 6}, {**films, "rows": 5, "groups": 2}]
    card = model_card(EmoSpeechConfig(), {**metrics("cc-by-4.0"), "auxiliary": auxiliary}, license_name="apache-2.0")
    assert "together 50 % of the loss" in card
    voci = "- Voci ([eva/voci](https://huggingface.co/datasets/eva/voci)): 30 rows of 6 speakers or videos; "
    assert voci + "licence: cc-by-nc-sa-4.0." in card
    assert "- Filme: 5 rows of 2 speakers or videos; licence: not told." in card
    assert "Not all of these corpora allow commercial use" in card
    data = ModelCard(card).data
    assert data.license == "cc-by-nc-sa-4.0"
    assert data.datasets == ["ana/corpus", "eva/voci"]


def test_every_section_is_there_whatever_was_measured() -> None:
    voices = {"name": "Voci", "hub_id": None, "license": None, "rows": 30, "groups": 6}
    for scores in (metrics(), None, {**metrics(), "auxiliary": [voices]}):
        card = model_card(EmoSpeechConfig(), scores)
        assert re.findall(r"^## (.*)$", card, re.MULTILINE) == [
            "How to use", "Architecture", "Training data", "Results", "Calibration", "Speed and size",
            "Limits, misuse and law", "Environmental cost", "Licence", "Citation",
        ]  # fmt: skip
        assert card.index("**En español:**") < card.index("The model tells")
        assert "{{" not in card
        assert "{%" not in card
        assert not re.search(r"\n{4,}", card)


@pytest.mark.parametrize("modality", ["both", "speech", "text"])
def test_the_code_of_the_card_runs(
    modality: str,
    text_config: BertConfig,
    tokenizer: BertTokenizer,
    wav: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of it, as copied, with the folder in the place of the repository's name."""
    config = EmoSpeechConfig(
        text_config=None if modality == "speech" else text_config, num_mfcc=0 if modality == "text" else 128
    )
    extractor = EmoSpeechFeatureExtractor(num_mfcc=config.num_mfcc)
    processor = EmoSpeechProcessor(extractor, None if modality == "speech" else tokenizer)
    folder = build_release(EmoSpeechForEmotionClassification(config), processor, tmp_path / MODEL_ID)
    (tmp_path / "utterance.wav").write_bytes(wav.read_bytes())
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102
    assert names["output"].logits.shape == (1, 6)


def test_nothing_measured() -> None:
    card = model_card(EmoSpeechConfig(text_config=None), None)
    assert "Nothing was measured" in card
    assert "Nothing was recorded about the training" in card
    assert not re.search(r"macro-F1 \(|macro-F1 \d", card)
    assert "No se ha medido cuánto acierta" in card
    assert '"text":' not in card  # it hears only


def test_a_figure_that_is_not_there_cannot_be_stated() -> None:
    scores = metrics()
    del scores["test"]["unweighted_average_recall"]
    with pytest.raises(UndefinedError, match="unweighted_average_recall"):
        model_card(EmoSpeechConfig(), scores)


def test_dataset_card() -> None:
    statistics = {"train": {"rows": 5, "without_audio": 5, "groups": 0, "labels": {"joy": 5}}}
    card = dataset_card("Title", "Summary.", "cc-by-nc-4.0", "Somebody.", statistics)
    assert "none is in this copy" in card
    assert "| train | 5 | 5 | not told | not told | not told | not told | 5 |" in card
    assert ModelCard(card).data.license == "cc-by-nc-4.0"


@pytest.mark.parametrize("missing", [True, False])
def test_what_each_modality_tells(missing: bool) -> None:
    config = EmoSpeechConfig(fusion="late", missing_modalities=missing)
    scores = {"speech_and_text": 0.6471, "speech": 0.6724, "text": 0.5444}
    card = model_card(config, {"scored_split": "test", "test": metrics(), "macro_f1_by_modality": scores}, [])
    assert "macro-F1 with all that there is 0.647, speech alone 0.672, text alone 0.544" in card
    assert ("One modality may be missing" in card) is missing
    assert ("la voz, la transcripción o ambas" in card) is missing
    assert "fusion `late`, classifier" in card

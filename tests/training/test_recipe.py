"""Recipes are checked before anything is loaded, and errors name the nearest known field."""

from __future__ import annotations

from pathlib import Path

import pytest

from emospeech_hf.training import RecipeError, load_recipe, recipe_from_dict, recipe_names


def test_the_papers_numbers() -> None:
    task1, task2 = load_recipe("task1"), load_recipe("task2")
    assert task1.model.text_encoder == "dccuchile/bert-base-spanish-wwm-cased"
    assert (task1.model.num_mfcc, task1.model.freeze_text_encoder) == (0, False)
    training = task1.training
    assert (training.epochs, training.learning_rate, training.epsilon, training.seed) == (15, 3e-6, 1e-9, 42)
    assert (training.optimizer, task1.data.validation_fraction) == ("adamw", 0.1)
    model, training = task2.model, task2.training
    assert (model.num_mfcc, model.fusion, model.fusion_dim, model.classifier_dim) == (128, "concat", 256, 256)
    assert (model.classifier_dropout, model.text_pooling, model.freeze_text_encoder) == (0.5, "mean", True)
    assert (training.epochs, training.learning_rate, training.optimizer) == (150, 1e-3, "adam")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_and_describes_itself(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert len(recipe.description) > 40
    assert recipe_from_dict(recipe.as_dict()) == recipe


def test_overrides() -> None:
    recipe = load_recipe(
        "task2", ["learning_rate=1e-4", "training.epochs=3", "data.split=random", "trackers=[]", "text_encoder="]
    )
    assert (recipe.training.learning_rate, recipe.training.epochs, recipe.data.split) == (1e-4, 3, "random")
    assert recipe.training.trackers == []
    assert recipe.model.text_encoder is None
    assert load_recipe("task2", ["name=mine"]).name == "mine"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["learning_rat=1"], "no field 'learning_rat'. Did you mean 'learning_rate'"),
        (["training.epoch=1"], "Did you mean 'training.epochs'"),
        (["optimiser.kind=adam"], "no field 'optimiser.kind'"),
        (["learning_rate"], "write field=value"),
        (["learning_rate=fast"], "training.learning_rate is 'fast'"),
        (["learning_rate=-1"], "training.learning_rate is -1.*greater than 0"),
        (["epochs=0"], "training.epochs is 0"),
        (["optimizer=sgd"], "training.optimizer is 'sgd'.*'adam' or 'adamw'"),
        (["split=by_moon"], "data.split is 'by_moon'.*'grouped'"),
    ],
)
def test_bad_settings(settings: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("task2", settings)


def test_yaml_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("training: {epochs: 2}\n", encoding="utf-8")
    recipe = load_recipe(path)
    assert (recipe.name, recipe.training.epochs) == ("mine", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training: {lerning_rate: 1}", "Did you mean 'training.learning_rate'"),
        ("trainig: {epochs: 1}", "Did you mean 'training'"),
        ("just words", "a recipe is a mapping"),
        ("a: [1", "no YAML"),
        ("model: {num_mfcc: many}", "model.num_mfcc is 'many'"),
    ],
)
def test_bad_files(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_no_such_recipe(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError,
        match=r"Did you mean 'task1'.*bsc_upc, demo, multimodal_best, speech_only, task1, task1_best, task2",
    ):
        load_recipe("taks1")
    with pytest.raises(RecipeError, match="no such recipe file"):
        load_recipe(tmp_path / "none.yaml")


def test_settings_that_do_not_fit_each_other() -> None:
    with pytest.raises(RecipeError, match=r"early_stopping needs training\.keep=best"):
        load_recipe("task2", ["keep=last", "early_stopping=3"])
    with pytest.raises(RecipeError, match="text_masking needs a text encoder that is trained"):
        load_recipe("task2", ["text_masking=0.1"])
    with pytest.raises(RecipeError, match=r"standardize needs frozen encoders: set freeze_text_encoder=true"):
        load_recipe("task1", ["standardize=true"])
    with pytest.raises(RecipeError, match=r"text_pooling=attention learns"):
        load_recipe("task2", ["text_pooling=attention"])


def test_no_mixed_precision_is_no_boolean() -> None:
    """As it stands in a setting; YAML reads it as false."""
    assert load_recipe("task1_best", ["mixed_precision=no"]).training.mixed_precision == "no"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["reverberation=0.5"], "reverberation needs a speech encoder that is trained"),
        (["speed_factors=[0.9,1.1]", "num_mfcc=13"], "speed_factors with a frozen encoder"),
        (["frozen_speech_layers=2"], "frozen_speech_layers needs an encoder that is trained"),
        (["speech_lora_rank=8"], "speech_lora_rank needs an encoder that is trained"),
        (
            ["freeze_speech_encoder=false", "standardize=false", "center_speakers=false", "speech_lora_rank=8",
             "frozen_speech_layers=2"],
            "set frozen_speech_layers=0",
        ),
        (["modality_dropout=0.5"], "modality_dropout needs missing_modalities=true"),
        (["missing_modalities=true"], "needs a model that hears and reads"),
        (["noise_snr=[5]"], "noise_snr is"),
    ],
)  # fmt: skip
def test_fields_that_do_not_fit_together(settings: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("speech_only", settings)

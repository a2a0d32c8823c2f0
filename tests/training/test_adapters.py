"""What of an encoder is trained; low-rank additions that end up in the weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from emospeech_hf.training import RunOptions, load_recipe, load_run, train
from emospeech_hf.training.adapters import merge_low_rank
from emospeech_hf.training.building import build_model
from emospeech_hf.training.recipe import ModelRecipe, RecipeError


def recipe(text_encoder: Path, speech_encoder: Path, **fields: object) -> ModelRecipe:
    settings = {"freeze_text_encoder": False, "freeze_speech_encoder": False, "fusion_dim": 8, "num_mfcc": 0, **fields}
    return ModelRecipe(text_encoder=str(text_encoder), speech_encoder=str(speech_encoder), **settings)


def trained(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_lower_layers_stay(text_encoder_dir: Path, speech_encoder_dir: Path) -> None:
    made = build_model(recipe(text_encoder_dir, speech_encoder_dir, frozen_text_layers=1, frozen_speech_layers=2))
    names = trained(made.emospeech)
    assert not any(".embeddings." in name or ".layer.0." in name or ".conv" in name for name in names)
    assert any("text_encoder.encoder.layer.1." in name for name in names)
    assert {name for name in names if "speech_encoder" in name} == {
        "speech_encoder.layer_norm.weight",
        "speech_encoder.layer_norm.bias",
    }
    with pytest.raises(RecipeError, match="frozen_speech_layers is 3; this encoder has 2 layers"):
        build_model(recipe(text_encoder_dir, speech_encoder_dir, frozen_speech_layers=3))


def test_low_rank_additions_change_nothing_at_first_and_end_up_in_the_weights(
    text_encoder_dir: Path, speech_encoder_dir: Path
) -> None:
    torch.manual_seed(0)
    plain = build_model(recipe(text_encoder_dir, speech_encoder_dir)).eval()
    made = build_model(recipe(text_encoder_dir, speech_encoder_dir, text_lora_rank=2, speech_lora_rank=2)).eval()
    names = {name for name in trained(made.emospeech) if "_encoder." in name}
    assert names
    assert all("lora_" in name for name in names)
    inputs = {
        "input_ids": torch.tensor([[2, 5, 6, 3]]),
        "input_features": torch.randn(1, made.config.speech_config.num_mel_bins, 60),
    }
    embeddings = [model.emospeech(**inputs) for model in (plain, made)]
    torch.testing.assert_close(embeddings[0].text_embeds, embeddings[1].text_embeds)
    torch.testing.assert_close(embeddings[0].speech_embeds, embeddings[1].speech_embeds)
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    changed = made(**inputs).logits
    merge_low_rank(made)
    assert made.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(made(**inputs).logits, changed, atol=1e-5, rtol=1e-4)


def test_a_run_with_low_rank_additions_is_released_without_them(
    shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path
) -> None:
    settings = [
        f"text_encoder={text_encoder_dir}", "text_revision=", "text_lora_rank=2", "epochs=2", "trackers=[]",
        "validation_fraction=0.25", "gradient_checkpointing=true",
    ]  # fmt: skip
    options = RunOptions(data=str(shared_corpus_dir), output_dir=tmp_path / "run")
    metrics = train(load_recipe("task1", settings), options)
    assert metrics["parameters"]["trained"] < 0.5 * metrics["parameters"]["all"]
    loaded, _, _ = load_run(tmp_path / "run")
    from transformers import AutoModelForAudioClassification

    released = AutoModelForAudioClassification.from_pretrained(tmp_path / "run/release")
    start = build_model(load_recipe("task1", settings[:2]).model)
    key = "emospeech.text_encoder.encoder.layer.0.attention.self.query.weight"
    assert torch.equal(released.state_dict()[key], loaded.state_dict()[key])
    assert not torch.equal(released.state_dict()[key], start.state_dict()[key])


def test_without_peft_the_cure_is_named(
    text_encoder_dir: Path, speech_encoder_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r"pip install 'emospeech-hf\[lora\]'"):
        build_model(recipe(text_encoder_dir, speech_encoder_dir, text_lora_rank=2))

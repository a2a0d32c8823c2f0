"""Learning rates of the parts of a model; the moving average of its weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import BertConfig, Wav2Vec2Config, WhisperConfig

from emospeech_hf import EmoSpeechConfig, EmoSpeechForEmotionClassification
from emospeech_hf.training.optimization import WeightAverage, build_optimizer
from emospeech_hf.training.recipe import TrainingRecipe


def rates(model: nn.Module, **settings: object) -> dict[str, float]:
    optimizer = build_optimizer(model, TrainingRecipe(**settings))  # type: ignore[arg-type]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(parameter)]: group["lr"] for group in optimizer.param_groups for parameter in group["params"]}


def test_one_rate_for_all(model: EmoSpeechForEmotionClassification) -> None:
    assert set(rates(model, learning_rate=0.5).values()) == {0.5}
    optimizer = build_optimizer(model, TrainingRecipe(learning_rate=0.5))
    assert len(optimizer.param_groups) == 1


def test_layers(text_config: BertConfig, whisper_config: WhisperConfig) -> None:
    """Two layers each: the upper learns at the full rate, what lies before them slowest, the head as it is told."""
    config = EmoSpeechConfig(text_config=text_config, speech_config=whisper_config, fusion_dim=8)
    own = rates(EmoSpeechForEmotionClassification(config), learning_rate=1.0, layer_decay=0.5, head_learning_rate=3.0)
    expected = {
        "emospeech.text_encoder.embeddings.word_embeddings.weight": 0.25,
        "emospeech.text_encoder.encoder.layer.0.output.dense.weight": 0.5,
        "emospeech.text_encoder.encoder.layer.1.output.dense.weight": 1.0,
        "emospeech.speech_encoder.conv1.weight": 0.25,
        "emospeech.speech_encoder.layers.0.fc1.weight": 0.5,
        "emospeech.speech_encoder.layers.1.fc1.weight": 1.0,
        "emospeech.speech_encoder.layer_norm.weight": 1.0,
        "emospeech.fusion.projections.0.weight": 3.0,
        "classifier.0.weight": 3.0,
    }
    assert {name: own[name] for name in expected} == expected


def test_layers_of_an_encoder_with_convolutions() -> None:
    speech = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16, conv_dim=(8, 8),
        conv_kernel=(4, 4), conv_stride=(2, 2), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None, speech_config=speech))
    own = rates(model, learning_rate=1.0, layer_decay=0.5)
    prefix = "emospeech.speech_encoder."
    assert own[f"{prefix}encoder.layers.0.attention.k_proj.weight"] == 0.25
    assert own[f"{prefix}encoder.layers.2.attention.k_proj.weight"] == 1.0
    # These lie in numbered layers, too, but before the encoder's own.
    for name, rate in own.items():
        if name.startswith((f"{prefix}feature_extractor.", f"{prefix}encoder.pos_conv_embed")):
            assert rate == 0.125, name


def test_frozen_parameters_are_left_out(model: EmoSpeechForEmotionClassification) -> None:
    model.emospeech.text_encoder.requires_grad_(False)
    assert not any("text_encoder" in name for name in rates(model))


def test_average_by_hand() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 1.0)
    average = WeightAverage(layer, 0.5)
    expected = 1.0
    for step, value in enumerate((2.0, 4.0, -1.0), start=1):
        nn.init.constant_(layer.weight, value)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average.averages["weight"].item() == pytest.approx(expected)
    with average.in_place():
        assert layer.weight.item() == pytest.approx(expected)
    assert layer.weight.item() == -1.0
    other = WeightAverage(layer, 0.5)
    other.load(average.on_cpu(), average.steps)
    other.update()
    average.update()
    torch.testing.assert_close(other.averages, average.averages)

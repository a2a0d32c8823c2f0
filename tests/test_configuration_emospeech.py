"""The config: defaults of the paper, composition, round trip, bad values."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoConfig, BertConfig, WhisperConfig

from emospeech_hf import EMOTIONS, EmoSpeechConfig


def test_defaults_are_the_papers() -> None:
    config = EmoSpeechConfig()
    assert (config.num_mfcc, config.fusion, config.fusion_dim, config.classifier_dim) == (128, "concat", 256, 256)
    assert (config.classifier_dropout, config.text_pooling, config.text_config.hidden_size) == (0.5, "mean", 768)
    assert config.id2label == dict(enumerate(EMOTIONS))
    assert config.modalities == ("speech", "text")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"text_config": None},
        {"num_mfcc": 0},
        {"num_mfcc": 0, "text_config": None, "speech_config": WhisperConfig(d_model=8)},
        {"text_config": {"model_type": "roberta", "hidden_size": 12}, "temperature": 1.7, "fusion": "none"},
        {"num_labels": 3},
    ],
)
def test_round_trip(arguments: dict[str, object], tmp_path: Path) -> None:
    config = EmoSpeechConfig(**arguments)
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(loaded, EmoSpeechConfig)
    assert loaded.modalities == config.modalities
    assert {**loaded.to_dict(), "_name_or_path": ""} == {**config.to_dict(), "_name_or_path": ""}


def test_attention_implementation_reaches_the_encoders() -> None:
    config = EmoSpeechConfig(text_config=BertConfig(), speech_config=WhisperConfig())
    config._attn_implementation = "eager"
    assert config.text_config._attn_implementation == config.speech_config._attn_implementation == "eager"


def test_text_config_is_found_by_transformers(text_config: BertConfig) -> None:
    assert EmoSpeechConfig(text_config=text_config).get_text_config().vocab_size == text_config.vocab_size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text_config": None, "num_mfcc": 0}, "neither hears nor reads"),
        ({"fusion": "addition"}, "concat, none"),
        ({"text_pooling": "max"}, "mean, cls"),
        ({"num_mfcc": -1}, "num_mfcc"),
        ({"fusion_dim": 0}, "fusion_dim"),
        ({"classifier_dropout": 1.0}, "classifier_dropout"),
        ({"temperature": 0.0}, "temperature"),
        ({"text_config": {"hidden_size": 3}}, "model_type"),
    ],
)
def test_bad_values(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmoSpeechConfig(**arguments)


def test_bad_type() -> None:
    with pytest.raises(TypeError, match="text_config"):
        EmoSpeechConfig(text_config=3)

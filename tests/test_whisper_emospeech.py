"""Whisper's encoder on the real length: as the original where that is thirty seconds, and the same alone and padded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from emospeech_hf import EmoSpeechConfig, EmoSpeechFeatureExtractor, EmoSpeechForEmotionClassification
from emospeech_hf.whisper_emospeech import encode_with_whisper

from .conftest import tone


@pytest.fixture
def encoder(whisper_config: WhisperConfig) -> torch.nn.Module:
    torch.manual_seed(0)
    return WhisperModel(whisper_config).get_encoder().eval()


@pytest.fixture
def extractor() -> EmoSpeechFeatureExtractor:
    return EmoSpeechFeatureExtractor(num_mfcc=0, speech_extractor=WhisperFeatureExtractor())


def speech(seconds: float, pitch: float = 220.0) -> dict[str, object]:
    return {"array": tone(seconds, 16_000, pitch), "sampling_rate": 16_000}


def test_thirty_seconds_are_the_originals(encoder: torch.nn.Module, extractor: EmoSpeechFeatureExtractor) -> None:
    inputs = extractor(speech(30.0), return_tensors="pt")
    assert inputs["input_features"].shape == (1, 80, 3000)
    with torch.no_grad():
        own, mask = encode_with_whisper(encoder, inputs["input_features"], inputs["speech_attention_mask"])
        original = encoder(inputs["input_features"], output_hidden_states=True)
    assert mask.all()
    torch.testing.assert_close(own.last_hidden_state, original.last_hidden_state, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(own.hidden_states, original.hidden_states, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_it_runs_on_the_real_length(extractor: EmoSpeechFeatureExtractor, encoder: torch.nn.Module) -> None:
    inputs = extractor(speech(1.23), return_tensors="pt")
    assert inputs["input_features"].shape == (1, 80, 123)
    states, mask = encode_with_whisper(encoder, inputs["input_features"], None)
    assert states.last_hidden_state.shape == (1, 62, 16)
    assert mask.shape == (1, 62)


@pytest.mark.parametrize(("layers", "run"), [([0, 2], 2), ([3], 3), ([0], 0), ([1, 4], 4), ([1, -1], 4), (None, 4)])
def test_no_more_layers_are_run_than_are_chosen(
    layers: list[int] | None, run: int, whisper_config: WhisperConfig, extractor: EmoSpeechFeatureExtractor
) -> None:
    torch.manual_seed(0)
    encoder_config = {**whisper_config.to_dict(), "encoder_layers": 4}
    config = EmoSpeechConfig(text_config=None, speech_config=encoder_config, num_mfcc=0, speech_layers=layers)
    backbone = EmoSpeechForEmotionClassification(config).eval().emospeech
    count: list[int] = []
    for layer in backbone.speech_encoder.layers:
        layer.register_forward_hook(lambda *_: count.append(1))
    inputs = extractor(speech(1.0), return_tensors="pt")
    with torch.no_grad():
        found = backbone.get_speech_features(**inputs)
        assert len(count) == run
        everything = backbone(**inputs, output_hidden_states=True)
        assert len(count) == run + 4
    chosen = [everything.speech_hidden_states[layer] for layer in layers or [-1]]
    assert len(everything.speech_hidden_states) == 5
    torch.testing.assert_close(found, torch.cat(chosen, dim=-1).mean(dim=1), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "mean_std", "attention"])
def test_alone_equals_padded(pooling: str, whisper_config: WhisperConfig, extractor: EmoSpeechFeatureExtractor) -> None:
    torch.manual_seed(0)
    config = EmoSpeechConfig(
        text_config=None,
        speech_config=whisper_config.to_dict(),
        num_mfcc=0,
        speech_layers=[0, 1, -1],
        speech_pooling=pooling,
    )
    model = EmoSpeechForEmotionClassification(config).eval()
    assert model.emospeech.source_dims == {"speech": 3 * 16 * (1 if pooling == "mean" else 2)}
    recordings = [speech(seconds, pitch) for seconds, pitch in ((0.71, 200.0), (2.0, 300.0), (0.01, 250.0))]
    with torch.no_grad():
        together = model(**extractor(recordings, return_tensors="pt")).logits
        for recording, expected in zip(recordings, together):
            alone = model(**extractor(recording, return_tensors="pt")).logits[0]
            torch.testing.assert_close(alone, expected, atol=1e-5, rtol=1e-4)


def test_more_than_thirty_seconds_go_through_in_pieces(
    encoder: torch.nn.Module, extractor: EmoSpeechFeatureExtractor
) -> None:
    array = tone(41.0, 16_000)
    inputs = extractor([{"array": array, "sampling_rate": 16_000}, speech(2.0)], return_tensors="pt")
    with torch.no_grad():
        states, mask = encode_with_whisper(encoder, inputs["input_features"], inputs["speech_attention_mask"])
        features = inputs["input_features"][:1, :, 3000:4100]
        second, _ = encode_with_whisper(encoder, features, None)
    assert mask.sum(dim=1).tolist() == [2050, 100]
    torch.testing.assert_close(
        states.last_hidden_state[0, 1500:2050], second.last_hidden_state[0], atol=1e-5, rtol=1e-4
    )
    assert np.isfinite(states.last_hidden_state.numpy()).all()


@pytest.mark.parametrize("layers", [[], [3], [-4]])
def test_layers_that_are_not_there(layers: list[int], whisper_config: WhisperConfig) -> None:
    with pytest.raises(ValueError, match="hidden states are 0 to 2"):
        EmoSpeechConfig(text_config=None, speech_config=whisper_config.to_dict(), speech_layers=layers)

"""Fusions: what they compute, that padding and missing sources do not show, and whole models around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForAudioClassification, BertConfig, BertTokenizer, Wav2Vec2Config

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.configuration_emospeech import FUSION_NAMES, SEQUENCE_FUSION_NAMES
from emospeech_hf.embedding_fusion_emospeech import GatedFusion, LateFusion, MeanFusion
from emospeech_hf.fusion_emospeech import FUSIONS
from emospeech_hf.sequence_fusion_emospeech import AttentionFusion, CrossAttentionFusion, MultiheadFusion

from .conftest import tone


DIMS = [5, 7]


def config(fusion: str, **changes: Any) -> EmoSpeechConfig:
    """Of two sources, MFCC and text; the fusions see of it what is theirs."""
    settings = {"fusion": fusion, "fusion_dim": 8, "fusion_heads": 2, "classifier_dim": 6, **changes}
    return EmoSpeechConfig(text_config={"model_type": "bert", "hidden_size": 8}, num_mfcc=5, **settings)


def sources(fusion: torch.nn.Module, rows: int = 3) -> tuple[list[torch.Tensor], list[torch.Tensor | None]]:
    generator = torch.Generator().manual_seed(7)
    if not fusion.takes_sequences:
        return [torch.randn(rows, dim, generator=generator) for dim in DIMS], [None, None]
    lengths = [6, 4]
    masks = [torch.ones(rows, length, dtype=torch.long) for length in lengths]
    masks[0][0, 2:] = 0
    masks[1][1, 3:] = 0
    return [torch.randn(rows, n, dim, generator=generator) for n, dim in zip(lengths, DIMS)], masks


@pytest.fixture(params=FUSIONS)
def fusion(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    return FUSIONS[request.param](DIMS, config(request.param)).eval()


def test_names_agree() -> None:
    assert set(FUSION_NAMES) == set(FUSIONS)
    assert set(SEQUENCE_FUSION_NAMES) == {name for name, kind in FUSIONS.items() if kind.takes_sequences}


def test_shape(fusion: torch.nn.Module) -> None:
    values, masks = sources(fusion)
    assert fusion(values, masks, [None, None]).shape == (3, fusion.output_dim)


def test_rows_do_not_see_each_other(fusion: torch.nn.Module) -> None:
    values, masks = sources(fusion)
    together = fusion(values, masks, [None, None])
    for row in range(3):
        one = [mask if mask is None else mask[row : row + 1] for mask in masks]
        alone = fusion([value[row : row + 1] for value in values], one, [None, None])
        torch.testing.assert_close(alone[0], together[row])


def test_a_missing_source_counts_as_zeros_whatever_stands_in_for_it(fusion: torch.nn.Module) -> None:
    values, masks = sources(fusion)
    present = torch.tensor([True, False, True])
    values[1][1] = float("nan")
    output = fusion(values, masks, [None, present])
    assert output.isfinite().all()
    if isinstance(fusion, (MeanFusion, GatedFusion, LateFusion)):
        # The others take its place; without any there is nothing.
        own = fusion.classifiers if isinstance(fusion, LateFusion) else fusion.projections
        torch.testing.assert_close(output[1], own[0](values[0])[1])
        nobody = torch.zeros(3, dtype=torch.bool)
        assert (fusion(values, masks, [nobody, nobody]) == 0).all()
        return
    second = fusion.output_dim // 2 if fusion.output_dim != sum(DIMS) else DIMS[0]
    assert (output[1, second:] == 0).all()
    assert (output[0, second:] != 0).any()


def test_mean_and_gates() -> None:
    torch.manual_seed(0)
    mean, gated = MeanFusion(DIMS, config("mean")), GatedFusion(DIMS, config("gated"))
    gated.projections.load_state_dict(mean.projections.state_dict())
    values, masks = sources(mean)
    parts = [projection(value) for projection, value in zip(mean.projections, values)]
    torch.testing.assert_close(mean(values, masks, [None, None]), (parts[0] + parts[1]) / 2)
    for gate in gated.gates:
        torch.nn.init.zeros_(gate.weight)
        torch.nn.init.zeros_(gate.bias)
    torch.testing.assert_close(gated(values, masks, [None, None]), mean(values, masks, [None, None]))
    gated.gates[1].bias.data.fill_(50.0)
    torch.testing.assert_close(gated(values, masks, [None, None]), parts[1])


@pytest.mark.parametrize("name", SEQUENCE_FUSION_NAMES)
def test_padding_does_not_show(name: str) -> None:
    torch.manual_seed(0)
    fusion = FUSIONS[name](DIMS, config(name)).eval()
    values, masks = sources(fusion)
    expected = fusion(values, masks, [None, None])
    for value, mask in zip(values, masks):
        value[mask == 0] = float("nan")
    torch.testing.assert_close(fusion(values, masks, [None, None]), expected)
    short = fusion([values[0][:1, :2], values[1][:1]], [None, None], [None, None])
    torch.testing.assert_close(short, expected[:1])


def test_attention_as_written_down_once_more() -> None:
    torch.manual_seed(0)
    fusion = AttentionFusion([5], config("attention"))
    frames = torch.randn(4, 5)
    linear, norm = fusion.projections[0]
    first, _, second = fusion.scorers[0]
    with torch.no_grad():
        states = norm(linear(frames))
        scores = [float(second(torch.tanh(first(state)))) for state in states]
        weights = np.exp(scores) / np.exp(scores).sum()
        expected = sum(float(weight) * state for weight, state in zip(weights, states))
        torch.testing.assert_close(fusion([frames[None]], [None], [None])[0], expected)


def test_multihead_equals_pytorchs() -> None:
    torch.manual_seed(0)
    fusion = MultiheadFusion([5], config("multihead"))
    peer = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    peer.load_state_dict(
        {
            "in_proj_weight": fusion.attention_inputs[0].weight,
            "in_proj_bias": fusion.attention_inputs[0].bias,
            "out_proj.weight": fusion.attention_outputs[0].weight,
            "out_proj.bias": fusion.attention_outputs[0].bias,
        }
    )
    frames = torch.randn(3, 6, 5)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0]])
    states = fusion.projections[0](frames)
    attended = states + peer(states, states, states, key_padding_mask=mask == 0)[0]
    expected = torch.stack([row[real.bool()].mean(dim=0) for row, real in zip(attended, mask)])
    torch.testing.assert_close(fusion([frames], [mask], [None]), expected)


def test_multihead_in_blocks_equals_multihead_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    fusion = MultiheadFusion(DIMS, config("multihead"))
    values, masks = sources(fusion)
    expected = fusion(values, masks, [None, None])
    monkeypatch.setattr("emospeech_hf.sequence_fusion_emospeech.QUERY_BLOCK", 2)
    torch.testing.assert_close(fusion(values, masks, [None, None]), expected)


def test_late_weighs_the_logits_of_each() -> None:
    torch.manual_seed(0)
    fusion = LateFusion(DIMS, config("late", standardize=["mfcc"])).eval()
    values, masks = sources(fusion)
    assert fusion.output_dim == 6
    # The standardised source goes in as it is; the other one, whatever its scale, at one scale.
    first = fusion.classifiers[0](values[0])
    torch.testing.assert_close(first, fusion.classifiers[0][1:](values[0]))
    second = fusion.classifiers[1](values[1])
    torch.testing.assert_close(second, fusion.classifiers[1](1000 * values[1]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(fusion(values, masks, [None, None]), (first + second) / 2)
    fusion.source_weights.data = torch.tensor([0.0, 2.0])
    share = torch.tensor(2.0).sigmoid()
    torch.testing.assert_close(fusion(values, masks, [None, None]), (1 - share) * first + share * second)


def test_late_model_has_no_classifier_behind_its_classifiers(text_config: BertConfig, tmp_path: Path) -> None:
    settings = EmoSpeechConfig(text_config=text_config, num_mfcc=5, fusion="late", standardize=["mfcc"])
    model = EmoSpeechForEmotionClassification(settings).eval()
    inputs = {"mfcc_means": torch.randn(2, 5), "input_ids": torch.tensor([[2, 5, 3], [2, 6, 3]])}
    output = model(**inputs)
    assert output.logits.shape == (2, 6)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForAudioClassification.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded(**inputs).logits, output.logits, atol=1e-6, rtol=1e-5)
    assert loaded.config.standardized_sources == ("mfcc",)


def test_cross_attention_equals_pytorchs() -> None:
    torch.manual_seed(0)
    fusion = CrossAttentionFusion(DIMS, config("cross_attention"))
    values, masks = sources(fusion)
    states = [projection(value) for projection, value in zip(fusion.projections, values)]
    expected = []
    for own, other in ((0, 1), (1, 0)):
        peer = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        peer.load_state_dict(
            {
                "in_proj_weight": torch.cat([fusion.queries[own].weight, fusion.answers[other].weight]),
                "in_proj_bias": torch.cat([fusion.queries[own].bias, fusion.answers[other].bias]),
                "out_proj.weight": fusion.outputs[own].weight,
                "out_proj.bias": fusion.outputs[own].bias,
            }
        )
        attended = peer(states[own], states[other], states[other], key_padding_mask=masks[other] == 0)[0]
        heard = states[own] + attended
        expected.append(torch.stack([row[real.bool()].mean(dim=0) for row, real in zip(heard, masks[own])]))
    torch.testing.assert_close(fusion(values, masks, [None, None]), torch.cat(expected, dim=-1))


def test_cross_attention_of_one_source_has_nobody_to_attend_to() -> None:
    with pytest.raises(ValueError, match=r"between two sources or more; this model has mfcc"):
        EmoSpeechConfig(text_config=None, fusion="cross_attention")


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"`fusion_dim` is 10 and `fusion_heads` 4"):
        EmoSpeechConfig(fusion="multihead", fusion_dim=10)


@pytest.fixture(params=SEQUENCE_FUSION_NAMES)
def model(request: pytest.FixtureRequest, text_config: BertConfig) -> EmoSpeechForEmotionClassification:
    torch.manual_seed(0)
    config = EmoSpeechConfig(
        text_config=text_config, num_mfcc=13, fusion=request.param, fusion_dim=16, classifier_dim=16
    )
    return EmoSpeechForEmotionClassification(config).eval()


@pytest.fixture
def frames_processor(tokenizer: BertTokenizer) -> EmoSpeechProcessor:
    return EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=13, mfcc_pooling="none"), tokenizer)


def recordings() -> list[dict[str, object]]:
    return [{"array": tone(seconds, 16_000), "sampling_rate": 16_000} for seconds in (0.3, 1.1, 0.7)]


TEXTS = ["qué alegría verte", "me da miedo", "estoy harto de esto, la reunión es a las cinco"]


def test_a_batch_equals_its_rows(
    model: EmoSpeechForEmotionClassification, frames_processor: EmoSpeechProcessor
) -> None:
    with torch.no_grad():
        many = model(**frames_processor(audio=recordings(), text=TEXTS, return_tensors="pt")).logits
        for row, (audio, text) in enumerate(zip(recordings(), TEXTS)):
            inputs = frames_processor(audio=audio, text=text, return_tensors="pt")
            torch.testing.assert_close(model(**inputs).logits[0], many[row], atol=1e-4, rtol=1e-4)


def test_save_and_load(
    model: EmoSpeechForEmotionClassification, frames_processor: EmoSpeechProcessor, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    frames_processor.save_pretrained(tmp_path)
    processor = EmoSpeechProcessor.from_pretrained(tmp_path)
    assert processor.model_input_names == ["mfcc_frames", "mfcc_mask", "input_ids", "attention_mask"]
    inputs = frames_processor(audio=recordings(), text=TEXTS, return_tensors="pt")
    again = processor(audio=recordings(), text=TEXTS, return_tensors="pt")
    loaded = AutoModelForAudioClassification.from_pretrained(tmp_path)
    for name, weights in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weights)
    with torch.no_grad():
        # Not to the bit: tensors read from a file lie elsewhere in memory, and sums over them round differently.
        torch.testing.assert_close(loaded(**again).logits, model(**inputs).logits, atol=1e-6, rtol=1e-5)


def test_cached_states_give_the_same(
    model: EmoSpeechForEmotionClassification, frames_processor: EmoSpeechProcessor
) -> None:
    inputs = frames_processor(audio=recordings(), text=TEXTS, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).logits
        states = model.emospeech.get_text_features(inputs["input_ids"], inputs["attention_mask"])
        assert states.shape == (3, inputs["input_ids"].shape[1], 32)
        del inputs["input_ids"]
        assert torch.equal(model(**inputs, text_embeds=states).logits, expected)


def test_a_modality_that_is_missing(
    model: EmoSpeechForEmotionClassification, frames_processor: EmoSpeechProcessor
) -> None:
    mixed = frames_processor(audio=recordings(), text=[TEXTS[0], None, TEXTS[2]], return_tensors="pt")
    with torch.no_grad():
        logits = model(**mixed).logits
        frames = {name: mixed[name][1:2] for name in ("mfcc_frames", "mfcc_mask")}
        alone = model(**frames, modality_mask=torch.tensor([[True, False]])).logits
    torch.testing.assert_close(logits[1:2], alone, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="Missing mfcc_frames"):
        model(input_ids=mixed["input_ids"], mfcc_means=torch.zeros(3, 13))


def test_speech_encoder_states() -> None:
    torch.manual_seed(0)
    encoder = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=20, conv_dim=(8,) * 7,
        feat_extract_norm="layer", num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    config = EmoSpeechConfig(text_config=None, speech_config=encoder, num_mfcc=0, fusion="attention", fusion_dim=8)
    model = EmoSpeechForEmotionClassification(config).eval()
    values, mask = torch.randn(2, 9600), torch.ones(2, 9600, dtype=torch.long)
    values[0, 4800:], mask[0, 4800:] = 0, 0
    with torch.no_grad():
        both = model(input_values=values, speech_attention_mask=mask).logits
        alone = model(input_values=values[:1, :4800]).logits
        torch.testing.assert_close(both[:1], alone, atol=1e-4, rtol=1e-4)
        states = model.emospeech.get_speech_features(input_values=values, speech_attention_mask=mask)
        real = model.emospeech.get_speech_mask(states, mask, from_samples=True)
        assert torch.equal(model(speech_embeds=states, speech_attention_mask=real).logits, both)


def test_torch_export(model: EmoSpeechForEmotionClassification, frames_processor: EmoSpeechProcessor) -> None:
    inputs = dict(frames_processor(audio=recordings(), text=TEXTS, return_tensors="pt"))
    longest = {"rows": 16, "tokens": 32, "frames": 4096}
    rows, tokens, frames = (torch.export.Dim(name, min=2, max=longest[name]) for name in longest)
    shapes = {
        "mfcc_frames": {0: rows, 1: frames},
        "mfcc_mask": {0: rows, 1: frames},
        "input_ids": {0: rows, 1: tokens},
        "attention_mask": {0: rows, 1: tokens},
    }
    other = frames_processor(audio=recordings()[:2], text=TEXTS[:2], return_tensors="pt")
    with torch.no_grad():
        exported = torch.export.export(model, (), inputs, dynamic_shapes=shapes)
        torch.testing.assert_close(exported.module()(**other).logits, model(**other).logits, atol=1e-4, rtol=1e-4)

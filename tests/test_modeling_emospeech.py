"""The model keeps its contract, and behaves as transformers' models do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForAudioClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    HubertConfig,
    Wav2Vec2BertConfig,
    Wav2Vec2Config,
    WavLMConfig,
    WhisperConfig,
)

from emospeech_hf import EmoSpeechConfig, EmoSpeechForEmotionClassification, EmoSpeechModel
from emospeech_hf.whisper_emospeech import encode_with_whisper


def inputs_of(rows: int = 3, tokens: int = 7, num_mfcc: int = 128) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(rows)
    mask = torch.ones(rows, tokens, dtype=torch.long)
    mask[0, tokens // 2 :] = 0
    return {
        "mfcc_means": 100 * torch.randn(rows, num_mfcc, generator=generator),
        "input_ids": torch.randint(5, 30, (rows, tokens), generator=generator),
        "attention_mask": mask,
    }


def test_the_papers_network(model: EmoSpeechForEmotionClassification) -> None:
    """The forward pass written down once more, from the paper's words alone."""
    inputs = inputs_of()
    with torch.no_grad():
        states = model.emospeech.text_encoder(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
        ).last_hidden_state
        weights = inputs["attention_mask"].unsqueeze(-1).float()
        text = (states * weights).sum(1) / weights.sum(1)
        speech_layer, text_layer = model.emospeech.fusion.projections
        joined = torch.cat([speech_layer(inputs["mfcc_means"]), text_layer(text)], dim=1)
        hidden, last = model.classifier[0], model.classifier[-1]
        expected = last(torch.relu(hidden(joined)))
        found = model(**inputs).logits
    torch.testing.assert_close(found, expected)


def test_default_sizes() -> None:
    with torch.device("meta"):
        model = EmoSpeechForEmotionClassification(EmoSpeechConfig())
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters() if "text_encoder" not in name}
    assert shapes == {
        "emospeech.fusion.projections.0.weight": (256, 128),
        "emospeech.fusion.projections.0.bias": (256,),
        "emospeech.fusion.projections.1.weight": (256, 768),
        "emospeech.fusion.projections.1.bias": (256,),
        "classifier.0.weight": (256, 512),
        "classifier.0.bias": (256,),
        "classifier.3.weight": (6, 256),
        "classifier.3.bias": (6,),
    }


def test_a_batch_equals_its_rows_and_padding_does_not_show(model: EmoSpeechForEmotionClassification) -> None:
    inputs = inputs_of()
    with torch.no_grad():
        many = model(**inputs).logits
        for row in range(3):
            length = int(inputs["attention_mask"][row].sum())
            single = {
                "mfcc_means": inputs["mfcc_means"][row : row + 1],
                "input_ids": inputs["input_ids"][row : row + 1, :length],
            }
            torch.testing.assert_close(model(**single).logits[0], many[row], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["both", "text", "speech"])
def test_save_and_load(kind: str, text_config: BertConfig, tmp_path: Path) -> None:
    config = EmoSpeechConfig(
        text_config=None if kind == "speech" else text_config,
        num_mfcc=0 if kind == "text" else 128,
        fusion="none" if kind == "text" else "concat",
        classifier_dim=0 if kind == "text" else 16,
    )
    model = EmoSpeechForEmotionClassification(config).eval()
    model.save_pretrained(tmp_path)
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["model.safetensors"]
    assert not list(tmp_path.glob("*.bin"))
    inputs = inputs_of()
    if kind == "text":
        del inputs["mfcc_means"]
    if kind == "speech":
        inputs = {"mfcc_means": inputs["mfcc_means"]}
    with torch.no_grad():
        expected = model(**inputs)
        for auto in (AutoModelForAudioClassification, AutoModelForSequenceClassification):
            loaded = auto.from_pretrained(tmp_path)
            assert isinstance(loaded, EmoSpeechForEmotionClassification)
            assert torch.equal(loaded(**inputs).logits, expected.logits)
        base = AutoModel.from_pretrained(tmp_path)
        assert isinstance(base, EmoSpeechModel)
        assert torch.equal(base(**inputs).pooler_output, expected.pooler_output)


def test_loading_the_body_says_nothing_of_the_head(model: EmoSpeechForEmotionClassification, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    _, report = EmoSpeechModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]


def test_cached_embeddings_give_the_same(model: EmoSpeechForEmotionClassification) -> None:
    inputs = inputs_of()
    with torch.no_grad():
        embeds = model.emospeech.get_text_features(inputs["input_ids"], inputs["attention_mask"])
        expected = model(**inputs)
        assert torch.equal(expected.text_embeds, embeds)
        cached = model(mfcc_means=inputs["mfcc_means"], text_embeds=embeds)
    assert torch.equal(cached.logits, expected.logits)


def test_modality_mask(model: EmoSpeechForEmotionClassification) -> None:
    inputs = inputs_of(rows=2)
    no_text = torch.tensor([[True, False], [True, False]])
    with torch.no_grad():
        masked = model(**inputs, modality_mask=no_text).logits
        absent = model(mfcc_means=inputs["mfcc_means"], modality_mask=no_text).logits
        other_words = model(**{**inputs, "input_ids": inputs["input_ids"].flip(1)}, modality_mask=no_text).logits
        assert torch.equal(masked, absent)
        assert torch.equal(masked, other_words)
        nothing_missing = model(**inputs, modality_mask=torch.ones(2, 2, dtype=torch.bool)).logits
        assert torch.equal(nothing_missing, model(**inputs).logits)
        assert not torch.allclose(nothing_missing, masked)
        # What stands in for a missing modality may be anything.
        nan = {**inputs, "mfcc_means": torch.full((2, 128), float("nan"))}
        assert model(**nan, modality_mask=~no_text).logits.isfinite().all()


def test_missing_inputs_are_named(model: EmoSpeechForEmotionClassification) -> None:
    inputs = inputs_of()
    with pytest.raises(ValueError, match=r"Missing mfcc_means.*speech and text"):
        model(input_ids=inputs["input_ids"])
    with pytest.raises(ValueError, match="Missing input_ids or text_embeds"):
        model(mfcc_means=inputs["mfcc_means"])
    with pytest.raises(ValueError, match="Missing input_ids"):
        model(mfcc_means=inputs["mfcc_means"], modality_mask=torch.ones(3, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="No inputs"):
        model()


def test_loss(model: EmoSpeechForEmotionClassification) -> None:
    labels = torch.tensor([0, 3, 5])
    output = model(**inputs_of(), labels=labels)
    torch.testing.assert_close(output.loss, torch.nn.functional.cross_entropy(output.logits, labels))
    output.loss.backward()
    untouched = [name for name, p in model.named_parameters() if p.grad is None]
    assert untouched == []  # a parameter that never learns breaks distributed training
    assert model(**inputs_of(), labels=labels, return_dict=False)[0] == output.loss


def test_training_on_one_batch_learns_it(model: EmoSpeechForEmotionClassification) -> None:
    inputs, labels = inputs_of(), torch.tensor([0, 3, 5])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    first = model(**inputs, labels=labels).loss.item()
    for _ in range(30):
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < first / 10


def test_dtype(model: EmoSpeechForEmotionClassification, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    half = AutoModelForAudioClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        # float32 features are what the processor gives, whatever the model's type.
        logits = half(**inputs_of()).logits
        assert logits.dtype == torch.bfloat16
        reference = model(**inputs_of()).logits
    assert (logits.float() - reference).abs().max() < 0.05 * reference.abs().max()


def test_resize_token_embeddings(model: EmoSpeechForEmotionClassification) -> None:
    inputs = inputs_of()
    with torch.no_grad():
        before = model(**inputs).logits
        size = model.config.text_config.vocab_size
        model.resize_token_embeddings(size + 3)
        assert model.config.text_config.vocab_size == size + 3 == model.get_input_embeddings().num_embeddings
        torch.testing.assert_close(model(**inputs).logits, before)
        inputs["input_ids"][0, 0] = size + 2
        assert model(**inputs).logits.isfinite().all()


def test_no_token_embeddings_without_text() -> None:
    model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None))
    with pytest.raises(ValueError, match="no text encoder"):
        model.get_input_embeddings()


def test_gradient_checkpointing(model: EmoSpeechForEmotionClassification) -> None:
    inputs, labels = inputs_of(), torch.tensor([0, 3, 5])
    model.eval()  # no dropout, so that the two passes compare; checkpointing needs the encoder's training flag
    model(**inputs, labels=labels).loss.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    model.gradient_checkpointing_enable()
    assert model.is_gradient_checkpointing
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.train()
    model(**inputs, labels=labels).loss.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], msg=name)


def test_hidden_states_and_attentions(model: EmoSpeechForEmotionClassification) -> None:
    model.set_attn_implementation("eager")
    output = model(**inputs_of(), output_hidden_states=True, output_attentions=True)
    assert [tuple(state.shape) for state in output.hidden_states] == [(3, 7, 32)] * 3
    assert [tuple(attention.shape) for attention in output.attentions] == [(3, 4, 7, 7)] * 2
    assert output.speech_hidden_states is None
    assert model(**inputs_of()).hidden_states is None


def test_attention_implementation_is_passed_on(model: EmoSpeechForEmotionClassification, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    logits = {}
    for name in ("eager", "sdpa"):
        loaded = AutoModelForAudioClassification.from_pretrained(tmp_path, attn_implementation=name)
        assert loaded.emospeech.text_encoder.config._attn_implementation == name
        with torch.no_grad():
            logits[name] = loaded(**inputs_of()).logits
    torch.testing.assert_close(logits["eager"], logits["sdpa"], atol=1e-4, rtol=1e-4)


def test_torch_export(model: EmoSpeechForEmotionClassification) -> None:
    inputs = inputs_of()
    rows, tokens = torch.export.Dim("rows", min=1, max=16), torch.export.Dim("tokens", min=2, max=32)
    shapes = {"mfcc_means": {0: rows}, "input_ids": {0: rows, 1: tokens}, "attention_mask": {0: rows, 1: tokens}}
    with torch.no_grad():
        exported = torch.export.export(model, (), inputs, dynamic_shapes=shapes)
        other = inputs_of(rows=5, tokens=4)
        torch.testing.assert_close(exported.module()(**other).logits, model(**other).logits, atol=1e-4, rtol=1e-4)


SPEECH_ENCODERS = {
    "wav2vec2": Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, conv_dim=(8,) * 7,
        feat_extract_norm="layer", num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    ),
    "hubert": HubertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, conv_dim=(8,) * 7,
        feat_extract_norm="layer", num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    ),
    "wavlm": WavLMConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, conv_dim=(8,) * 7,
        feat_extract_norm="layer", num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    ),
    "wav2vec2-bert": Wav2Vec2BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20,
        feature_projection_input_dim=160,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPEECH_ENCODERS)
def test_speech_encoders_and_padding(name: str) -> None:
    torch.manual_seed(0)
    config = EmoSpeechConfig(text_config=None, speech_config=SPEECH_ENCODERS[name], num_mfcc=0, fusion_dim=8)
    model = EmoSpeechForEmotionClassification(config).eval()
    if name == "wav2vec2-bert":
        key, short, long = "input_features", torch.randn(1, 40, 160), torch.randn(1, 64, 160)
    else:
        key, short, long = "input_values", torch.randn(1, 6400), torch.randn(1, 12_800)
    mask = torch.ones(2, long.shape[1], dtype=torch.long)
    mask[0, short.shape[1] :] = 0
    batch = torch.zeros_like(long).repeat(2, *[1] * (long.dim() - 1))
    batch[0, : short.shape[1]], batch[1] = short[0], long[0]
    with torch.no_grad():
        both = model(**{key: batch}, speech_attention_mask=mask)
        alone = model(**{key: short}, speech_attention_mask=torch.ones(short.shape[:2], dtype=torch.long))
        embeds = model.emospeech.get_speech_features(**{key: batch}, speech_attention_mask=mask)
        torch.testing.assert_close(both.logits[:1], alone.logits, atol=1e-4, rtol=1e-4)
        assert torch.equal(model(speech_embeds=embeds).logits, both.logits)


def test_whisper_pools_the_real_frames_only(whisper_config: WhisperConfig, text_config: BertConfig) -> None:
    config = EmoSpeechConfig(text_config=text_config, speech_config=whisper_config, num_mfcc=0, fusion_dim=8)
    model = EmoSpeechForEmotionClassification(config).eval()
    assert not any("decoder" in name for name, _ in model.named_parameters())
    features, mask = torch.randn(1, 80, 3000), torch.zeros(1, 3000, dtype=torch.long)
    mask[:, :301] = 1
    with torch.no_grad():
        output, _ = encode_with_whisper(model.emospeech.speech_encoder, features[:, :, :301], None)
        expected = output.last_hidden_state.mean(dim=1)
        found = model.emospeech.get_speech_features(input_features=features, speech_attention_mask=mask)
    torch.testing.assert_close(found, expected)


def test_from_encoder_pretrained(text_encoder_dir: Path, speech_encoder_dir: Path, tmp_path: Path) -> None:
    model = EmoSpeechForEmotionClassification.from_encoder_pretrained(
        text_encoder=str(text_encoder_dir), speech_encoder=str(speech_encoder_dir), fusion_dim=8
    ).eval()
    reference = AutoModel.from_pretrained(text_encoder_dir)
    own = model.emospeech.text_encoder.state_dict()
    for name, tensor in own.items():
        assert torch.equal(tensor, reference.state_dict()[name]), name
    model.save_pretrained(tmp_path)
    loaded = EmoSpeechForEmotionClassification.from_pretrained(tmp_path).eval()
    inputs = {**inputs_of(1), "input_features": torch.randn(1, 80, 3000)}
    with torch.no_grad():
        # Not to the bit: weights that are mapped from a file lie elsewhere in memory, and sums run in another order.
        torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits, atol=1e-5, rtol=1e-5)


def test_pickled_weights_are_refused(text_encoder_dir: Path, tmp_path: Path) -> None:
    reference = AutoModel.from_pretrained(text_encoder_dir)
    reference.config.save_pretrained(tmp_path)
    torch.save(reference.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        EmoSpeechForEmotionClassification.from_encoder_pretrained(text_encoder=str(tmp_path))

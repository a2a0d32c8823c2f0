"""Explanations: contributions add up to what they explain, and fall on the seconds and words that it hangs on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    pipeline,
)

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.cli import main
from emospeech_hf.explanation import explain, write_explanation
from emospeech_hf.hub import build_release
from emospeech_hf.speaker_emospeech import SpeakerProfile

from .conftest import tone


TEXT = "¡qué alegría verte, amigo!"


def listener(text_config: BertConfig | None, tokenizer: BertTokenizer | None, **settings: object) -> object:
    """A pipeline of random weights."""
    torch.manual_seed(0)
    config = EmoSpeechConfig(text_config=text_config, fusion_dim=8, classifier_dim=8, **settings)  # type: ignore[arg-type]
    model = EmoSpeechForEmotionClassification(config).eval()
    for standardization in model.emospeech.standardization.values():
        standardization.fit(2 + 3 * torch.randn(20, standardization.mean.shape[0]))
    speech_extractor = None
    if config.speech_config is not None:
        whisper = config.speech_config.model_type == "whisper"
        speech_extractor = (
            WhisperFeatureExtractor() if whisper else Wav2Vec2FeatureExtractor(return_attention_mask=True)
        )
    extractor = EmoSpeechFeatureExtractor(
        num_mfcc=config.num_mfcc,
        mfcc_pooling="none" if config.takes_sequences else "mean",
        speech_extractor=speech_extractor,
    )
    processor = EmoSpeechProcessor(extractor, tokenizer if text_config is not None else None)
    return pipeline("audio-text-emotion", model=model, processor=processor, device=-1)


WAV2VEC2 = Wav2Vec2Config(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, conv_dim=(8,) * 7,
    feat_extract_norm="layer", num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
)  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {"num_mfcc": 13},
        {"num_mfcc": 13, "fusion": "attention"},
        {"num_mfcc": 13, "fusion": "cross_attention", "fusion_heads": 2, "speech": "whisper"},
        {"num_mfcc": 0, "fusion": "late", "standardize": ["speech"], "speech": "whisper", "speech_layers": [0, 1, 2]},
        {
            "num_mfcc": 0,
            "fusion": "none",
            "speech": "wav2vec2",
            "speech_pooling": "mean_std",
            "standardize": ["speech"],
        },
        {"num_mfcc": 13, "fusion": "gated", "speech": "whisper", "speech_pooling": "attention"},
    ],
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_contributions_add_up(
    settings: dict[str, object], text_config: BertConfig, tokenizer: BertTokenizer, whisper_config: WhisperConfig
) -> None:
    settings = dict(settings)
    kinds = {"whisper": whisper_config, "wav2vec2": WAV2VEC2}
    speech = kinds.get(str(settings.pop("speech", None)))
    classify = listener(text_config, tokenizer, speech_config=speech, **settings)
    utterance = {"audio": {"array": tone(1.3, 16_000), "sampling_rate": 16_000}, "text": TEXT}
    found = explain(classify, utterance, steps=200)
    told = classify(utterance, top_k=1)[0]
    assert (found.label, found.score) == (told["label"], pytest.approx(told["score"], abs=1e-5))
    total = sum(found.sources.values())
    assert total == pytest.approx(found.margin - found.baseline, abs=0.02 + 0.02 * abs(total))
    heard = sum(value for name, value in found.sources.items() if name != "text")
    assert sum(entry["contribution"] for entry in found.seconds) == pytest.approx(heard, abs=1e-3)
    assert [entry["word"] for entry in found.words] == TEXT.split()
    # Special tokens are the same in nothing, so that words are all there is.
    assert sum(entry["contribution"] for entry in found.words) == pytest.approx(found.sources["text"], abs=1e-3)
    assert (found.seconds[0]["start"], found.seconds[-1]["end"]) == (0, 1.3)
    if speech is not None:
        assert [entry["layer"] for entry in found.layers] == settings.get("speech_layers", [-1])
        layers = sum(entry["contribution"] for entry in found.layers)
        assert layers == pytest.approx(found.sources["speech"], abs=1e-3)


def test_the_word_that_makes_the_difference(text_config: BertConfig, tokenizer: BertTokenizer) -> None:
    """A model that looks at one token's embedding only: all falls on that word."""
    classify = listener(text_config, tokenizer, num_mfcc=0, fusion="none")
    words = ["me", "da", "miedo"]
    weights = classify.model.emospeech.text_encoder.embeddings.word_embeddings.weight
    token = tokenizer("miedo", add_special_tokens=False)["input_ids"][0]
    with torch.no_grad():
        weights[:] = weights[tokenizer.mask_token_id].clone()
        weights[token] += torch.randn(weights.shape[1])
    found = explain(classify, " ".join(words))
    contributions = {entry["word"]: entry["contribution"] for entry in found.words}
    assert contributions["me"] == contributions["da"] == 0
    assert contributions["miedo"] == pytest.approx(found.margin - found.baseline, abs=0.02)
    assert contributions["miedo"] != pytest.approx(0, abs=1e-3)


def test_the_seconds_that_make_the_difference() -> None:
    """A tone in the middle of silence: MFCC of the silence are those of nothing, and the tone has all."""
    classify = listener(None, None, num_mfcc=13, standardize=True)
    samples = np.zeros(64_000, np.float32)
    samples[24_000:40_000] = tone(1.0, 16_000)
    with torch.no_grad():
        silence = classify.processor.feature_extractor.mfcc_frames([(samples, 16_000)])[0][3]
        classify.model.emospeech.standardization["mfcc"].mean.copy_(torch.from_numpy(silence))
    found = explain(classify, {"array": samples, "sampling_rate": 16_000})
    inside = [entry for entry in found.seconds if 1.25 <= entry["start"] < 2.75]
    outside = [entry for entry in found.seconds if not 1.25 <= entry["start"] < 2.75]
    loud = sum(abs(entry["contribution"]) for entry in inside)
    assert sum(abs(entry["contribution"]) for entry in outside) < 0.05 * loud


def test_another_emotion_a_profile_and_one_modality(text_config: BertConfig, tokenizer: BertTokenizer) -> None:
    settings = {"num_mfcc": 13, "fusion": "late", "missing_modalities": True, "standardize": ["mfcc"]}
    classify = listener(text_config, tokenizer, **settings)
    audio = {"array": tone(0.6, 16_000), "sampling_rate": 16_000}
    for label in ("joy", "fear"):
        found = explain(classify, {"audio": audio, "text": TEXT}, label)
        assert found.label == label
        scores = {entry["label"]: entry["score"] for entry in classify({"audio": audio, "text": TEXT})}
        assert found.score == pytest.approx(scores[label], abs=1e-5)
    heard = explain(classify, {"audio": audio})
    assert heard.sources.keys() == {"mfcc"}
    assert heard.words == []
    read = explain(classify, {"text": TEXT})
    assert (read.seconds, read.sources.keys()) == ([], {"text"})
    profile = SpeakerProfile(torch.ones(13), 5, 1.0, torch.randn(6, 13), 5)
    adapted = explain(classify, {"audio": audio}, "joy", speaker=profile)
    scores = {entry["label"]: entry["score"] for entry in classify({"audio": audio}, speaker=profile)}
    assert adapted.score == pytest.approx(scores["joy"], abs=1e-5)
    with pytest.raises(ValueError, match="There is no emotion 'love'; this model tells anger, disgust"):
        explain(classify, {"audio": audio}, "love")
    with pytest.raises(ValueError, match="'audio' and 'text' is missing"):
        explain(classify, {"audio": None})


def test_command_and_files(
    text_config: BertConfig, tokenizer: BertTokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classify = listener(text_config, tokenizer, num_mfcc=13)
    release = build_release(classify.model, classify.processor, tmp_path / "release")
    soundfile.write(tmp_path / "a.wav", tone(0.8, 16_000), 16_000)
    output = [tmp_path / "why" / name for name in ("why.json", "why.png")]
    arguments = ["explain", "--model", str(release), "--audio", str(tmp_path / "a.wav"), "--text", TEXT, "--output"]
    main([*arguments, *map(str, output)])
    said = capsys.readouterr().out
    content = json.loads(output[0].read_text(encoding="utf-8"))
    assert content.keys() >= {"label", "score", "margin", "baseline", "sources", "seconds", "words", "layers"}
    assert content["label"] in said
    assert output[1].read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main([*arguments, str(tmp_path / "why.txt")])
    assert "suffix .json or .png" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"suffix \.json or \.png"):
        write_explanation(explain(classify, {"audio": str(tmp_path / "a.wav"), "text": TEXT}), tmp_path / "why")

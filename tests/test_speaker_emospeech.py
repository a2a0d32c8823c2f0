"""A speaker's profile: made of clips, saved, and taken off; few or one-sided clips move it little."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, WhisperConfig, WhisperFeatureExtractor, pipeline

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.speaker_emospeech import CORRECTION_PENALTY, PRIOR_CLIPS, SpeakerProfile


def scores_of(*labels: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(labels), 6).float() * 0.9 + 0.1 / 6


@pytest.fixture
def hearing(whisper_config: WhisperConfig) -> tuple[EmoSpeechForEmotionClassification, EmoSpeechProcessor]:
    """MFCC means and an encoder beside each other."""
    torch.manual_seed(0)
    config = EmoSpeechConfig(
        text_config=None, speech_config=whisper_config.to_dict(), num_mfcc=13, standardize=True, fusion_dim=8
    )
    model = EmoSpeechForEmotionClassification(config).eval()
    for standardization in model.emospeech.standardization.values():
        standardization.fit(3 + 2 * torch.randn(20, standardization.mean.shape[0]))
    extractor = EmoSpeechFeatureExtractor(num_mfcc=13, speech_extractor=WhisperFeatureExtractor())
    return model, EmoSpeechProcessor(extractor)


def test_varied_clips_count_by_their_number() -> None:
    embeddings = torch.randn(12, 5)
    profile = SpeakerProfile.fit(embeddings, scores_of(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5))
    assert profile.weight == pytest.approx(12 / (12 + PRIOR_CLIPS))
    torch.testing.assert_close(profile.shift, profile.weight * embeddings.mean(dim=0))
    fewer = SpeakerProfile.fit(embeddings[:3], scores_of(0, 1, 2))
    assert fewer.weight == pytest.approx(3 / (3 + PRIOR_CLIPS))


def test_one_sided_clips_count_a_third() -> None:
    embeddings = torch.randn(12, 5)
    angry = SpeakerProfile.fit(embeddings, scores_of(*[0] * 12))
    assert angry.weight == pytest.approx(12 / (12 + PRIOR_CLIPS) / 3)
    mixed = SpeakerProfile.fit(embeddings, scores_of(*[0] * 10, 1, 2))
    assert angry.weight < mixed.weight < 12 / (12 + PRIOR_CLIPS)


def test_clips_that_nobody_chose_count_by_the_moods_behind_the_first() -> None:
    embeddings, share = torch.randn(12, 5), 12 / (12 + PRIOR_CLIPS)
    one_mood = SpeakerProfile.fit(embeddings, scores_of(*[0] * 12), chosen=False)
    assert one_mood.weight == pytest.approx(0)
    two_moods = SpeakerProfile.fit(embeddings, scores_of(*[0] * 6, *[1] * 6), chosen=False)
    assert two_moods.weight == pytest.approx(share / 3)
    varied = SpeakerProfile.fit(embeddings, scores_of(*range(6), *range(6)), chosen=False)
    assert varied.weight == pytest.approx(share)


def test_round_trip_and_another_kind_of_file(tmp_path: Path) -> None:
    profile = SpeakerProfile.fit(torch.randn(7, 5), scores_of(0, 1, 2, 3, 4, 5, 5))
    profile.save(tmp_path / "ana.safetensors")
    again = SpeakerProfile.load(tmp_path / "ana.safetensors")
    assert (again.clips, again.weight) == (7, profile.weight)
    assert torch.equal(again.shift, profile.shift)
    save_file({"shift": profile.shift}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="no speaker's profile"):
        SpeakerProfile.load(tmp_path / "other.safetensors")


def test_a_profile_takes_the_speaker_off(
    hearing: tuple[EmoSpeechForEmotionClassification, EmoSpeechProcessor], wav: Path, tmp_path: Path
) -> None:
    """One that is nothing changes nothing; one that is all of a clip leaves what an average clip would give."""
    model, processor = hearing
    classify = pipeline("audio-text-emotion", model=model, processor=processor, device=-1)
    inputs = processor(audio=str(wav), return_tensors="pt")
    with torch.no_grad():
        embedding = model.emospeech.get_speaker_embeddings(**inputs)[0]
        means = {name: model.emospeech.standardization[name].mean for name in ("mfcc", "speech")}
        average = model(mfcc_means=means["mfcc"][None], speech_embeds=means["speech"][None]).logits
    assert embedding.shape == (13 + 16,)
    nothing, everything = SpeakerProfile(torch.zeros(29), 0, 0.0), SpeakerProfile(embedding, 1, 1.0)
    plain = classify(str(wav))
    for own, expected in zip(classify(str(wav), speaker=nothing), plain):
        assert own == {"label": expected["label"], "score": pytest.approx(expected["score"], abs=1e-6)}
    everything.save(tmp_path / "me.safetensors")
    told = {entry["label"]: entry["score"] for entry in classify(str(wav), speaker=tmp_path / "me.safetensors")}
    for index, score in enumerate(average.softmax(dim=1)[0].tolist()):
        assert told[model.config.id2label[index]] == pytest.approx(score, abs=1e-5)
    both = classify([str(wav), str(wav)], batch_size=2, speaker=everything)
    assert both[1][0]["score"] == pytest.approx(max(told.values()), abs=1e-5)


def test_a_profile_of_another_model(
    hearing: tuple[EmoSpeechForEmotionClassification, EmoSpeechProcessor], wav: Path
) -> None:
    model, processor = hearing
    classify = pipeline("audio-text-emotion", model=model, processor=processor, device=-1)
    with pytest.raises(ValueError, match="5 wide, and the model takes 29"):
        classify(str(wav), speaker=SpeakerProfile(torch.zeros(5), 4, 0.5))


def test_a_model_that_cannot_have_one(text_config: object) -> None:
    for options in ({"num_mfcc": 0}, {"fusion": "attention"}):
        model = EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=text_config, fusion_dim=8, **options))
        with pytest.raises(ValueError, match="Profiles are for models that hear"):
            model.emospeech.get_speaker_embeddings(mfcc_means=torch.zeros(1, 128))


def test_a_correction_is_the_best_there_is() -> None:
    """As scikit-learn finds it: from logits of zero, the correction is a logistic regression without intercept."""
    from sklearn.linear_model import LogisticRegression

    torch.manual_seed(0)
    embeddings, labels = torch.randn(30, 8), torch.arange(30) % 6
    profile = SpeakerProfile(torch.full((8,), 0.5), 30, 1.0)
    found = profile.with_labels(embeddings, torch.zeros(30, 6), labels)
    shifted = (embeddings - 0.5).double().numpy()
    penalty = CORRECTION_PENALTY * (shifted**2).sum(axis=1).mean()
    peer = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-8, max_iter=1000).fit(shifted, labels)
    torch.testing.assert_close(found.correction, torch.from_numpy(peer.coef_).float(), atol=1e-4, rtol=1e-3)
    # The scale of the embeddings does not matter.
    larger = SpeakerProfile(torch.full((8,), 50.0), 30, 1.0).with_labels(100 * embeddings, torch.zeros(30, 6), labels)
    torch.testing.assert_close(100 * larger.correction, found.correction, atol=1e-4, rtol=1e-3)


def test_a_correction_goes_to_rows_with_speech(text_config: BertConfig) -> None:
    torch.manual_seed(0)
    config = EmoSpeechConfig(
        text_config=text_config, num_mfcc=4, fusion="late", missing_modalities=True, standardize=["mfcc"]
    )
    model = EmoSpeechForEmotionClassification(config).eval()
    inputs = {
        "mfcc_means": torch.randn(2, 4),
        "input_ids": torch.tensor([[2, 5, 3], [2, 6, 3]]),
        "modality_mask": torch.tensor([[True, True], [False, True]]),
    }
    profile = SpeakerProfile(torch.randn(4), 5, 1.0, torch.randn(6, 4), 5)
    with torch.no_grad():
        shifted = model(**inputs, speaker_shift=profile.shift.expand(2, -1)).logits
        corrected = model(**inputs, **profile.model_inputs(2)).logits
        added = profile.correction @ (inputs["mfcc_means"][0] - profile.shift)
        torch.testing.assert_close(corrected[0], shifted[0] + added)
        torch.testing.assert_close(corrected[1], shifted[1])
        text_alone = model(input_ids=inputs["input_ids"], modality_mask=torch.tensor([[False, True]] * 2))
        given = model(
            input_ids=inputs["input_ids"], modality_mask=torch.tensor([[False, True]] * 2), **profile.model_inputs(2)
        )
        torch.testing.assert_close(given.logits, text_alone.logits)
        with pytest.raises(ValueError, match="corrects 6 emotions by embeddings 9 wide"):
            model(**inputs, speaker_correction=torch.zeros(2, 6, 9))


def test_a_model_without_a_population_s_mean_takes_no_profiles(text_config: BertConfig) -> None:
    """Zero is nobody in particular only where embeddings are standardised."""
    for config in (
        EmoSpeechConfig(text_config=text_config),
        EmoSpeechConfig(text_config=text_config, num_mfcc=0, standardize=True),
        EmoSpeechConfig(text_config=None, fusion="attention"),
    ):
        assert not config.takes_profiles
        with pytest.raises(ValueError, match="whose speech is standardised"):
            EmoSpeechForEmotionClassification(config).emospeech.get_speaker_embeddings(torch.zeros(1, 128))
    assert EmoSpeechConfig(text_config=text_config, standardize=["mfcc"]).takes_profiles

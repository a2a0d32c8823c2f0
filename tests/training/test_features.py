"""Features are computed once, equal to what the processor and the model give, and found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from datasets import Dataset, concatenate_datasets

from emospeech_hf import EmoSpeechFeatureExtractor
from emospeech_hf.data import EmotionCollator, load_corpus
from emospeech_hf.data.augmentation import change_speed
from emospeech_hf.training import features
from emospeech_hf.training.building import build_model, build_processor
from emospeech_hf.training.feature_table import FeatureTable
from emospeech_hf.training.features import FeatureBuilder
from emospeech_hf.training.recipe import ModelRecipe

from ..conftest import tone, write_corpus, write_csv


def builder(recipe: ModelRecipe, cache: Path) -> FeatureBuilder:
    torch.manual_seed(0)
    return FeatureBuilder(build_model(recipe), build_processor(recipe), recipe, cache, torch.device("cpu"))


def paper(text_encoder_dir: Path, **fields: object) -> ModelRecipe:
    return ModelRecipe(text_encoder=str(text_encoder_dir), fusion_dim=8, classifier_dim=8, **fields)


def test_frozen_encoder(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    corpus = load_corpus(shared_corpus_dir)["train"]
    build = builder(paper(text_encoder_dir), tmp_path)
    dataset, problems = build.add_features(corpus, "train")
    assert not problems
    table = FeatureTable(dataset)
    assert table.columns["mfcc_means"].shape == (48, 128)
    assert table.columns["text_embeds"].shape == (48, 32)
    for index in (0, 17, 47):
        row = corpus[index]
        inputs = build.processor(audio=row["audio"], text=row["text"], return_tensors="pt")
        np.testing.assert_array_equal(table[index]["mfcc_means"], inputs["mfcc_means"][0].numpy())
        with torch.no_grad():
            embeds = build.model.emospeech.get_text_features(inputs["input_ids"], inputs["attention_mask"])
        np.testing.assert_allclose(table[index]["text_embeds"], embeds[0].numpy(), atol=1e-5)
        assert table[index]["label"] == row["label"]


def test_sequences_for_a_fusion_that_attends(
    shared_corpus_dir: Path, text_encoder_dir: Path, speech_encoder_dir: Path, tmp_path: Path
) -> None:
    corpus = load_corpus(shared_corpus_dir)["train"]
    build = builder(
        paper(text_encoder_dir, speech_encoder=str(speech_encoder_dir), fusion="multihead", num_mfcc=13), tmp_path
    )
    dataset, problems = build.add_features(corpus, "train")
    assert not problems
    table = FeatureTable(dataset.select([47, 0, 17]))
    assert table.lengths == [len(table[row]["mfcc_frames"]) for row in range(3)]
    assert EmotionCollator(build.processor)([table[0], table[1]])["labels"].tolist() == [
        corpus[47]["label"],
        corpus[0]["label"],
    ]
    for row, index in enumerate((47, 0, 17)):
        inputs = build.processor(audio=corpus[index]["audio"], text=corpus[index]["text"], return_tensors="pt")
        batch = EmotionCollator(build.processor)([table[row]])
        np.testing.assert_array_equal(batch["mfcc_frames"].numpy(), inputs["mfcc_frames"].numpy())
        assert batch["attention_mask"].shape == inputs["attention_mask"].shape
        batch.pop("labels")
        model = build.model.eval()
        with torch.no_grad():
            torch.testing.assert_close(model(**batch).logits, model(**inputs).logits, atol=1e-4, rtol=1e-4)


def test_trained_encoder_gets_tokens(shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path) -> None:
    build = builder(paper(text_encoder_dir, freeze_text_encoder=False), tmp_path)
    table = FeatureTable(build.add_features(load_corpus(shared_corpus_dir)["train"], "train")[0])
    assert "text_embeds" not in table.columns
    assert table.lengths == [len(tokens) for tokens in table.columns["input_ids"]]
    assert table.audio is None


@pytest.mark.parametrize("frozen", [True, False])
def test_speech_encoder(frozen: bool, shared_corpus_dir: Path, speech_encoder_dir: Path, tmp_path: Path) -> None:
    recipe = ModelRecipe(speech_encoder=str(speech_encoder_dir), freeze_speech_encoder=frozen, num_mfcc=0)
    table = FeatureTable(
        builder(recipe, tmp_path).add_features(load_corpus(shared_corpus_dir)["train"].select(range(4)), "train")[0]
    )
    assert ("speech_embeds" in table.columns) == frozen
    assert ("audio" in table[0]) != frozen


def test_cache_is_found_again_and_only_for_the_same(
    shared_corpus_dir: Path, text_encoder_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = load_corpus(shared_corpus_dir)["train"]
    first = FeatureTable(builder(paper(text_encoder_dir), tmp_path).add_features(corpus, "train")[0])
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2

    def refuse(*arguments: object) -> None:
        raise AssertionError("computed again")

    again = builder(paper(text_encoder_dir), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(EmoSpeechFeatureExtractor, "mfcc_means", refuse)
        patch.setattr(FeatureBuilder, "_encode_text", refuse)
        second = FeatureTable(again.add_features(corpus, "another name")[0])
    np.testing.assert_array_equal(first.columns["text_embeds"], second.columns["text_embeds"])
    np.testing.assert_array_equal(first.columns["mfcc_means"], second.columns["mfcc_means"])
    assert sorted(tmp_path.iterdir()) == files

    # Other weights, another pooling, other words, other settings: other features.
    other_weights = builder(paper(text_encoder_dir), tmp_path)
    with torch.no_grad():
        other_weights.model.emospeech.text_encoder.embeddings.word_embeddings.weight.add_(1)
    changed = [
        (other_weights, corpus),
        (builder(paper(text_encoder_dir, text_pooling="cls"), tmp_path), corpus),
        (builder(paper(text_encoder_dir, num_mfcc=13), tmp_path), corpus),
        (builder(paper(text_encoder_dir), tmp_path), corpus.select(range(9))),
    ]
    for number, (build, rows) in enumerate(changed):
        before = len(list(tmp_path.iterdir()))
        build.add_features(rows, "train")
        assert len(list(tmp_path.iterdir())) > before, number


def test_a_kill_costs_a_block_and_so_does_a_new_row(
    speech_encoder_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_corpus(tmp_path / "corpus", speakers=3, per_emotion=1)
    corpus = load_corpus(folder)["train"]
    recipe = ModelRecipe(speech_encoder=str(speech_encoder_dir), num_mfcc=0, fusion_dim=8, classifier_dim=8)
    whole, _ = builder(recipe, tmp_path / "whole").add_features(corpus, "train")
    monkeypatch.setattr(features, "SPEECH_BLOCK", 5)
    heard: list[int] = []
    encode = FeatureBuilder._encode_speech

    def counting(self: FeatureBuilder, rows: list[object], factor: float) -> tuple[torch.Tensor, torch.Tensor | None]:
        if len(heard) == 2:
            raise KeyboardInterrupt
        heard.append(len(rows))
        return encode(self, rows, factor)

    monkeypatch.setattr(FeatureBuilder, "_encode_speech", counting)
    with pytest.raises(KeyboardInterrupt):
        builder(recipe, tmp_path / "cache").add_features(corpus, "train")
    assert heard == [5, 5]
    monkeypatch.setattr(FeatureBuilder, "_encode_speech", lambda *given: heard.append(len(given[1])) or encode(*given))
    again, _ = builder(recipe, tmp_path / "cache").add_features(corpus, "train")
    assert heard == [5, 5, 5, 3]
    # In other batches than all at once, save for rounding.
    np.testing.assert_allclose(again["speech_embeds"][:], whole["speech_embeds"][:], atol=1e-5)
    longer = concatenate_datasets([corpus, corpus.select([0])])
    more, _ = builder(recipe, tmp_path / "cache").add_features(longer, "train")
    assert heard == [5, 5, 5, 3, 4]
    np.testing.assert_allclose(more["speech_embeds"][18], more["speech_embeds"][0], atol=1e-5)


def test_a_changed_recording_is_noticed(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", speakers=1, per_emotion=1)
    recipe, cache = ModelRecipe(fusion_dim=8, classifier_dim=8), tmp_path / "cache"
    corpus = load_corpus(folder)["train"]
    before = FeatureTable(builder(recipe, cache).add_features(corpus, "train")[0])
    path = Path(corpus[0]["audio"]["path"])
    soundfile.write(path, tone(0.4, 16_000, 700.0), 16_000)
    after = FeatureTable(builder(recipe, cache).add_features(load_corpus(folder)["train"], "train")[0])
    changed = np.abs(before.columns["mfcc_means"] - after.columns["mfcc_means"]).max(axis=1) > 0
    assert changed.tolist() == [True] + [False] * 5


def test_recordings_that_break_off_are_named(shared_corpus_dir: Path, tmp_path: Path) -> None:
    """Their header is fine, so that only decoding them shows it."""
    corpus = load_corpus(shared_corpus_dir)["train"].select(range(3))
    rows = corpus.to_list()
    broken = tmp_path / "nan.wav"
    soundfile.write(broken, np.array([0.1, np.nan, 0.2]), 16_000, subtype="FLOAT")
    rows[1]["audio"] = {"path": str(broken), "bytes": None}
    dataset = Dataset.from_list(rows).cast(corpus.features)
    recipe = ModelRecipe(fusion_dim=8, classifier_dim=8)
    found, problems = builder(recipe, tmp_path / "cache").add_features(dataset, "train")
    ((index, problem),) = problems
    assert (index, problem.row, problem.id) == (1, 2, rows[1]["id"])
    assert "nan.wav" in problem.what
    assert "NaN" in problem.what
    assert found["id"][:] == [rows[0]["id"], rows[2]["id"]]
    assert len(FeatureTable(found)) == 2


def test_version_is_part_of_the_key(shared_corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = load_corpus(shared_corpus_dir)["train"].select(range(3))
    recipe = ModelRecipe(fusion_dim=8, classifier_dim=8)
    builder(recipe, tmp_path).add_features(corpus, "train")
    monkeypatch.setattr(features, "FEATURE_VERSION", 999)
    builder(recipe, tmp_path).add_features(corpus, "train")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("fusion", ["late", "cross_attention"])
@pytest.mark.parametrize("frozen", [True, False])
def test_rows_that_lack_a_modality(
    fusion: str, frozen: bool, text_encoder_dir: Path, speech_encoder_dir: Path, tmp_path: Path
) -> None:
    """What stands in for what is missing changes nothing: each row is told as by its own inputs alone."""
    folder = write_corpus(tmp_path / "corpus", speakers=1, per_emotion=1)
    names = ("filename", "speaker", "label", "transcription")
    rows = [
        ("s0-joy-0.wav", "s0", "joy", "qué alegría"),
        ("s0-fear-0.wav", "s0", "fear", ""),
        ("nowhere", "v1", "anger", "estoy harto"),
    ]
    write_csv(folder / "train.csv", names, rows)
    recipe = paper(
        text_encoder_dir,
        speech_encoder=str(speech_encoder_dir),
        freeze_speech_encoder=frozen,
        freeze_text_encoder=frozen,
        num_mfcc=13,
        fusion=fusion,
        missing_modalities=True,
    )
    made = builder(recipe, tmp_path / "cache")
    dataset = load_corpus(folder, complete=False)["train"]
    table = FeatureTable(made.add_features(dataset, "train")[0])
    assert table.columns["modality_mask"].tolist() == [[True, True], [True, False], [False, True]]
    batch = EmotionCollator(made.processor)([table[0], table[1], table[2]])
    del batch["labels"]
    model = made.model.eval()
    with torch.no_grad():
        logits = model(**batch).logits
        for row in range(3):
            audio, text = dataset[row]["audio"], dataset[row]["text"] or None
            alone = made.processor(audio=[audio], text=[text], return_tensors="pt")
            torch.testing.assert_close(model(**alone).logits[0], logits[row], atol=1e-4, rtol=1e-4)


def test_other_speeds_are_other_speakers(shared_corpus_dir: Path, speech_encoder_dir: Path, tmp_path: Path) -> None:
    recipe = ModelRecipe(speech_encoder=str(speech_encoder_dir), num_mfcc=0)
    torch.manual_seed(0)
    made = FeatureBuilder(
        build_model(recipe), build_processor(recipe), recipe, tmp_path, torch.device("cpu"), speed_factors=[0.8, 1.25]
    )
    dataset = load_corpus(shared_corpus_dir)["train"].select(range(5))
    table = FeatureTable(made.add_features(dataset, "train")[0])
    assert len(table) == 5
    assert table[0].keys() == {"label", "speech_embeds"}
    every, groups = table.subset([1, 3]).with_other_speeds(["ana", None])
    assert groups == ["ana", None, "ana at 0.8", None, "ana at 1.25", None]
    assert every.columns["label"] == [table.columns["label"][row] for row in (1, 3)] * 3
    for place, factor in ((1, 1.0), (3, 0.8), (5, 1.25)):
        waveform, rate = soundfile.read(dataset[3]["audio"]["path"], dtype="float32")
        changed = change_speed(torch.from_numpy(waveform), rate, factor).numpy()
        inputs = made.processor(audio=(changed, rate), return_tensors="pt")
        with torch.no_grad():
            expected = made.model.emospeech.get_speech_features(**inputs)[0].numpy()
        np.testing.assert_allclose(every[place]["speech_embeds"], expected, atol=1e-5)
    # Nothing of this is seen where nothing is learnt; and what is added to the new table is not in the old one.
    every.columns["speaker_shift"] = np.zeros((6, 16))
    assert "speaker_shift" not in table.columns
    table.columns["modality_mask"] = np.array([[True, True]] * 4 + [[False, True]])
    some, some_groups = table.with_other_speeds(["ana"] * 4 + ["text"])
    assert len(some) == 5 + 2 * 4
    assert some_groups.count("text") == 1
    same, same_groups = FeatureTable(builder(recipe, tmp_path).add_features(dataset, "train")[0]).with_other_speeds(
        ["ana"] * 5
    )
    assert (len(same), same_groups) == (5, ["ana"] * 5)

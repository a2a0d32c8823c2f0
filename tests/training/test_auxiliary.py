"""Other corpora to train on: their share of the loss, what they may not touch, and what cannot be one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from accelerate import Accelerator
from datasets import Dataset

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.data import CorpusError, EmotionCollator
from emospeech_hf.data.source import split_revision
from emospeech_hf.training import RunOptions, load_recipe, train
from emospeech_hf.training.auxiliary import Auxiliary
from emospeech_hf.training.cross_fitting import cross_fitted_logits
from emospeech_hf.training.feature_table import FeatureTable
from emospeech_hf.training.fitting import training_rows
from emospeech_hf.training.loop import EmotionTrainer
from emospeech_hf.training.losses import EmotionLoss
from emospeech_hf.training.recipe import Recipe, TrainingRecipe

from ..conftest import WORDS, tone, write_csv


MINI = ["training.epochs=2", "fusion_dim=8", "classifier_dim=8", "batch_size=8", "trackers=[]", "num_mfcc=16"]


def table(labels: list[int], width: int = 6, scale: float = 10.0) -> FeatureTable:
    means = scale * np.eye(width, dtype=np.float32)[labels]
    return FeatureTable(Dataset.from_dict({"label": labels, "mfcc_means": means}))


def classifier(**config: Any) -> EmoSpeechForEmotionClassification:
    torch.manual_seed(0)
    settings = {"num_mfcc": 6, "standardize": True, "fusion": "none", "classifier_dim": 0, **config}
    return EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None, **settings))


@pytest.fixture
def other_corpus(tmp_path: Path) -> Path:
    """Three speakers with the names of the corpus' own, whose recordings are others."""
    (tmp_path / "other/audio").mkdir(parents=True)
    rows = []
    for speaker in range(3):
        for number, label in enumerate(WORDS):
            name = f"s{speaker}-{label}.wav"
            samples = tone(0.3, 16_000, pitch=130 + 60 * number + 5 * speaker)
            soundfile.write(tmp_path / "other/audio" / name, samples, 16_000)
            rows.append((name, f"s{speaker}", label, WORDS[label]))
    write_csv(tmp_path / "other/train.csv", ("filename", "speaker", "label", "transcription"), rows)
    return tmp_path / "other"


def run(data: Path, output: Path, auxiliary: list[Path], *settings: str, recipe: str = "task2") -> dict[str, Any]:
    options = RunOptions(data=str(data), output_dir=output, auxiliary_data=list(map(str, auxiliary)), release=False)
    return train(load_recipe(recipe, ["split=grouped", "validation_fraction=0.25", *settings]), options)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_auxiliary_rows_make_up_their_share_of_the_loss(share: float) -> None:
    auxiliary = Auxiliary(table([0] * 30), ["auxiliary 1: ana"] * 30, [])
    rows, groups = auxiliary.added_to(table([1] * 10), ["ana"] * 10, share)
    weights = rows.columns["row_weight"]
    assert weights[10:].sum() / weights.sum() == pytest.approx(share)
    assert weights.mean() == pytest.approx(1)
    assert set(groups[:10]).isdisjoint(groups[10:])
    # Rows of zeros surprise all classes alike, so that the loss tells the weights.
    loss = EmotionLoss(TrainingRecipe(), rows.columns["label"], 6, weights)
    logits = torch.zeros(40, 6)
    whole = loss(logits, torch.tensor(rows.columns["label"]), torch.from_numpy(weights)) * 40
    theirs = loss(logits[10:], torch.tensor([0] * 30), torch.from_numpy(weights[10:])) * 30
    assert float(theirs / whole) == pytest.approx(share)


def test_class_weights_count_rows_by_their_weight() -> None:
    """One class in ten rows of the corpus, another in thirty of the auxiliary ones: half of the loss each."""
    rows, _ = Auxiliary(table([0] * 30), [None] * 30, []).added_to(table([1] * 10), [None] * 10, 0.5)
    recipe = TrainingRecipe(class_weights="balanced")
    loss = EmotionLoss(recipe, rows.columns["label"], 2, rows.columns["row_weight"])
    assert loss.weights.tolist() == pytest.approx([1, 1])
    assert EmotionLoss(recipe, rows.columns["label"], 2).weights.tolist() == pytest.approx([2 / 3, 2])


def test_what_auxiliary_rows_alone_tell_is_learnt(tmp_path: Path) -> None:
    """The corpus shows three of the emotions, the auxiliary corpus the others."""
    labels = [row % 3 for row in range(36)]
    auxiliary = Auxiliary(table([3 + row % 3 for row in range(36)]), [f"b{row // 6}" for row in range(36)], [])
    model = classifier(standardize=False)
    training = TrainingRecipe(epochs=30, learning_rate=0.1, keep="last")
    rows = training_rows(model, Recipe(training=training), table(labels), [None] * 36, auxiliary)
    collator = EmotionCollator(EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=6)))
    trainer = EmotionTrainer(Accelerator(cpu=True), model, collator, training, tmp_path)
    trainer.fit(rows, None)
    assert trainer.predict(table([0, 1, 2, 3, 4, 5])).argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_temperature_is_fitted_on_the_corpus_itself(tmp_path: Path) -> None:
    """Speaker and emotion are one: of the corpus' own rows a stranger's emotion is told by auxiliary rows alone."""
    labels = [row // 12 for row in range(72)]
    groups = [f"a{row // 12}" for row in range(72)]
    auxiliary = Auxiliary(table(labels), [f"b{row % 4}" for row in range(72)], [])
    training = TrainingRecipe(epochs=20, learning_rate=0.1, temperature_folds=6, keep="last")
    collator = EmotionCollator(EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=6)))
    arguments = (Accelerator(cpu=True), classifier(), collator, Recipe(training=training), table(labels), groups)
    logits = cross_fitted_logits(*arguments, tmp_path, auxiliary)
    assert logits.argmax(axis=1).tolist() == labels


def test_the_corpus_itself_tells_mean_and_deviation() -> None:
    auxiliary = Auxiliary(table([0] * 12, scale=1000.0), ["b"] * 12, [])
    model = classifier()
    training_rows(model, Recipe(), table([0, 1, 2, 3, 4, 5]), ["a"] * 6, auxiliary)
    alone = classifier()
    training_rows(alone, Recipe(), table([0, 1, 2, 3, 4, 5]), ["a"] * 6)
    for name, value in model.emospeech.standardization.state_dict().items():
        torch.testing.assert_close(value, alone.emospeech.standardization.state_dict()[name])


def test_each_auxiliary_speaker_is_centred_by_itself() -> None:
    auxiliary = Auxiliary(table([0, 1, 2], scale=50.0), ["b", "b", "b"], [])
    model = classifier()
    recipe = Recipe(training=TrainingRecipe(center_speakers=True))
    rows = training_rows(model, recipe, table([0, 1, 2, 3, 4, 5]), ["a"] * 6, auxiliary)
    with torch.no_grad():
        means = torch.from_numpy(rows.columns["mfcc_means"])
        embeddings = model.emospeech.get_speaker_embeddings(mfcc_means=means).numpy()
    np.testing.assert_allclose((embeddings - rows.columns["speaker_shift"])[6:].mean(axis=0), 0, atol=1e-4)
    auxiliary.groups = [None, "b", "b"]
    with pytest.raises(ValueError, match="auxiliary ones too"):
        training_rows(model, recipe, table([0, 1]), ["a", "a"], auxiliary)


def test_a_run_trains_on_them_and_scores_none(shared_corpus_dir: Path, other_corpus: Path, tmp_path: Path) -> None:
    found = run(shared_corpus_dir, tmp_path / "run", [other_corpus], "text_encoder=", *MINI)
    alone = run(shared_corpus_dir, tmp_path / "alone", [], "text_encoder=", *MINI)
    assert found["auxiliary"] == [
        {"name": "other", "hub_id": None, "revision": None, "license": None, "rows": 18, "groups": 3}
    ]
    assert "auxiliary" not in alone
    assert found["split"] == alone["split"]
    assert found["validation"]["n"] == alone["validation"]["n"]
    assert found["history"][-1]["loss"] != alone["history"][-1]["loss"]
    described = json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))
    assert described["auxiliary_data"] == [str(other_corpus)]
    options = RunOptions(data=str(shared_corpus_dir), output_dir=tmp_path / "run", resume=True)
    recipe = load_recipe("task2", ["split=grouped", "validation_fraction=0.25", "text_encoder=", *MINI])
    with pytest.raises(ValueError, match="differs in auxiliary_data"):
        train(recipe, options)


@pytest.mark.parametrize("kind", ["virtual speakers", "sequences", "trained encoders"])
def test_all_kinds_of_features(
    kind: str,
    shared_corpus_dir: Path,
    other_corpus: Path,
    speech_encoder_dir: Path,
    text_encoder_dir: Path,
    tmp_path: Path,
) -> None:
    text = [f"text_encoder={text_encoder_dir}", "text_revision="]
    if kind == "virtual speakers":
        recipe = "speech_only"
        settings = [f"speech_encoder={speech_encoder_dir}", "speech_layers=[1]", "speed_factors=[0.9]", "keep=best"]
        settings += ["training.epochs=2", "trackers=[]", "temperature_folds=0"]
    elif kind == "sequences":
        recipe, settings = "task2_multihead", [*text, *MINI]
    else:
        recipe = "umuteam_concat"
        settings = [*text, f"speech_encoder={speech_encoder_dir}", "training.epochs=1", "batch_size=8", "trackers=[]"]
        settings += ["freeze_text_encoder=false", "freeze_speech_encoder=false"]
    metrics = run(shared_corpus_dir, tmp_path / "run", [other_corpus], *settings, recipe=recipe)
    assert metrics["auxiliary"][0]["rows"] == 18
    assert np.isfinite(metrics["history"][-1]["loss"])


def test_voices_without_transcripts_join_a_model_that_also_reads(
    shared_corpus_dir: Path, other_corpus: Path, text_encoder_dir: Path, tmp_path: Path
) -> None:
    rows = [(f"s{speaker}-{label}.wav", f"s{speaker}", label, "") for speaker in range(3) for label in WORDS]
    write_csv(other_corpus / "train.csv", ("filename", "speaker", "label", "transcription"), rows)
    settings = [f"text_encoder={text_encoder_dir}", "text_revision=", *MINI]
    with pytest.raises(CorpusError, match="the transcript is empty"):
        run(shared_corpus_dir, tmp_path / "run", [other_corpus], *settings)
    metrics = run(
        shared_corpus_dir, tmp_path / "run", [other_corpus], *settings, "missing_modalities=true", "fusion=mean"
    )
    assert metrics["auxiliary"][0]["rows"] == 18
    assert metrics["macro_f1_by_modality"].keys() == {"speech_and_text", "speech", "text"}


def test_a_recording_of_the_corpus_itself_is_refused(
    shared_corpus_dir: Path, other_corpus: Path, tmp_path: Path
) -> None:
    shutil.copy(shared_corpus_dir / "audio/s1-joy-0.wav", other_corpus / "audio/s2-joy.wav")
    with pytest.raises(ValueError, match=r"1 of its rows, as s2-joy.wav, are in the corpus itself"):
        run(shared_corpus_dir, tmp_path / "run", [other_corpus], "text_encoder=", *MINI)
    with pytest.raises(ValueError, match="48 of its rows"):
        run(shared_corpus_dir, tmp_path / "run", [shared_corpus_dir], "text_encoder=", *MINI)


def test_a_text_of_the_corpus_itself_is_refused(text_encoder_dir: Path, tmp_path: Path) -> None:
    """EmoSPeech 2024 is a part of MEACorpus 2023, under other ids."""
    said = [(f"a{row}", f"s{row % 4}", label, f"{WORDS[label]} otra vez {row}") for row in range(8) for label in WORDS]
    rows = [(f"{name}-{label}", speaker, label, text) for name, speaker, label, text in said]
    for name in ("corpus", "part"):
        (tmp_path / name).mkdir()
    header = ("filename", "speaker", "label", "transcription")
    write_csv(tmp_path / "corpus/train.csv", header, rows)
    short = [(f"c{row}", f"t{row % 3}", label, "Sí, claro.") for row, label in enumerate(WORDS)]
    write_csv(tmp_path / "corpus/test.csv", header, [(f"own-{name}", *rest) for name, *rest in short])
    settings = [f"text_encoder={text_encoder_dir}", "text_revision=", "training.epochs=1", "trackers=[]"]
    settings += ["freeze_text_encoder=true", "fusion_dim=8", "classifier_dim=8"]
    write_csv(tmp_path / "part/train.csv", header, short)
    assert run(tmp_path / "corpus", tmp_path / "run", [tmp_path / "part"], *settings, recipe="task1")["auxiliary"]
    write_csv(tmp_path / "part/train.csv", header, [*short, ("b0", "x", "joy", rows[3][3].upper())])
    with pytest.raises(ValueError, match="1 of its rows, as b0"):
        run(tmp_path / "corpus", tmp_path / "again", [tmp_path / "part"], *settings, recipe="task1")
    # The corpus with its recordings, the part without.
    (tmp_path / "corpus/audio").mkdir()
    for place, (name, *_) in enumerate(rows):
        soundfile.write(tmp_path / f"corpus/audio/{name}.wav", tone(0.1, 16_000, pitch=100 + place), 16_000)
    with pytest.raises(ValueError, match="1 of its rows, as b0"):
        run(tmp_path / "corpus", tmp_path / "again", [tmp_path / "part"], *settings, recipe="task1")


def test_bad_auxiliary_corpora(shared_corpus_dir: Path, other_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no folder"):
        run(shared_corpus_dir, tmp_path / "run", [Path("learning_rate=1")], "text_encoder=", *MINI)
    (other_corpus / "audio/s0-fear.wav").unlink()
    with pytest.raises(CorpusError, match=r"s0-fear\.wav"):
        run(shared_corpus_dir, tmp_path / "run", [other_corpus], "text_encoder=", *MINI)
    soundfile.write(other_corpus / "audio/s1-joy.wav", np.array([0.1, np.nan]), 16_000, subtype="FLOAT")
    options = RunOptions(
        data=str(shared_corpus_dir),
        output_dir=tmp_path / "skipped",
        auxiliary_data=[str(other_corpus)],
        skip_bad_rows=True,
        release=False,
    )
    metrics = train(
        load_recipe("task2", ["split=grouped", "validation_fraction=0.25", "text_encoder=", *MINI]), options
    )
    assert metrics["auxiliary"][0]["rows"] == 16
    listed = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "skipped").glob("rejected*.csv")}
    assert set(listed) == {"rejected_auxiliary_1.csv", "rejected_auxiliary_1_audio.csv"}
    assert "s0-fear.wav" in listed["rejected_auxiliary_1.csv"]
    assert "NaN" in listed["rejected_auxiliary_1_audio.csv"]
    unlabelled = [(f"s{row}-joy.wav", "Qué alegría") for row in range(3)]
    write_csv(other_corpus / "train.csv", ("filename", "transcription"), unlabelled)
    with pytest.raises(CorpusError, match="label"):
        run(shared_corpus_dir, tmp_path / "run", [other_corpus], "text_encoder=", *MINI)
    (other_corpus / "train.csv").rename(other_corpus / "test.csv")
    with pytest.raises(ValueError, match="no row has a label"):
        run(shared_corpus_dir, tmp_path / "run", [other_corpus], "text_encoder=", *MINI)


def test_a_revision_may_be_pinned(tmp_path: Path) -> None:
    assert split_revision("ana/voices@v1") == ("ana/voices", "v1")
    assert split_revision("ana/voices") == ("ana/voices", None)
    (tmp_path / "a@b").mkdir()
    assert split_revision(str(tmp_path / "a@b")) == (str(tmp_path / "a@b"), None)

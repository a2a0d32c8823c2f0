"""No group on both sides, unless one asks for it; and then it is said."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, concatenate_datasets

from emospeech_hf.data import corpus_features, hold_out, split_corpus
from emospeech_hf.data.splits import SplitMethod


def dataset(rows: int = 600, groups: int | None = 60, seed: int = 0, prefix: str = "g") -> Dataset:
    generator = np.random.default_rng(seed)
    labels = generator.choice(6, rows, p=[0.1, 0.2, 0.05, 0.15, 0.4, 0.1])
    owners = generator.integers(0, groups, rows) if groups else None
    return Dataset.from_dict(
        {
            "id": [f"{prefix}{seed}-{number}" for number in range(rows)],
            "group": [f"{prefix}{owner}" for owner in owners] if owners is not None else [None] * rows,
            "audio": [None] * rows,
            "text": ["hola"] * rows,
            "label": labels.tolist(),
            "gender": [None] * rows,
        },
        features=corpus_features(),
    )


@pytest.mark.parametrize("test_fraction", [0.0, 0.2])
def test_grouped(test_fraction: float) -> None:
    corpus = DatasetDict(train=dataset())
    splits, report = split_corpus(corpus, "auto", 0.1, test_fraction)
    assert report.method == "grouped"
    groups = {name: set(split["group"]) for name, split in splits.items()}
    for name in set(splits) - {"train"}:
        assert not groups[name] & groups["train"]
        assert set(splits[name]["label"]) == set(range(6))
    assert sum(map(len, splits.values())) == 600
    assert len(splits["validation"]) == pytest.approx(60, abs=15)
    assert len(splits.get("test", [])) == pytest.approx(600 * test_fraction, abs=25)
    assert report.leaks == dict.fromkeys(set(splits) - {"train"}, 0)


def test_random_is_the_papers_and_says_what_leaks() -> None:
    splits, report = split_corpus(DatasetDict(train=dataset()), "random", 0.1)
    assert {name: len(split) for name, split in splits.items()} == {"train": 540, "validation": 60}
    shared = set(splits["train"]["group"])
    assert report.leaks["validation"] == sum(group in shared for group in splits["validation"]["group"]) > 0
    shares = [np.bincount(splits[name]["label"], minlength=6) / len(splits[name]) for name in splits]
    np.testing.assert_allclose(*shares, atol=0.02)  # stratified


def test_same_seed_same_split() -> None:
    corpus = DatasetDict(train=dataset())
    for method in ("random", "grouped"):
        ids = [split_corpus(corpus, method, seed=seed)[0]["validation"]["id"][:] for seed in (1, 1, 2)]
        assert ids[0] == ids[1] != ids[2]


def test_official_keeps_the_splits_and_counts_leaks() -> None:
    corpus = DatasetDict(train=dataset(), test=dataset(100, 60, seed=1))
    splits, report = split_corpus(corpus, "official")
    assert splits["test"]["id"][:] == corpus["test"]["id"][:]
    assert report.leaks["test"] > 0
    assert report.leaks["validation"] == 0  # what is cut off is cut by group all the same
    assert report.dropped == 0


def test_grouped_leaves_out_training_rows_of_held_out_groups() -> None:
    corpus = DatasetDict(train=dataset(), test=dataset(30, 60, seed=1))
    splits, report = split_corpus(corpus, "grouped")
    assert splits["test"]["id"][:] == corpus["test"]["id"][:]
    assert report.dropped > 0
    assert report.leaks == {"test": 0, "validation": 0}
    assert len(splits["train"]) + len(splits["validation"]) + report.dropped == 600


def test_auto_without_groups() -> None:
    corpus = DatasetDict(train=dataset(groups=None))
    assert split_corpus(corpus)[1].method == "random"
    corpus["validation"] = dataset(50, None, seed=1)
    assert split_corpus(corpus)[1].method == "official"


def test_ten_speakers_make_ten_parts() -> None:
    corpus = DatasetDict(train=dataset(700, 10))
    _, report = split_corpus(corpus, "grouped", 0.1, 0.2)
    assert report.groups == {"train": 7, "test": 2, "validation": 1}


@pytest.mark.parametrize(
    ("corpus", "method", "message"),
    [
        (DatasetDict(test=dataset()), "auto", "no train split"),
        (DatasetDict(train=dataset(groups=None)), "grouped", "needs groups"),
        (DatasetDict(train=dataset(groups=1)), "grouped", "two groups or more"),
        (DatasetDict(train=dataset()), "official", "no split but train"),
    ],
)
def test_impossible_splits(corpus: DatasetDict, method: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_corpus(corpus, method)


def test_all_of_train_is_held_out() -> None:
    corpus = DatasetDict(train=dataset(50, 2), test=dataset(50, 2, seed=1))
    with pytest.raises(ValueError, match="nothing is left"):
        split_corpus(corpus, "grouped")


def test_too_few_of_a_class() -> None:
    rows = dataset(60, None).filter(lambda row: row["label"] != 2)
    lonely = dataset(600, None, seed=5).filter(lambda row: row["label"] == 2).select([0])
    with pytest.raises(ValueError, match="only one utterance of 'fear'"):
        hold_out(concatenate_datasets([rows, lonely]), 0.1, 42, by_group=False)


@pytest.mark.parametrize("fraction", [0.0, 0.6])
def test_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="cannot be held out"):
        hold_out(dataset(), fraction, 42, by_group=True)


@pytest.mark.parametrize("groups", [60, None])
def test_folds_are_all_rows_once_and_no_group_twice(groups: int | None) -> None:
    corpus = DatasetDict(train=dataset(groups=groups), test=dataset(300, groups, seed=1, prefix="t"))
    parts = [split_corpus(corpus, "auto", 0.1, fold=fold, folds=3) for fold in (1, 2, 3)]
    tested = [identifier for splits, _ in parts for identifier in splits["test"]["id"]]
    assert sorted(tested) == sorted([*corpus["train"]["id"], *corpus["test"]["id"]])
    for splits, report in parts:
        assert len(splits["test"]) == pytest.approx(300, abs=30)
        assert len(splits["validation"]) == pytest.approx(90, abs=25)
        assert sum(map(len, splits.values())) == 900
        assert report.leaks == (dict.fromkeys(("test", "validation"), 0) if groups else {})
        assert set(splits["test"]["label"]) == set(range(6))
    again, _ = split_corpus(corpus, "auto", 0.1, fold=2, folds=3)
    assert again["test"]["id"] == parts[1][0]["test"]["id"]


def test_no_validation() -> None:
    splits, report = split_corpus(DatasetDict(train=dataset()), "auto", validation_fraction=0, test_fraction=0.2)
    assert set(splits) == {"train", "test"}
    assert report.rows["train"] + report.rows["test"] == 600


@pytest.mark.parametrize(
    ("method", "fold", "folds", "message"),
    [
        ("official", 1, 3, "ask for the split 'grouped' or 'random'"),
        ("auto", 4, 3, "no fold 4 of 3"),
        ("auto", 0, 3, "count from 1"),
        ("auto", 1, 61, "60 groups cannot be cut into 61 folds"),
    ],
)
def test_bad_folds(method: SplitMethod, fold: int, folds: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_corpus(DatasetDict(train=dataset()), method, fold=fold, folds=folds)


def test_fewer_training_groups_are_among_more_and_test_stays() -> None:
    corpus = DatasetDict(train=dataset())
    parts = {
        (number, seed): split_corpus(corpus, fold=1, folds=3, training_groups=number, training_seed=seed)[0]
        for number, seed in ((5, 1), (20, 1), (20, 2), (0, 1))
    }
    few, more, other, every = (set(splits["train"]["group"]) for splits in parts.values())
    assert len(few) == 5
    assert len(more) == len(other) == 20
    assert few < more < every
    assert more != other
    assert len({tuple(splits["test"]["id"]) for splits in parts.values()}) == 1
    few_rows = parts[5, 1]["train"]
    assert len(few_rows) == sum(group in few for group in corpus["train"]["group"])


def test_training_groups_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="70 training groups are asked for, and there are"):
        split_corpus(DatasetDict(train=dataset()), training_groups=70)
    with pytest.raises(ValueError, match="add a column speaker or group"):
        split_corpus(DatasetDict(train=dataset(groups=None)), training_groups=3)

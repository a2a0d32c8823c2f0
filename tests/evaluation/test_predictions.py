"""Predictions as an object and as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from emospeech_hf import EMOTIONS
from emospeech_hf.evaluation import Predictions

from ..conftest import write_csv


def draw(rows: int = 40, seed: int = 0, prefix: str = "u") -> Predictions:
    generator = np.random.default_rng(seed)
    scores = generator.dirichlet(np.ones(6), rows)
    return Predictions(
        names=list(EMOTIONS),
        ids=[f"{prefix}{number}" for number in range(rows)],
        references=generator.integers(0, 6, rows).tolist(),
        predicted=scores.argmax(axis=1).tolist(),
        scores=scores,
        groups=[f"{prefix}g{number % 4}" for number in range(rows)],
        genders=["female" if number % 2 else None for number in range(rows)],
    )


def test_round_trip(tmp_path: Path) -> None:
    own = draw()
    own.save(tmp_path / "out/predictions.csv")
    loaded = Predictions.load(tmp_path / "out/predictions.csv")
    for name in ("names", "ids", "references", "predicted", "groups", "genders"):
        assert getattr(loaded, name) == getattr(own, name), name
    np.testing.assert_allclose(loaded.scores, own.scores, atol=1e-6)
    assert loaded.metrics()["macro_f1"] == own.macro_f1 == f1_score(own.references, own.predicted, average="macro")


def test_groups_are_known_only_where_every_row_has_one() -> None:
    own = draw(8)
    assert own.units == own.known_groups == own.groups
    own.groups[3] = None
    assert own.known_groups is None
    assert own.units == own.ids


def test_sum_and_order() -> None:
    one, other = draw(10), draw(12, seed=1, prefix="v")
    both = one + other
    assert both.ids == one.ids + other.ids
    assert both.scores is not None
    assert both.scores.shape == (22, 6)
    names = ["zest", *reversed(EMOTIONS)]
    turned = both.arranged(both.ids[::-1], names)
    assert [names[number] for number in turned.predicted] == [EMOTIONS[number] for number in both.predicted[::-1]]
    assert turned.groups == both.groups[::-1]
    with pytest.raises(ValueError, match="classes differ"):
        both + turned


def test_a_file_with_nothing_but_labels(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", ("id", "label", "prediction"), [("1", "joy", "fear"), ("2", "joy", "joy")])
    loaded = Predictions.load(tmp_path / "p.csv")
    assert loaded.names == ["fear", "joy"]
    assert loaded.scores is None
    assert loaded.known_groups is None
    loaded.save(tmp_path / "q.csv")
    assert Predictions.load(tmp_path / "q.csv") == loaded


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (("id", "label"), [("1", "joy")], "no column prediction"),
        (("id", "label", "prediction"), [], "there is no row"),
        (("id", "label", "prediction"), [("1", "joy", "joy"), ("1", "joy", "joy")], "'1' stands twice"),
        (("id", "label", "prediction", "joy"), [("1", "joy", "joy", "high")], "score is no number"),
    ],
)
def test_bad_files(header: tuple[str, ...], rows: list[tuple[str, ...]], message: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", header, rows)
    with pytest.raises(ValueError, match=message):
        Predictions.load(tmp_path / "p.csv")

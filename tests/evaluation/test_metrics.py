"""Scores against hand-made cases and scikit-learn; intervals that cover; bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from emospeech_hf import EMOTIONS
from emospeech_hf.evaluation import bootstrap_macro_f1, bootstrap_mean_macro_f1, compute_metrics, metrics_table


def draw(rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 6, rows)
    return truth, np.where(generator.random(rows) < 0.6, truth, generator.integers(0, 6, rows))


def test_equal_to_scikit_learn() -> None:
    truth, guess = draw()
    metrics = compute_metrics(truth, guess, EMOTIONS)
    assert metrics["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro"))
    assert metrics["weighted_f1"] == pytest.approx(f1_score(truth, guess, average="weighted"))
    assert metrics["macro_precision"] == pytest.approx(precision_score(truth, guess, average="macro"))
    assert metrics["macro_recall"] == pytest.approx(recall_score(truth, guess, average="macro"))
    assert metrics["accuracy"] == pytest.approx((truth == guess).mean())
    assert metrics["n"] == 300
    assert np.array(metrics["confusion_matrix"]).sum() == 300
    assert metrics["confusion_matrix"][2][3] == ((truth == 2) & (guess == 3)).sum()
    json.dumps(metrics, allow_nan=False)


def test_absent_classes_do_not_count_and_are_told() -> None:
    metrics = compute_metrics([0, 0, 1], [0, 0, 1], EMOTIONS)
    assert metrics["macro_f1"] == 1.0
    assert metrics["macro_f1_interval"] == [1.0, 1.0]
    assert any("No row is of class joy" in note for note in metrics["notes"])
    assert any("Only 1 rows are of class disgust" in note for note in metrics["notes"])


def test_a_class_that_is_only_guessed_counts() -> None:
    metrics = compute_metrics([0, 0], [0, 1], EMOTIONS)
    assert metrics["macro_f1"] == pytest.approx(f1_score([0, 0], [0, 1], average="macro"))


def test_the_interval_covers_what_it_says() -> None:
    """Over many samples of the same classifier, 95 % intervals hold its true score about 95 times in a hundred."""
    truth, guess = draw(200_000, seed=99)
    true_score = f1_score(truth, guess, average="macro")
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        rows = generator.integers(0, len(truth), 250)
        low, high = bootstrap_macro_f1(truth[rows], guess[rows], 6)
        hits += low <= true_score <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_groups_widen_the_interval() -> None:
    """Forty rows of each of ten people, who are each either easy or hard, are not 400 people."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 6, 400)
    people = np.repeat(np.arange(10), 40)
    guess = np.where(people % 2 == 0, truth, (truth + 1) % 6)
    by_row = bootstrap_macro_f1(truth, guess, 6)
    by_person = bootstrap_macro_f1(truth, guess, 6, [str(person) for person in people])
    assert by_person[1] - by_person[0] > 3 * (by_row[1] - by_row[0])


def test_one_group_has_no_interval() -> None:
    truth, guess = draw(60)
    metrics = compute_metrics(truth, guess, EMOTIONS, ["ana"] * 60)
    assert metrics["macro_f1_interval"] is None
    assert any("All rows come from one group" in note for note in metrics["notes"])
    assert "none from one group" in metrics_table(metrics, "title")


def test_the_mean_of_one_run_is_its_score() -> None:
    truth, guess = draw()
    units = [str(row // 10) for row in range(len(truth))]
    alone = bootstrap_mean_macro_f1([(truth, guess, units)], 6)
    assert alone == bootstrap_macro_f1(truth, guess, 6, units)
    assert bootstrap_mean_macro_f1([(truth, guess, units)] * 3, 6) == pytest.approx(alone)
    assert bootstrap_mean_macro_f1([(truth, guess, ["ana"] * len(truth))], 6) is None


def test_runs_over_other_people_narrow_the_interval_and_runs_over_the_same_do_not() -> None:
    generator = np.random.default_rng(0)
    runs = []
    for run in range(4):
        people = np.repeat(np.arange(20) + 20 * run, 10)
        truth = generator.integers(0, 6, 200)
        guess = np.where((generator.random(80) < 0.5)[people], truth, (truth + 1) % 6)
        runs.append((truth, guess, [str(person) for person in people]))
    same = bootstrap_mean_macro_f1([runs[0]] * 4, 6)
    other = bootstrap_mean_macro_f1(runs, 6)
    assert other[1] - other[0] < 0.7 * (same[1] - same[0])


def test_same_seed_same_interval() -> None:
    truth, guess = draw()
    assert bootstrap_macro_f1(truth, guess, 6, seed=3) == bootstrap_macro_f1(truth, guess, 6, seed=3)


@pytest.mark.parametrize(
    ("references", "predictions", "groups", "message"),
    [
        ([], [], None, "no rows"),
        ([0], [0, 1], None, "1 references and 2 predictions"),
        ([0], [6], None, r"\[6\] have no name"),
        ([-1], [0], None, r"\[-1\] have no name"),
        ([0, 1], [0, 1], ["a"], "2 references and 1 groups"),
    ],
)
def test_bad_input(references: list[int], predictions: list[int], groups: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute_metrics(references, predictions, EMOTIONS, groups)

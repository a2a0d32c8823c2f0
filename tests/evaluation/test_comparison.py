"""Two classifiers on the same rows; one classifier on two genders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from emospeech_hf.evaluation import compare_predictions, gender_lines, scores_by_gender


def draw(accuracy: float, rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    truth = np.random.default_rng(0).integers(0, 6, rows)
    generator = np.random.default_rng(seed + 1)
    return truth, np.where(generator.random(rows) < accuracy, truth, (truth + 1) % 6)


def test_better() -> None:
    truth, first = draw(0.5)
    _, second = draw(0.7, seed=1)
    found = compare_predictions(truth, first, second, 6)
    assert found["interval"][0] > 0.05
    assert found["interval"][0] < found["difference"] < found["interval"][1]
    assert found["share_better"] > 0.99
    assert found["mcnemar_p"] < 1e-4
    assert found["macro_f1"][1] - found["macro_f1"][0] == pytest.approx(found["difference"])


def test_mcnemar_by_hand() -> None:
    truth = np.zeros(20, int)
    first, second = truth.copy(), truth.copy()
    first[:9] = 1  # nine that only the second gets right
    second[9:11] = 1  # two that only the first gets right
    found = compare_predictions(truth, first, second, 2)
    assert (found["only_first_right"], found["only_second_right"]) == (2, 9)
    assert found["mcnemar_p"] == pytest.approx(2 * binom.cdf(2, 11, 0.5))


def test_equal() -> None:
    truth, guess = draw(0.5)
    found = compare_predictions(truth, guess, guess, 6)
    assert (found["difference"], found["interval"], found["mcnemar_p"]) == (0.0, [0.0, 0.0], 1.0)


def test_pairing_narrows_the_interval() -> None:
    """Two classifiers that differ in a few rows are told apart, though each alone is uncertain."""
    truth, first = draw(0.6)
    second = first.copy()
    wrong = np.flatnonzero(first != truth)[:15]
    second[wrong] = truth[wrong]
    low, high = compare_predictions(truth, first, second, 6)["interval"]
    assert 0 < low < high < 0.08


def test_genders() -> None:
    truth, good = draw(0.9)
    _, bad = draw(0.4, seed=2)
    genders = np.array(["female", "male", None, ""] * 100, dtype=object)
    guess = np.where(genders == "female", good, bad)
    found = scores_by_gender(truth, guess, genders, 6)
    assert found is not None
    assert set(found) == {"female", "male", "gap"}
    assert found["female"]["n"] == found["male"]["n"] == 100
    assert (found["gap"]["best"], found["gap"]["worst"]) == ("female", "male")
    assert found["gap"]["macro_f1"] == pytest.approx(found["female"]["macro_f1"] - found["male"]["macro_f1"])
    assert found["gap"]["interval"][0] > 0.2


def test_one_gender_or_none() -> None:
    truth, guess = draw(0.5, rows=10)
    found = scores_by_gender(truth, guess, ["female"] * 10, 6)
    assert found is not None
    assert list(found) == ["female"]
    assert scores_by_gender(truth, guess, [None] * 10, 6) is None


def test_few_people_of_a_gender() -> None:
    """Resamples without either of the men say nothing of men; the interval is of the others."""
    truth, guess = draw(0.5, rows=60)
    groups = ["juan"] * 5 + ["luis"] * 5 + [f"ana{number // 10}" for number in range(50)]
    genders = ["male"] * 10 + ["female"] * 50
    found = scores_by_gender(truth, guess, genders, 6, groups)
    assert found is not None
    assert np.isfinite([*found["male"]["interval"], *found["gap"]["interval"]]).all()


def test_one_person_of_a_gender() -> None:
    """From one man nothing follows for others: his score stands without an interval, and so does the gap."""
    truth, guess = draw(0.5, rows=60)
    groups = ["juan"] * 10 + [f"ana{number // 10}" for number in range(50)]
    genders = ["male"] * 10 + ["female"] * 50
    found = scores_by_gender(truth, guess, genders, 6, groups)
    assert found is not None
    assert found["male"]["interval"] is found["gap"]["interval"] is None
    assert found["female"]["interval"] is not None
    assert "male (10 rows): 0" in (lines := "\n".join(gender_lines(found)))
    assert "(none from one group)" in lines


@pytest.mark.parametrize("lengths", [(1, 2, 1), (1, 1, 2), (0, 0, 0)])
def test_bad_input(lengths: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"do not pair up|no rows"):
        compare_predictions(*([0] * length for length in lengths), num_classes=6)

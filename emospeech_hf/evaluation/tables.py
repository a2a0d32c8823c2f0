"""Scores as text, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


BAR_WIDTH = 30


def metrics_table(metrics: dict[str, Any], title: str) -> str:
    """
    Args:
        metrics (`dict`): as [`~evaluation.compute_metrics`] gives them.
        title (`str`): what was scored.

    Returns:
        `str`: a table with a line for each class, the averages, and the notes.
    """
    lines = [title, f"{'':<12}{'precision':>10}{'recall':>10}{'F1':>10}{'rows':>8}"]
    for name, scores in metrics["per_class"].items():
        lines.append(
            f"{name:<12}{scores['precision']:>10.3f}{scores['recall']:>10.3f}{scores['f1']:>10.3f}{scores['support']:>8}"
        )
    lines += [
        "-" * 50,
        f"{'macro':<12}{metrics['macro_precision']:>10.3f}{metrics['macro_recall']:>10.3f}"
        f"{metrics['macro_f1']:>10.3f}{metrics['n']:>8}",
        f"macro-F1 {metrics['macro_f1']:.3f} (95 % interval {interval_text(metrics['macro_f1_interval'])}), "
        f"weighted F1 {metrics['weighted_f1']:.3f}, accuracy {metrics['accuracy']:.3f}",
        *_further(metrics),
        *(f"Note: {note}" for note in metrics["notes"]),
    ]
    return "\n".join(lines)


def _further(metrics: dict[str, Any]) -> list[str]:
    lines = []
    if "calibration" in metrics:
        lines.append(f"expected calibration error {calibration_text(metrics['calibration'])}")
        surest = {entry["coverage"]: entry for entry in metrics.get("coverage", [])}.get(0.7)
        if surest is not None:
            below, macro_f1 = surest["abstain_below"], surest["macro_f1"]
            lines.append(f"macro-F1 of the surest 70 % of the rows, abstaining below {below:.2f}: {macro_f1:.3f}")
    return lines + gender_lines(metrics.get("by_gender"))


def calibration_text(calibration: dict[str, Any]) -> str:
    """
    Args:
        calibration (`dict`): as [`~evaluation.calibration`] gives it, or an older one without `by_chance`.

    Returns:
        `str`: the error, and what chance alone would show.
    """
    chance = calibration.get("by_chance")
    by_chance = f" (by chance alone {chance['mean']:.3f}, seldom above {chance['limit']:.3f})" if chance else ""
    return f"{calibration['expected_calibration_error']:.3f}{by_chance}"


def gender_lines(by_gender: dict[str, Any] | None) -> list[str]:
    """
    Args:
        by_gender (`dict`, *optional*): as [`~evaluation.scores_by_gender`] gives it.

    Returns:
        `list[str]`: a line for each gender, and one for the gap; none where the corpus tells no gender.
    """
    lines = []
    for name, scores in (by_gender or {}).items():
        what = f"gap {scores['best']} - {scores['worst']}" if name == "gap" else f"{name} ({scores['n']} rows)"
        lines.append(f"macro-F1, {what}: {scores['macro_f1']:.3f} ({interval_text(scores['interval'])})")
    return lines


def interval_text(interval: Sequence[float] | None) -> str:
    """
    Args:
        interval (`Sequence[float]`, *optional*): lower and upper end.

    Returns:
        `str`: both, or why there are none.
    """
    return "none from one group" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def comparison_table(comparison: dict[str, Any], first: str, second: str) -> str:
    """
    Args:
        comparison (`dict`): as [`~evaluation.compare_predictions`] gives it.
        first, second (`str`): names of the two.

    Returns:
        `str`: who is better, by how much, and how sure that is.
    """
    low, high = comparison["interval"]
    return "\n".join(
        [
            f"{comparison['n']} rows",
            f"{first}: macro-F1 {comparison['macro_f1'][0]:.3f}",
            f"{second}: macro-F1 {comparison['macro_f1'][1]:.3f}",
            f"difference {comparison['difference']:+.3f} (95 % interval {low:+.3f} to {high:+.3f}, paired bootstrap); "
            f"the second is better in {comparison['share_better']:.1%} of resamples",
            f"right only by the first {comparison['only_first_right']}, only by the second "
            f"{comparison['only_second_right']}; McNemar p = {comparison['mcnemar_p']:.3g}",
        ]
    )


def score_bars(answer: list[dict[str, Any]]) -> str:
    """
    Args:
        answer (`list[dict]`): the pipeline's answer for one utterance.

    Returns:
        `str`: a line with a bar for each emotion.
    """
    return "\n".join(
        f"{entry['label']:<10} {entry['score']:6.1%}  {'█' * round(entry['score'] * BAR_WIDTH)}" for entry in answer
    )

"""Scores as text, for the terminal."""

from __future__ import annotations

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
    low, high = metrics["macro_f1_interval"]
    lines = [title, f"{'':<12}{'precision':>10}{'recall':>10}{'F1':>10}{'rows':>8}"]
    for name, scores in metrics["per_class"].items():
        lines.append(
            f"{name:<12}{scores['precision']:>10.3f}{scores['recall']:>10.3f}{scores['f1']:>10.3f}{scores['support']:>8}"
        )
    lines += [
        "-" * 50,
        f"{'macro':<12}{metrics['macro_precision']:>10.3f}{metrics['macro_recall']:>10.3f}"
        f"{metrics['macro_f1']:>10.3f}{metrics['n']:>8}",
        f"macro-F1 {metrics['macro_f1']:.3f} (95 % interval {low:.3f} to {high:.3f}), "
        f"weighted F1 {metrics['weighted_f1']:.3f}, accuracy {metrics['accuracy']:.3f}",
        *(f"Note: {note}" for note in metrics["notes"]),
    ]
    return "\n".join(lines)


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

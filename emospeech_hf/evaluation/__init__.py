"""Scores, their intervals, and pictures and tables of them. Knows arrays and labels, not models."""

from .calibration import calibration, coverage
from .comparison import compare_predictions, scores_by_gender
from .intervals import bootstrap_macro_f1, bootstrap_mean_macro_f1
from .metrics import compute_metrics
from .plots import (
    plot_confusion_matrix,
    plot_contributions,
    plot_curves,
    plot_learning_curve,
    plot_reliability,
    plot_timeline,
)
from .predictions import Predictions
from .tables import comparison_table, gender_lines, interval_text, metrics_table, score_bars


__all__ = [
    "Predictions",
    "bootstrap_macro_f1",
    "bootstrap_mean_macro_f1",
    "calibration",
    "compare_predictions",
    "comparison_table",
    "compute_metrics",
    "coverage",
    "gender_lines",
    "interval_text",
    "metrics_table",
    "plot_confusion_matrix",
    "plot_contributions",
    "plot_curves",
    "plot_learning_curve",
    "plot_reliability",
    "plot_timeline",
    "score_bars",
    "scores_by_gender",
]

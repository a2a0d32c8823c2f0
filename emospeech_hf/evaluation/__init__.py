"""Scores, their intervals, and pictures and tables of them. Knows arrays and labels, not models."""

from .intervals import bootstrap_macro_f1
from .metrics import compute_metrics
from .plots import plot_confusion_matrix
from .tables import metrics_table, score_bars


__all__ = ["bootstrap_macro_f1", "compute_metrics", "metrics_table", "plot_confusion_matrix", "score_bars"]

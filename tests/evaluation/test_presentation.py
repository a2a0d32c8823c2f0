"""Pictures and tables show the numbers they are given."""

from __future__ import annotations

from pathlib import Path

from matplotlib.image import imread

from emospeech_hf import EMOTIONS
from emospeech_hf.evaluation import compute_metrics, metrics_table, plot_confusion_matrix, score_bars


def test_confusion_matrix_is_drawn(tmp_path: Path) -> None:
    matrix = [[5 if row == column else 0 for column in range(6)] for row in range(5)] + [[0] * 6]
    plot_confusion_matrix(matrix, EMOTIONS, tmp_path / "deep" / "matrix.png", "Title")
    picture = imread(tmp_path / "deep" / "matrix.png")
    assert min(picture.shape[:2]) > 500
    assert picture[..., :3].std() > 0.1


def test_table() -> None:
    metrics = compute_metrics([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 4], EMOTIONS)
    table = metrics_table(metrics, "On six rows")
    assert table.startswith("On six rows\n")
    for name in EMOTIONS:
        assert name in table
    assert f"macro-F1 {metrics['macro_f1']:.3f} (95 % interval" in table
    assert "Note: Only 1 rows" in table


def test_bars() -> None:
    lines = score_bars([{"label": "joy", "score": 0.9}, {"label": "fear", "score": 0.1}]).splitlines()
    assert lines[0].startswith("joy")
    assert (lines[0].count("█"), lines[1].count("█")) == (27, 3)

"""Pictures of scores, readable in print and by the colour-blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def plot_confusion_matrix(matrix: Sequence[Sequence[int]], labels: Sequence[str], path: Path, title: str = "") -> None:
    """
    Draw a confusion matrix, row-normalised, with the counts written in.

    Args:
        matrix (`Sequence[Sequence[int]]`): counts; rows are references, columns predictions.
        labels (`Sequence[str]`): names of the classes.
        path (`Path`): the PNG file.
        title (`str`, *optional*): what it shows.
    """
    counts = np.asarray(matrix)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title)
    for row in ticks:
        for column in ticks:
            axes.text(
                column,
                row,
                f"{shares[row, column]:.2f}\n({counts[row, column]})",
                ha="center",
                va="center",
                fontsize=9,
                color="black" if shares[row, column] > 0.5 else "white",
            )
    figure.colorbar(image, label="share of the true class")
    _save(figure, path)


def plot_reliability(calibration: Mapping[str, Any], path: Path, title: str = "") -> None:
    """
    Draw a reliability diagram: how often each height of score was right, and how many rows had it.

    Args:
        calibration (`Mapping`): as [`~evaluation.calibration`] gives it.
        path (`Path`): the PNG file.
        title (`str`, *optional*): what it shows.
    """
    bins = calibration["bins"]
    centres = [(entry["low"] + entry["high"]) / 2 for entry in bins]
    widths = [entry["high"] - entry["low"] for entry in bins]
    figure = Figure(figsize=(5.6, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], linestyle="--", color="black", linewidth=1, label="as it should be")
    upper.bar(centres, [entry["accuracy"] for entry in bins], widths, color="#0072B2", edgecolor="white", label="right")
    upper.plot(
        [entry["confidence"] for entry in bins],
        [entry["accuracy"] for entry in bins],
        "o",
        color="#D55E00",
        label="mean score of the bin",
    )
    upper.set_ylim(0, 1)
    upper.set_ylabel("share of rows that are right")
    error, chance = calibration["expected_calibration_error"], calibration.get("by_chance")
    by_chance = f", by chance alone {chance['mean']:.3f}" if chance else ""
    upper.set_title(f"{title}\nexpected calibration error {error:.3f}{by_chance}".strip())
    upper.legend(loc="upper left", frameon=False)
    lower.bar(centres, [entry["n"] for entry in bins], widths, color="#999999", edgecolor="white")
    lower.set_xlim(0, 1)
    lower.set_ylabel("rows")
    lower.set_xlabel("score of the predicted emotion")
    _save(figure, path)


# Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73")


def plot_bars(
    categories: Sequence[str], series: Mapping[str, Sequence[float]], path: Path, axis: str, title: str = ""
) -> None:
    """
    Draw groups of bars side by side.

    Args:
        categories (`Sequence[str]`): what stands along the axis.
        series (`Mapping[str, Sequence[float]]`): name, for the legend, to a height for each category.
        path (`Path`): the PNG file.
        axis (`str`): what the heights are.
        title (`str`, *optional*): what it shows.
    """
    figure, axes = _figure(title)
    width = 0.8 / max(1, len(series))
    for number, (name, heights) in enumerate(series.items()):
        positions = np.arange(len(categories)) + (number - (len(series) - 1) / 2) * width
        axes.bar(positions, heights, width * 0.95, label=name, color=COLOURS[number % len(COLOURS)])
    axes.set_xticks(range(len(categories)), categories)
    axes.set_ylabel(axis)
    axes.legend(frameon=False)
    _save(figure, path)


def plot_histogram(histograms: Mapping[str, Mapping[str, Any]], path: Path, axis: str, title: str = "") -> None:
    """
    Draw histograms over one another, each as shares of its own rows.

    Args:
        histograms (`Mapping[str, Mapping]`): name, for the legend, to `counts` and `edges`.
        path (`Path`): the PNG file.
        axis (`str`): what is counted.
        title (`str`, *optional*): what it shows.
    """
    figure, axes = _figure(title)
    for number, (name, histogram) in enumerate(histograms.items()):
        counts = np.asarray(histogram["counts"]) / max(1, sum(histogram["counts"]))
        axes.stairs(counts, histogram["edges"], label=name, color=COLOURS[number % len(COLOURS)], linewidth=2)
    axes.set_xlabel(axis)
    axes.set_ylabel("share of rows")
    axes.legend(frameon=False)
    _save(figure, path)


def plot_curves(curves: Mapping[str, Sequence[float]], path: Path, axis: str, height: str, title: str = "") -> None:
    """
    Draw curves over 1, 2, 3, ...

    Args:
        curves (`Mapping[str, Sequence[float]]`): name, for the legend, to heights.
        path (`Path`): the PNG file.
        axis (`str`), height (`str`): what the axes show.
        title (`str`, *optional*): what it shows.
    """
    figure, axes = _figure(title)
    for number, (name, values) in enumerate(curves.items()):
        axes.plot(range(1, len(values) + 1), values, label=name, color=COLOURS[number % len(COLOURS)], linewidth=1.5)
    axes.set_xlabel(axis)
    axes.set_ylabel(height)
    axes.legend(frameon=False)
    _save(figure, path)


def plot_learning_curve(points: Sequence[Mapping[str, Any]], path: Path, title: str = "") -> None:
    """
    Draw macro-F1 over the number of training speakers, each with its interval.

    Args:
        points (`Sequence[Mapping]`): of [`~learning_curve.learning_curve`].
        path (`Path`): the PNG file.
        title (`str`, *optional*): what it shows.
    """
    figure, axes = _figure(title)
    groups, means = [point["groups"] for point in points], [point["mean"] for point in points]
    axes.plot(groups, means, "o-", color=COLOURS[0], linewidth=1.5)
    for point in points:
        if point["mean_interval"] is not None:
            axes.vlines(point["groups"], *point["mean_interval"], color=COLOURS[0], alpha=0.4, linewidth=4)
    axes.set_xscale("log", base=2)
    axes.set_xticks(groups, [str(number) for number in groups])
    axes.minorticks_off()
    axes.set_xlabel("speakers or videos to train on")
    axes.set_ylabel("macro-F1 of strangers")
    _save(figure, path)


def plot_timeline(
    spans: Sequence[tuple[float, float]],
    scores: Sequence[Mapping[str, float]],
    labels: Sequence[str],
    path: Path,
    title: str = "",
) -> None:
    """
    Draw emotions over time: one row for each, the darker the likelier; grey where there is nothing to hear.

    Args:
        spans (`Sequence[tuple[float, float]]`): start and end of each window in seconds; a window is drawn up to the
            start of the next.
        scores (`Sequence[Mapping[str, float]]`): of each window, by label; empty where there are none.
        labels (`Sequence[str]`): names of the rows.
        path (`Path`): the PNG file.
        title (`str`, *optional*): what it shows.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    edges = [start for start, _ in spans] + [spans[-1][1]]
    # The last window reaches back behind the start of the one before it where a recording is a little too long.
    edges = list(np.maximum.accumulate(edges))
    values = np.array([[found.get(label, np.nan) for found in scores] for label in labels])
    minutes = edges[-1] > 180
    axes.set_facecolor("0.85")
    image = axes.pcolormesh(
        np.asarray(edges) / (60 if minutes else 1), np.arange(len(labels) + 1), values, cmap="Blues", vmin=0, vmax=1
    )
    axes.set_yticks(np.arange(len(labels)) + 0.5, labels)
    axes.invert_yaxis()
    axes.set_xlabel("minutes" if minutes else "seconds")
    axes.set_title(title)
    figure.colorbar(image, label="score")
    _save(figure, path)


def plot_contributions(
    seconds: Sequence[tuple[float, float, float]],
    words: Sequence[tuple[str, float]],
    parts: Sequence[tuple[str, float]],
    path: Path,
    title: str = "",
) -> None:
    """
    Draw what speaks for a decision, and in another colour what speaks against it.

    Args:
        seconds (`Sequence[tuple[float, float, float]]`): start, end and contribution of pieces of a recording; empty
            where there is none.
        words (`Sequence[tuple[str, float]]`): words and their contributions, in the order of the sentence; likewise.
        parts (`Sequence[tuple[str, float]]`): names and contributions of the parts of the model.
        path (`Path`): the PNG file.
        title (`str`, *optional*): what it shows.
    """
    panels = [kind for kind, values in (("seconds", seconds), ("words", words), ("parts", parts)) if values]
    heights = {"seconds": 2.4, "words": 0.8 + 0.26 * len(words), "parts": 0.8 + 0.3 * len(parts)}
    figure = Figure(figsize=(8.0, sum(heights[kind] for kind in panels)), layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[heights[kind] for kind in panels])[:, 0]
    for kind, axes in zip(panels, all_axes):
        axes.spines[["top", "right"]].set_visible(False)
        if kind == "seconds":
            starts, ends, values = zip(*seconds)
            widths = np.subtract(ends, starts)
            axes.bar(starts, values, widths, align="edge", color=_for_and_against(values), edgecolor="white")
            axes.axhline(0, color="0.3", linewidth=0.8)
            axes.set(xlabel="seconds", ylabel="contribution", xlim=(starts[0], ends[-1]))
            continue
        names, values = zip(*(words if kind == "words" else parts))
        places = np.arange(len(names))
        axes.barh(places, values, color=_for_and_against(values))
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlabel("contribution of each word" if kind == "words" else "contribution of each part of the model")
    figure.suptitle(title)
    _save(figure, path)


def _for_and_against(values: Sequence[float]) -> list[str]:
    return ["tab:blue" if value >= 0 else "tab:orange" for value in values]


def _figure(title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)

"""What a classifier said of each row, as an object and as the file `predictions.csv`."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from ..safe_writing import write_text
from .metrics import compute_metrics


NEEDED_COLUMNS = ("id", "label", "prediction")


@dataclass(kw_only=True)
class Predictions:
    """
    The rows of one split with what is true of them and what a classifier said.

    Args:
        names (`list[str]`): the classes, in the order of their numbers.
        ids (`list[str]`): the rows' ids.
        references, predicted (`list[int]`): class numbers: the truth, and what was said.
        scores (`np.ndarray` of shape `(rows, classes)`, *optional*): probabilities.
        groups (`list[str | None]`): speaker or source video of each row, as far as known.
        genders (`list[str | None]`): of each row's speaker, as far as known.
    """

    names: list[str]
    ids: list[str]
    references: list[int]
    predicted: list[int]
    scores: np.ndarray | None = None
    groups: list[str | None]
    genders: list[str | None]

    @classmethod
    def from_scores(cls, scores: np.ndarray, dataset: Any, names: Sequence[str]) -> Predictions:
        """
        Args:
            scores (`np.ndarray` of shape `(rows, classes)`): probabilities.
            dataset (`Dataset`): the rows, of the schema, labelled.
            names (`Sequence[str]`): the classes, in the order of the scores.

        Returns:
            [`Predictions`] whose `predicted` is the most probable class of each row.
        """
        labels = dataset.features["label"].int2str(dataset["label"][:])
        return cls(
            names=list(names),
            ids=list(dataset["id"]),
            references=[list(names).index(label) for label in labels],
            predicted=scores.argmax(axis=1).tolist(),
            scores=scores,
            groups=list(dataset["group"]),
            genders=list(dataset["gender"]),
        )

    @property
    def known_groups(self) -> list[str] | None:
        """The rows' groups, or `None` where not every row has one."""
        groups = [group for group in self.groups if group]
        return groups if len(groups) == len(self.groups) else None

    @property
    def units(self) -> list[str]:
        """What each row is drawn with in a bootstrap: its group, or where not every row has one, itself."""
        return self.known_groups or self.ids

    @property
    def macro_f1(self) -> float:
        """Macro-F1 over the classes that stand in the references or are predicted."""
        return float(f1_score(self.references, self.predicted, average="macro", zero_division=0.0))

    def metrics(self, seed: int = 0) -> dict[str, Any]:
        """
        Args:
            seed (`int`, *optional*, defaults to 0): of the bootstrap.

        Returns:
            `dict`: see [`~evaluation.compute_metrics`]; and `rows_digest`, by which scores of the same rows are known.
        """
        metrics = compute_metrics(
            self.references, self.predicted, self.names, self.known_groups, self.scores, self.genders, seed
        )
        listing = "\n".join(sorted(f"{name} {self.names[label]}" for name, label in zip(self.ids, self.references)))
        metrics["rows_digest"] = hashlib.sha256(listing.encode()).hexdigest()[:16]
        return metrics

    def arranged(self, ids: Sequence[str], names: Sequence[str]) -> Predictions:
        """
        Args:
            ids (`Sequence[str]`): the rows' ids in the wanted order.
            names (`Sequence[str]`): the classes in the wanted order; more may stand there than before.

        Returns:
            [`Predictions`] of the same rows, without their scores.
        """
        places = {identifier: place for place, identifier in enumerate(self.ids)}
        order = [places[identifier] for identifier in ids]
        numbers = [list(names).index(name) for name in self.names]
        return Predictions(
            names=list(names),
            ids=list(ids),
            references=[numbers[self.references[place]] for place in order],
            predicted=[numbers[self.predicted[place]] for place in order],
            groups=[self.groups[place] for place in order],
            genders=[self.genders[place] for place in order],
        )

    def __add__(self, other: Predictions) -> Predictions:
        """The rows of both, of the same classes."""
        if self.names != other.names:
            raise ValueError(f"The classes differ: {', '.join(self.names)} and {', '.join(other.names)}.")
        scored = self.scores is not None and other.scores is not None
        return Predictions(
            names=self.names,
            ids=self.ids + other.ids,
            references=self.references + other.references,
            predicted=self.predicted + other.predicted,
            scores=np.concatenate([self.scores, other.scores]) if scored else None,
            groups=self.groups + other.groups,
            genders=self.genders + other.genders,
        )

    def save(self, path: Path) -> None:
        """
        Write a CSV file with the columns id, label, prediction, one for each class's score, group, gender.

        Args:
            path (`Path`): the file; an older one is replaced when the new one is whole.
        """
        file = io.StringIO()
        writer = csv.writer(file)
        scored = self.names if self.scores is not None else []
        writer.writerow([*NEEDED_COLUMNS, *scored, "group", "gender"])
        for index, identifier in enumerate(self.ids):
            scores = [f"{score:.6f}" for score in self.scores[index]] if self.scores is not None else []
            label, prediction = self.names[self.references[index]], self.names[self.predicted[index]]
            group, gender = self.groups[index] or "", self.genders[index] or ""
            writer.writerow([identifier, label, prediction, *scores, group, gender])
        write_text(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """
        Read a CSV file with at least the columns id, label and prediction.

        Args:
            path (`Path`): the file; see [`Predictions.save`]. What it lacks beyond those is taken for unknown.

        Returns:
            [`Predictions`]

        Raises:
            ValueError: If one of those columns is missing, there is no row, an id stands twice, or a score is no
                number.
        """
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or [])
            rows = list(reader)
        missing = [name for name in NEEDED_COLUMNS if name not in header]
        if missing or not rows:
            raise ValueError(
                f"{path}: there is no {'column ' + missing[0] if missing else 'row'}; `emospeech evaluate` writes such "
                "files."
            )
        ids = [row["id"] for row in rows]
        if len(set(ids)) < len(ids):
            twice = next(identifier for number, identifier in enumerate(ids) if identifier in ids[:number])
            raise ValueError(f"{path}: the id {twice!r} stands twice.")
        told = {row[column] for row in rows for column in ("label", "prediction")}
        scored = [name for name in header if name not in (*NEEDED_COLUMNS, "group", "gender")]
        names = scored if told <= set(scored) else sorted(told)
        scores = None
        if names == scored:
            try:
                scores = np.array([[float(row[name]) for name in names] for row in rows])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}: a score is no number ({error}).") from error
        return cls(
            names=names,
            ids=ids,
            references=[names.index(row["label"]) for row in rows],
            predicted=[names.index(row["prediction"]) for row in rows],
            scores=scores,
            groups=[row.get("group") or None for row in rows],
            genders=[row.get("gender") or None for row in rows],
        )

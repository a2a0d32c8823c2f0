"""Other corpora that a model may learn from as well: other people's voices, other languages; never tested on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict, concatenate_datasets

from ..data import CorpusError, describe_source, load_corpus, write_rejected
from ..data.collation import ROW_WEIGHT
from ..data.source import split_revision
from ..data.transcripts import telling_transcript
from .feature_table import FeatureTable
from .features import FeatureBuilder


logger = logging.getLogger(__name__)


@dataclass
class Auxiliary:
    """
    The rows of auxiliary corpora.

    Args:
        table ([`FeatureTable`]): their features.
        groups (`list[str | None]`): each row's speaker or video, told apart from other corpora's by the corpus' place.
        sources (`list[dict]`): for `metrics.json`, what each corpus says of itself (see [`~data.describe_source`]),
            and its number of `rows` and `groups`.
    """

    table: FeatureTable
    groups: list[str | None]
    sources: list[dict[str, Any]]

    def added_to(
        self, train: FeatureTable, groups: Sequence[str | None], share: float
    ) -> tuple[FeatureTable, list[str | None]]:
        """
        Args:
            train ([`FeatureTable`]): rows of the corpus itself.
            groups (`Sequence[str]`): their speakers or videos.
            share (`float`): what auxiliary rows are to make up of the loss, in (0, 1).

        Returns:
            `tuple`: one table of all rows, with their weights, 1 on average; and the groups.
        """
        table = train.joined(self.table)
        parts = ((len(train), 1 - share), (len(self.table), share))
        weights = [np.full(rows, part * len(table) / rows, np.float32) for rows, part in parts]
        table.columns[ROW_WEIGHT] = np.concatenate(weights)
        return table, [*groups, *self.groups]


def load_auxiliary(
    names: Iterable[str],
    corpus: DatasetDict,
    modalities: Sequence[str],
    complete: bool,
    builder: FeatureBuilder,
    skip_bad_rows: bool = False,
    rejected: Path | None = None,
) -> Auxiliary | None:
    """
    Load and check auxiliary corpora, all their splits, and compute their features.

    Args:
        names (`Iterable[str]`): folders, or Hub ids, each with `@` and a commit, branch or tag where one is wanted.
        corpus (`DatasetDict`): the corpus itself, of the schema. None of its rows may be among theirs, as it may be
            held out.
        modalities (`Sequence[str]`), complete (`bool`), skip_bad_rows (`bool`): see [`~data.load_corpus`].
        builder ([`~training.features.FeatureBuilder`]): computes their features.
        rejected (`Path`, *optional*): folder in which the rows left out of the first corpus are listed as
            `rejected_auxiliary_1.csv`, recordings that cannot be decoded as `rejected_auxiliary_1_audio.csv`.

    Returns:
        [`Auxiliary`], or `None` where no corpus is named.

    Raises:
        CorpusError: If rows cannot be used, and they are not to be skipped.
        ValueError: If a corpus has no labelled row, or shares a recording, or a row of text, with the corpus itself.
    """
    parts, groups, sources = [], [], []
    own = None
    for place, name in enumerate(names, start=1):
        source, revision = split_revision(name)
        loaded = load_corpus(
            source,
            modalities,
            revision=revision,
            skip_bad_rows=skip_bad_rows,
            rejected=None if rejected is None else rejected / f"rejected_auxiliary_{place}.csv",
            complete=complete,
        )
        labelled = [part for part in loaded.values() if None not in part["label"]]
        if not labelled:
            raise ValueError(f"{name}: no row has a label, so that there is nothing to learn from it.")
        rows = concatenate_datasets(labelled)
        if own is None:
            own = {content for _, content in _identified(concatenate_datasets(list(corpus.values())), both=True)}
        shared = [identifier for identifier, content in _identified(rows) if content in own]
        if shared:
            raise ValueError(
                f"{name}: {len(shared)} of its rows, as {shared[0]}, are in the corpus itself. An auxiliary "
                "corpus must be another one, or the score would flatter."
            )
        # Other speeds are worth nothing here (docs/experiments.md): there are many voices already.
        rows, problems = builder.add_features(rows, Path(source).name, other_speeds=False)
        if problems and not skip_bad_rows:
            raise CorpusError([problem for _, problem in problems])
        if problems:
            logger.warning("%s: leaving out %d recordings that cannot be decoded.", name, len(problems))
            if rejected is not None:
                write_rejected([problem for _, problem in problems], rejected / f"rejected_auxiliary_{place}_audio.csv")
        found = [None if group is None else f"auxiliary {place}: {group}" for group in rows["group"]]
        parts.append(rows)
        groups += found
        description = describe_source(source, revision)
        sources.append({**description, "rows": len(rows), "groups": len(set(found) - {None})})
        logger.info("auxiliary %s: %d utterances, %d groups", description["name"], len(rows), sources[-1]["groups"])
    return Auxiliary(FeatureTable(concatenate_datasets(parts)), groups, sources) if parts else None


def _identified(rows: Dataset, both: bool = False) -> Iterator[tuple[str, str]]:
    """
    Id of each row, and what tells it from others: the digest of its recording; without one, or of `both`, also its
    transcript, if that is so long that nobody else is likely to have said the same.
    """
    for identifier, audio, text in zip(rows["id"], rows["audio"], rows["text"]):
        if audio is not None:
            content = audio.get("bytes")
            content = Path(audio["path"]).read_bytes() if content is None else content
            yield identifier, hashlib.sha256(content).hexdigest()
        told = telling_transcript(text) if audio is None or both else ""
        if told:
            yield identifier, told

"""Splits that can be believed: no speaker and no source video on both sides, unless one asks for it."""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from datasets import Dataset, DatasetDict, concatenate_datasets
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split


logger = logging.getLogger(__name__)

SplitMethod = Literal["auto", "official", "random", "grouped"]


@dataclass
class SplitReport:
    """
    How a corpus was split, for `metrics.json`.

    Args:
        method (`str`): `"official"`, `"random"` or `"grouped"`.
        seed (`int`): of what was drawn.
        rows (`dict[str, int]`): utterances in each split.
        groups (`dict[str, int]`): speakers or source videos in each split.
        dropped (`int`): training rows left out because their group is in validation or test.
        leaks (`dict[str, int]`): held-out split to the number of its rows whose group is in train as well.
        fold, folds (`int`): of a cross-validation, which part is the test split, from 1, and of how many; 0 elsewhere.
    """

    method: str
    seed: int
    rows: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    leaks: dict[str, int] = field(default_factory=dict)
    fold: int = 0
    folds: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def split_corpus(
    corpus: DatasetDict,
    method: SplitMethod = "auto",
    validation_fraction: float = 0.1,
    test_fraction: float = 0.0,
    seed: int = 42,
    fold: int = 0,
    folds: int = 0,
    training_groups: int = 0,
    training_seed: int = 42,
) -> tuple[DatasetDict, SplitReport]:
    """
    Make the splits that a training run needs.

    - `"official"`: the splits that the corpus comes with. A validation split that it lacks is cut off train.
    - `"random"`: validation (and test, where the corpus has none) is cut off train at random, stratified by label:
      the paper's 90/10. The speaker may stand on both sides.
    - `"grouped"`: the same by whole groups, and training rows whose group is in validation or test are left out.
    - `"auto"`: grouped where the corpus has groups, else official where it has a validation split, else random.

    Args:
        corpus (`DatasetDict`): of the schema, with `train`.
        method (`str`, *optional*, defaults to `"auto"`): see above.
        validation_fraction (`float`, *optional*, defaults to 0.1): share of train that becomes validation.
        test_fraction (`float`, *optional*, defaults to 0.0): share of train that becomes test, unless the corpus has
            a test split of its own.
        seed (`int`, *optional*, defaults to 42): of what is drawn.
        fold, folds (`int`, *optional*, default to 0): for cross-validation; the corpus' own splits are put together and
            cut into `folds` parts, of which part `fold`, from 1, becomes the test split.
        training_groups (`int`, *optional*, defaults to 0): how many groups of train are kept; 0 keeps all.
        training_seed (`int`, *optional*, defaults to 42): which those are. Of one seed, fewer are among more.

    Returns:
        `tuple[DatasetDict, SplitReport]`: train, and as far as asked for validation and test; and how they came about.

    Raises:
        ValueError: If the corpus has no train split, no groups to split by, too few of them, too few rows of a class,
            a fold is out of range, or train has fewer groups than are to be kept.
    """
    if "train" not in corpus:
        raise ValueError(f"The corpus has no train split; it has {', '.join(corpus) or 'none'}.")
    if folds and method == "official":
        raise ValueError("Cross-validation cuts the corpus anew: ask for the split 'grouped' or 'random'.")
    splits = {"train": concatenate_datasets(list(corpus.values()))} if folds else dict(corpus)
    has_groups = _has_groups(splits["train"])
    if method == "auto":
        method = "grouped" if has_groups else "official" if "validation" in splits else "random"
    if method == "grouped" and not has_groups:
        raise ValueError(
            "A grouped split needs groups: add a column speaker, youtube_key or group, or ask for the split 'random'."
        )
    if method == "official" and len(splits) == 1:
        raise ValueError("The corpus comes with no split but train: ask for the split 'grouped' or 'random'.")
    by_group = method == "grouped" or (method == "official" and has_groups)
    report = SplitReport(method, seed, fold=fold, folds=folds)
    if folds:
        splits["train"], splits["test"] = cut_fold(splits["train"], fold, folds, seed, by_group)
        test_fraction = 1 / folds
    elif method == "grouped":
        splits["train"], report.dropped = _without_groups_of(splits)
    if test_fraction and "test" not in splits:
        splits["train"], splits["test"] = hold_out(splits["train"], test_fraction, seed, by_group)
    if validation_fraction and "validation" not in splits:
        # The share is of the corpus, not of what the test split has left of it.
        share = validation_fraction if "test" in corpus and not folds else validation_fraction / (1 - test_fraction)
        splits["train"], splits["validation"] = hold_out(splits["train"], share, seed, by_group)
    if training_groups:
        splits["train"] = keep_groups(splits["train"], training_groups, training_seed)
    report.rows = {name: len(split) for name, split in splits.items()}
    if has_groups:
        groups = {name: set(split["group"]) for name, split in splits.items()}
        report.groups = {name: len(members) for name, members in groups.items()}
        report.leaks = {
            name: sum(group in groups["train"] for group in split["group"])
            for name, split in splits.items()
            if name != "train"
        }
    for name, leaked in report.leaks.items():
        if leaked:
            logger.warning(
                "%d of %d %s rows share their group with train: the score flatters.", leaked, len(splits[name]), name
            )
    if report.dropped:
        logger.warning("Left out %d training rows whose group is held out.", report.dropped)
    return DatasetDict(splits), report


def hold_out(dataset: Dataset, fraction: float, seed: int, by_group: bool) -> tuple[Dataset, Dataset]:
    """
    Cut a stratified part off a dataset.

    Args:
        dataset (`Dataset`): of the schema, labelled.
        fraction (`float`): share of rows to cut off, in (0, 0.5]; by group it is met only nearly.
        seed (`int`): of what is drawn.
        by_group (`bool`): keep groups whole.

    Returns:
        `tuple[Dataset, Dataset]`: the rest, and what was cut off.

    Raises:
        ValueError: If the fraction is out of range, there are fewer than two groups, or too few rows of a class.
    """
    if not 0 < fraction <= 0.5:
        raise ValueError(f"A part of {fraction} cannot be held out; give a fraction above 0 and at most 0.5.")
    labels = np.asarray(dataset["label"])
    if by_group:
        kept, held = _hold_out_groups(labels, np.asarray(dataset["group"]), fraction, seed)
    else:
        names, counts = np.unique(labels, return_counts=True)
        if counts.min() < 2:
            rare = dataset.features["label"].int2str(int(names[counts.argmin()]))
            raise ValueError(f"There is only one utterance of {rare!r}: a stratified split needs two of each class.")
        kept, held = train_test_split(np.arange(len(labels)), test_size=fraction, random_state=seed, stratify=labels)
    return dataset.select(np.sort(kept)), dataset.select(np.sort(held))


def cut_fold(dataset: Dataset, fold: int, folds: int, seed: int, by_group: bool) -> tuple[Dataset, Dataset]:
    """
    Cut one part of a cross-validation off a dataset.

    Args:
        dataset (`Dataset`): of the schema, labelled.
        fold (`int`): which part, from 1.
        folds (`int`): into how many parts the dataset is cut, stratified by label.
        seed (`int`): of the parts; the same for all folds.
        by_group (`bool`): keep groups whole.

    Returns:
        `tuple[Dataset, Dataset]`: the rest, and the part.

    Raises:
        ValueError: If the fold is out of range, or there are fewer groups than folds.
    """
    if not folds >= 2 or not 1 <= fold <= folds:
        raise ValueError(f"There is no fold {fold} of {folds}; folds count from 1, and there are at least two.")
    labels = np.asarray(dataset["label"])
    groups = np.asarray(dataset["group"]) if by_group else None
    units = len(set(dataset["group"])) if by_group else len(labels)
    if units < folds:
        raise ValueError(f"{units} {'groups' if by_group else 'rows'} cannot be cut into {folds} folds.")
    kind = StratifiedGroupKFold if by_group else StratifiedKFold
    with warnings.catch_warnings():
        # A class with fewer rows than folds is told by the report.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        parts = list(kind(folds, shuffle=True, random_state=seed).split(labels, labels, groups))
    kept, held = parts[fold - 1]
    return dataset.select(kept), dataset.select(held)


def keep_groups(dataset: Dataset, number: int, seed: int) -> Dataset:
    """
    Keep the rows of some groups, drawn at random.

    Args:
        dataset (`Dataset`): of the schema.
        number (`int`): how many groups.
        seed (`int`): which; a smaller number gives some of those of a larger one.

    Returns:
        `Dataset`: their rows, in the same order.

    Raises:
        ValueError: If there are not so many, or rows without a group.
    """
    of_rows = dataset["group"]
    groups = sorted({group for group in of_rows if group is not None})
    if None in of_rows:
        raise ValueError("training_groups needs the speaker or video of each row: add a column speaker or group.")
    if number > len(groups):
        raise ValueError(f"{number} training groups are asked for, and there are {len(groups)}.")
    kept = set(np.random.default_rng(seed).permutation(groups)[:number])
    return dataset.select([row for row, group in enumerate(of_rows) if group in kept])


def _hold_out_groups(
    labels: np.ndarray, groups: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    folds = min(round(1 / fraction), len(set(groups)))
    if folds < 2:
        raise ValueError(f"All rows belong to the group {groups[0]!r}: a grouped split needs two groups or more.")
    shares = np.bincount(labels) / len(labels)
    candidates = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, groups)

    def distance(split: tuple[np.ndarray, np.ndarray]) -> float:
        # Of the folds, one with every class if there is any; then the nearest in size and in class shares.
        held = labels[split[1]]
        if len(held) == 0 or len(split[0]) == 0:
            return np.inf
        counts = np.bincount(held, minlength=len(shares))
        missing = ((counts == 0) & (shares > 0)).sum()
        balance = np.abs(counts / len(held) - shares).sum()
        return float(10 * missing + balance + abs(len(held) / len(labels) - fraction) / fraction)

    return min(candidates, key=distance)


def _has_groups(dataset: Dataset) -> bool:
    return any(group is not None for group in dataset["group"])


def _without_groups_of(splits: dict[str, Dataset]) -> tuple[Dataset, int]:
    held_out = {group for name, split in splits.items() if name != "train" for group in split["group"]}
    train = splits["train"]
    kept = [index for index, group in enumerate(train["group"]) if group not in held_out]
    if not kept:
        raise ValueError("Every training row shares its group with a held-out row: nothing is left to train on.")
    return train.select(kept), len(train) - len(kept)

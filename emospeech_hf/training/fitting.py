"""
What is fitted in one step and not trained: the standardisation of embeddings, the temperature of the scores, the length
of windows.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile
import torch
from datasets import Dataset
from scipy.optimize import brentq
from scipy.special import softmax

from ..modeling_emospeech import EmoSpeechForEmotionClassification
from .auxiliary import Auxiliary
from .feature_table import FeatureTable
from .recipe import Recipe


LEAST_GROUPS = 5
"""Speakers or videos that a temperature is fitted on, at the least."""


WINDOW_LENGTH = 5 / 3
"""Length of a window, in medians of the training recordings: longer ones tell more, and are less like those."""

WINDOW_RANGE = (2.0, 10.0)
"""Seconds, shortest and longest of a window that is fitted."""


def training_rows(
    model: EmoSpeechForEmotionClassification,
    recipe: Recipe,
    table: FeatureTable,
    groups: Sequence[str | None],
    auxiliary: Auxiliary | None = None,
) -> FeatureTable:
    """
    Make of a split what the model is trained on: its rows at each speed, the auxiliary ones, and each speaker's mean
    where it is to be taken off. The model's standardisation is fitted on the way, to the split alone.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): its standardisation is changed.
        recipe ([`Recipe`]): how it is trained.
        table ([`FeatureTable`]): the split.
        groups (`Sequence[str]`): each row's speaker or video, `None` where it is not known.
        auxiliary ([`Auxiliary`], *optional*): rows of other corpora.

    Returns:
        [`FeatureTable`]: all that is trained on.
    """
    rows, of_rows = table.with_other_speeds(groups)
    fit_standardization(model, rows)
    if auxiliary is not None:
        rows, of_rows = auxiliary.added_to(rows, of_rows, recipe.data.auxiliary_share)
    if recipe.training.center_speakers:
        center_speakers(model, rows, of_rows)
    return rows


def fit_window(model: EmoSpeechForEmotionClassification, train: Dataset) -> None:
    """
    Have the model hear long recordings in windows not much longer than its training recordings. What a speech encoder
    says of a second depends on what is around it: in windows three times as long, strangers were told much worse
    (docs/experiments.md).

    Args:
        model ([`EmoSpeechForEmotionClassification`]): its config is changed, if it hears.
        train (`Dataset`): the training split, of the schema.
    """
    if not model.config.uses_speech:
        return
    seconds = []
    for audio in train["audio"]:
        if audio is not None:
            found = soundfile.info(io.BytesIO(audio["bytes"]) if audio.get("bytes") is not None else audio["path"])
            seconds.append(found.duration)
    if seconds:
        model.config.window_seconds = round(float(np.clip(WINDOW_LENGTH * np.median(seconds), *WINDOW_RANGE)), 1)


def fit_standardization(model: EmoSpeechForEmotionClassification, train: FeatureTable) -> None:
    """
    Fit the model's standardisation, where it has one.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): changed in place.
        train ([`FeatureTable`]): the training split, with the embeddings of frozen encoders.
    """
    columns = {"mfcc": "mfcc_means", "speech": "speech_embeds", "text": "text_embeds"}
    modules: Any = model.emospeech.standardization
    for source, standardization in modules.items():
        rows = train.has("text" if source == "text" else "speech")
        standardization.fit(torch.from_numpy(train.columns[columns[source]][rows]))


def center_speakers(
    model: EmoSpeechForEmotionClassification, train: FeatureTable, groups: Sequence[str | None]
) -> None:
    """
    Give each training row its speaker's mean as `speaker_shift`.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): with a fitted standardisation.
        train ([`FeatureTable`]): the training split; the column is added.
        groups (`Sequence[str]`): each row's speaker or video.

    Raises:
        ValueError: If a row's is not known.
    """
    if None in groups:
        raise ValueError(
            "center_speakers needs corpora that tell each row's speaker, auxiliary ones too: set center_speakers=false."
        )
    given = {
        name: torch.from_numpy(train.columns[name]).to(model.device)
        for name in ("mfcc_means", "speech_embeds")
        if name in train.columns
    }
    with torch.no_grad():
        embeddings = model.emospeech.get_speaker_embeddings(**given).cpu().numpy()
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    hears = train.has("speech")
    means = np.zeros((len(names), embeddings.shape[1]), embeddings.dtype)
    for place in np.unique(places[hears]):
        means[place] = embeddings[(places == place) & hears].mean(axis=0)
    train.columns["speaker_shift"] = means[places]


def can_tell_temperature(held_out: Dataset) -> bool:
    """
    Args:
        held_out (`Dataset`): of the schema.

    Returns:
        `bool`: whether it comes from enough speakers or videos, or from rows of which that is not known.
    """
    return are_enough(held_out["group"])


def fit_temperature(
    model: EmoSpeechForEmotionClassification,
    references: Sequence[int],
    logits: np.ndarray,
    groups: Sequence[str | None],
) -> bool:
    """
    Choose the [`best_temperature`] for held-out rows, and keep it in the model's config.

    One speaker tells how sure to be of that speaker alone: fitted on one, it doubled the calibration error on others
    (docs/experiments.md). So it stays as it is where the rows come from fewer than `LEAST_GROUPS`.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): its config is changed.
        references (`Sequence[int]`): class numbers of rows that were not trained on.
        logits (`np.ndarray` of shape `(rows, classes)`): the model's.
        groups (`Sequence[str]`): each row's speaker or video, `None` where it is not known.

    Returns:
        `bool`: whether it was fitted.
    """
    if not are_enough(groups):
        return False
    model.config.temperature = round(best_temperature(references, logits), 4)
    return True


def best_temperature(references: Sequence[int], logits: np.ndarray) -> float:
    """
    The temperature at which the model is, on average, as sure of held-out rows as it is right on them (Clarté et al.,
    "Expectation consistency for calibration of neural networks").

    The usual choice, the temperature that makes the true classes most likely, follows the few rows that the model is
    sure and wrong of; where those are one odd speaker's, it doubts all others too (docs/experiments.md).

    Args:
        references (`Sequence[int]`): class numbers.
        logits (`np.ndarray` of shape `(rows, classes)`): the model's, or the logarithms of its scores.

    Returns:
        `float`: between 1/8 and 8.
    """
    truth = np.asarray(references)
    # One right and one wrong row more: a handful that is all right is no reason to be certain.
    right = (np.sum(logits.argmax(axis=1) == truth) + 1) / (len(truth) + 2)

    def excess(log_temperature: float) -> float:
        return float(softmax(logits / math.exp(log_temperature), axis=1).max(axis=1).mean() - right)

    limit = math.log(8)
    if excess(-limit) <= 0:
        return math.exp(-limit)
    return math.exp(brentq(excess, -limit, limit) if excess(limit) < 0 else limit)


def are_enough(groups: Sequence[str | None]) -> bool:
    """
    Args:
        groups (`Sequence[str]`): each row's speaker or video, `None` where it is not known.

    Returns:
        `bool`: whether they are so many that a temperature can be told, or none is known.
    """
    known = set(groups) - {None}
    return not 0 < len(known) < LEAST_GROUPS

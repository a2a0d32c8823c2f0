"""How sure the model is of speakers it never heard, told by the training split itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from sklearn.model_selection import GroupKFold

from ..data import EmotionCollator
from ..modeling_emospeech import EmoSpeechForEmotionClassification
from .auxiliary import Auxiliary
from .checkpoint import set_trained_weights, trained_weights
from .feature_table import FeatureTable
from .fitting import training_rows
from .loop import EmotionTrainer
from .recipe import Recipe


def cross_fitted_logits(
    accelerator: Accelerator,
    model: EmoSpeechForEmotionClassification,
    collator: EmotionCollator,
    recipe: Recipe,
    train: FeatureTable,
    groups: Sequence[str | None],
    checkpoints: Path,
    auxiliary: Auxiliary | None = None,
) -> np.ndarray:
    """
    Train once for each of `temperature_folds` parts of the training split, on the others, and score that part.
    No speaker or video stands on both sides, so that a temperature can be fitted on all training rows as on strangers,
    and none of them is lost to validation.

    Args:
        accelerator (`Accelerator`), model ([`EmoSpeechForEmotionClassification`]), collator
        ([`~data.EmotionCollator`]): as in [`EmotionTrainer`]. The model ends as it began.
        recipe ([`Recipe`]): how it is trained.
        train ([`FeatureTable`]): the training split.
        groups (`Sequence[str]`): each row's speaker or video; a row of `None` is one by itself.
        checkpoints (`Path`): folder for those of the folds.
        auxiliary ([`Auxiliary`], *optional*): rows of other corpora, which each part is trained on as well.

    Returns:
        `np.ndarray` of shape `(rows, classes)`: logits, in the order of the rows.
    """
    keys = [f"row {row}" if group is None else f"group {group}" for row, group in enumerate(groups)]
    folds = min(recipe.training.temperature_folds, len(set(keys)))
    start = trained_weights(model)
    logits = np.zeros((len(train), model.num_labels), np.float32)
    for number, (kept, held) in enumerate(GroupKFold(folds).split(keys, groups=keys), 1):
        set_trained_weights(model, start)
        part = training_rows(model, recipe, train.subset(kept), [groups[row] for row in kept], auxiliary)
        options: dict[str, Any] = {"keep": "last", "early_stopping": 0}
        trainer = EmotionTrainer(
            accelerator,
            model,
            collator,
            replace(recipe.training, **options),
            checkpoints / f"temperature-{number}",
            f"Temperature, part {number} of {folds}",
        )
        trainer.fit(part, None, resume=True)
        logits[held] = trainer.predict(train.subset(held))
    set_trained_weights(model, start)
    return logits

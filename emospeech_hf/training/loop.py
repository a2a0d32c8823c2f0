"""The Accelerate loop: epochs, validation, best epoch, checkpoints."""

from __future__ import annotations

import logging
import math
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm
from transformers import get_scheduler

from ..data.batching import EpochBatchSampler
from ..data.collation import ROW_WEIGHT, EmotionCollator
from ..modeling_emospeech import EmoSpeechForEmotionClassification
from .building import build_augmentation
from .checkpoint import (
    load_averages,
    load_checkpoint,
    load_optimizer,
    save_checkpoint,
    set_trained_weights,
    trained_weights,
)
from .feature_table import FeatureTable
from .losses import EmotionLoss
from .optimization import WeightAverage, build_optimizer
from .recipe import TrainingRecipe


logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """
    How far a run has come; what a checkpoint's state holds.

    Args:
        epoch (`int`): epochs done.
        best_epoch (`int`): the epoch, from 1, whose weights are kept; 0 before the first.
        best_score (`float`): its validation macro-F1; -1 where none is measured.
        history (`list[dict]`): for each epoch its number, training loss, learning rate, and validation macro-F1 where
            there is a validation split.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)


class EmotionTrainer:
    """
    Trains a classifier on feature tables.

    Args:
        accelerator (`Accelerator`): devices, processes, precision, trackers.
        model ([`EmoSpeechForEmotionClassification`]): trained in place, as far as its parameters ask for gradients.
        collator ([`~data.EmotionCollator`]): makes the batches; those of training are augmented as the recipe says.
        recipe ([`TrainingRecipe`]): how.
        checkpoints (`Path`): folder of the checkpoints `last` and `best`.
        description (`str`, *optional*, defaults to `"Training"`): what the progress bar says.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        model: EmoSpeechForEmotionClassification,
        collator: EmotionCollator,
        recipe: TrainingRecipe,
        checkpoints: Path,
        description: str = "Training",
    ) -> None:
        self.accelerator = accelerator
        self.model = model
        self.collator = collator
        self.recipe = recipe
        self.checkpoints = checkpoints
        self.description = description
        self.progress = Progress()
        self.average: WeightAverage | None = None

    def fit(self, train: FeatureTable, validation: FeatureTable | None, resume: bool = False) -> Progress:
        """
        Train, and leave the weights of the best epoch, or of the last, in the model.

        Args:
            train ([`FeatureTable`]): labelled examples.
            validation ([`FeatureTable`], *optional*): labelled examples that the best epoch is chosen on.
            resume (`bool`, *optional*, defaults to `False`): go on from the last checkpoint, if there is one.

        Returns:
            [`Progress`]
        """
        recipe, accelerator = self.recipe, self.accelerator
        if recipe.gradient_checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        lengths = train.lengths if recipe.length_buckets else None
        labels = train.columns["label"] if recipe.sampling == "balanced" else None
        sampler = EpochBatchSampler(len(train), recipe.batch_size, recipe.seed, lengths, labels)
        augmentation = build_augmentation(recipe)
        collator = self.collator.augmented(recipe.text_masking, recipe.modality_dropout, augmentation)
        loader = DataLoader(train, batch_sampler=sampler, collate_fn=collator, num_workers=recipe.num_workers)
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optimizer = build_optimizer(self.model, recipe)
        last = self.checkpoints / "last"
        state = self._restore(last, optimizer) if resume and last.is_dir() else None
        counted = (train.columns["label"], self.model.num_labels, train.columns.get(ROW_WEIGHT))
        loss_function = EmotionLoss(recipe, *counted).to(accelerator.device)
        model, optimizer, loader = accelerator.prepare(self.model, optimizer, loader)
        if recipe.weight_averaging:
            self.average = WeightAverage(self.model, recipe.weight_averaging)
            if state is not None:
                self.average.load(load_averages(last), state["average_steps"])
        steps_per_epoch = math.ceil(len(loader) / recipe.gradient_accumulation_steps)
        total_steps = steps_per_epoch * recipe.epochs
        # Not prepared with the rest: Accelerate would step it once for each process.
        scheduler = get_scheduler(
            recipe.scheduler if recipe.scheduler != "constant" else "constant_with_warmup",
            optimizer,
            num_warmup_steps=round(recipe.warmup_ratio * total_steps),
            num_training_steps=total_steps,
        )
        if state is not None:
            self._restore_schedule(state, scheduler, optimizer)
        bar = tqdm(
            total=len(loader) * recipe.epochs,
            initial=len(loader) * self.progress.epoch,
            desc=self.description,
            unit="batch",
            disable=not accelerator.is_main_process,
        )
        while self.progress.epoch < recipe.epochs and not self._stopped_early():
            epoch = self.progress.epoch
            set_seed(recipe.seed + 1000 * (epoch + 1) + accelerator.process_index)
            # The prepared loader counts its own passes and would tell them to the sampler, from 0 after a resume.
            loader.set_epoch(epoch)
            sampler.set_epoch(epoch)
            learning_rate = max(scheduler.get_last_lr())
            loss = self._train_epoch(model, loader, optimizer, scheduler, loss_function, parameters, bar)
            with self.average.in_place() if self.average is not None else nullcontext():
                score = None if validation is None else self._validate(validation)
            self._end_epoch(loss, score, learning_rate, optimizer, scheduler)
            scores = {} if score is None else {"macro_f1": score, "best": self.progress.best_score}
            bar.set_postfix({name: f"{value:.3f}" for name, value in {"loss": loss, **scores}.items()})
        bar.close()
        accelerator.wait_for_everyone()
        weights, _ = load_checkpoint(self.checkpoints / "best")
        set_trained_weights(self.model, weights)
        return self.progress

    def predict(self, table: FeatureTable, present: tuple[bool, bool] | None = None) -> np.ndarray:
        """
        Args:
            table ([`FeatureTable`]): examples.
            present (`tuple[bool, bool]`, *optional*): whether the model is given speech and text; by default all that
                there is.

        Returns:
            `np.ndarray` of shape (rows, classes): logits, on every process, in the order of the rows.
        """
        return self._logits(table, present)

    def _train_epoch(
        self,
        model: nn.Module,
        loader: Any,
        optimizer: Any,
        scheduler: Any,
        loss_function: nn.Module,
        parameters: list[nn.Parameter],
        bar: tqdm[Any],
    ) -> float:
        model.train()
        matrices = [
            parameter
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad and parameter.ndim > 1 and "_encoder." not in name
        ]
        self._keep_frozen_encoders_still()
        # Summed on the device: asking for the value at every step would make a GPU wait.
        total = torch.zeros(2, device=self.accelerator.device)
        for batch in loader:
            with self.accelerator.accumulate(model):
                labels, row_weights = batch.pop("labels"), batch.pop(ROW_WEIGHT, None)
                loss = loss_function(model(**batch).logits, labels, row_weights)
                if self.recipe.l2_penalty:
                    loss = loss + self.recipe.l2_penalty / 2 * sum(matrix.square().sum() for matrix in matrices)
                self.accelerator.backward(loss)
                if self.accelerator.sync_gradients and self.recipe.max_grad_norm:
                    self.accelerator.clip_grad_norm_(parameters, self.recipe.max_grad_norm)
                optimizer.step()
                if self.accelerator.sync_gradients:
                    scheduler.step()
                    if self.average is not None:
                        self.average.update()
                optimizer.zero_grad()
            total += torch.stack([loss.detach(), torch.ones_like(loss)]) * len(labels)
            bar.update()
        gathered = self.accelerator.reduce(total, reduction="sum")
        return float(gathered[0] / gathered[1])

    def _validate(self, validation: FeatureTable) -> float:
        predictions = self._logits(validation).argmax(axis=1)
        return float(f1_score(validation.columns["label"], predictions, average="macro", zero_division=0.0))

    def _logits(self, table: FeatureTable, present: tuple[bool, bool] | None = None) -> np.ndarray:
        self.model.eval()
        loader = DataLoader(
            table,
            batch_size=self.recipe.eval_batch_size,
            collate_fn=self.collator,
            num_workers=self.recipe.num_workers,
        )
        loader = self.accelerator.prepare_data_loader(loader)
        logits = []
        with torch.no_grad():
            for batch in loader:
                batch.pop("labels", None)
                batch.pop(ROW_WEIGHT, None)
                rows = len(next(iter(batch.values())))
                if present is not None:
                    mask = torch.tensor(present, device=self.accelerator.device)
                    batch["modality_mask"] = mask.expand(rows, 2)
                # Not around the loader: a speech encoder's features are computed in it, in full precision.
                with self.accelerator.autocast():
                    scores = self.model(**batch).logits
                logits.append(self.accelerator.gather_for_metrics(scores.float()).cpu())
        return torch.cat(logits)[: len(table)].numpy()

    def _end_epoch(
        self, loss: float, score: float | None, learning_rate: float, optimizer: Any, scheduler: Any
    ) -> None:
        progress = self.progress
        progress.epoch += 1
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss of epoch {progress.epoch} is {loss}: lower the learning rate, or set mixed_precision=no."
            )
        improved = self.recipe.keep == "last" or (score is not None and score > progress.best_score)
        if improved:
            progress.best_epoch, progress.best_score = progress.epoch, -1.0 if score is None else score
        entry = {"epoch": progress.epoch, "loss": loss, "learning_rate": learning_rate}
        if score is not None:
            entry["macro_f1"] = score
        progress.history.append(entry)
        self.accelerator.log({name: value for name, value in entry.items() if name != "epoch"}, step=progress.epoch)
        if self.accelerator.is_main_process:
            weights = trained_weights(self.model)
            scaler = self.accelerator.scaler
            state = {
                "progress": asdict(progress),
                "scheduler": scheduler.state_dict(),
                "scaler": scaler.state_dict() if scaler is not None else None,
            }
            averages = None
            if self.average is not None:
                state["average_steps"] = self.average.steps
                averages = self.average.on_cpu()
            if improved:
                save_checkpoint(self.checkpoints / "best", {**weights, **(averages or {})}, state)
            save_checkpoint(self.checkpoints / "last", weights, state, optimizer, averages)

    def _restore(self, last: Path, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        weights, state = load_checkpoint(last)
        set_trained_weights(self.model, weights)
        load_optimizer(last, state, optimizer)
        self.progress = Progress(**state["progress"])
        logger.info("Resuming after epoch %d.", self.progress.epoch)
        return state

    def _restore_schedule(self, state: dict[str, Any], scheduler: Any, optimizer: Any) -> None:
        scheduler.load_state_dict(state["scheduler"])
        for group, learning_rate in zip(optimizer.param_groups, scheduler.get_last_lr()):
            group["lr"] = learning_rate
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    def _stopped_early(self) -> bool:
        waited = self.progress.epoch - self.progress.best_epoch
        return 0 < self.recipe.early_stopping <= waited

    def _keep_frozen_encoders_still(self) -> None:
        """Frozen encoders stay in evaluation mode: their dropout would make other features of the same input."""
        for encoder in (self.model.emospeech.text_encoder, self.model.emospeech.speech_encoder):
            if encoder is not None and not any(parameter.requires_grad for parameter in encoder.parameters()):
                encoder.eval()

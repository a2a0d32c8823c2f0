"""The scores of emospeech_hf as a module of the library `evaluate`."""

# The loader of `evaluate` reads imports line by line: one to a line.
import datasets
import evaluate
from emospeech_hf.configuration_emospeech import EMOTIONS
from emospeech_hf.evaluation.metrics import compute_metrics


DESCRIPTION = """\
Scores of an emotion classifier: macro-F1 (the measure of EmoSPeech 2024) with a 95 % bootstrap interval, weighted F1,
accuracy, macro precision and recall, unweighted average recall, scores per class, and the confusion matrix.
"""

INPUTS = """\
Args:
    predictions (`list[int]` or `list[str]`): the emotions that were told, as numbers or names.
    references (`list[int]` or `list[str]`): the emotions that are true.
    groups (`list[str]`, *optional*): speaker or source video of each row; the interval is then over groups.

Returns:
    `dict`: see `emospeech_hf.evaluation.compute_metrics`.
"""

CITATION = """\
@inproceedings{soto2024cognicic,
  title = {CogniCIC at EmoSPeech-IberLEF2024: Exploring Multimodal Emotion Recognition in Spanish},
  author = {Soto, Miguel and Macias, Cesar and Cardoso-Moreno, Marco and Alcántara, Tania and García, Omar and Calvo, Hiram},
  booktitle = {Proceedings of the Iberian Languages Evaluation Forum (IberLEF 2024)},
  year = {2024}
}
"""


class EmotionScores(evaluate.Metric):
    """`evaluate.load("emospeech_hf/evaluation/emotion_scores").compute(predictions=..., references=...)`."""

    def _info(self) -> evaluate.MetricInfo:
        kinds = [
            datasets.Features({"predictions": datasets.Value(kind), "references": datasets.Value(kind)})
            for kind in ("int64", "string")
        ]
        return evaluate.MetricInfo(
            description=DESCRIPTION, citation=CITATION, inputs_description=INPUTS, features=kinds
        )

    def _compute(
        self, predictions: list[int | str], references: list[int | str], groups: list[str] | None = None
    ) -> dict[str, object]:
        return compute_metrics(_numbers(references), _numbers(predictions), EMOTIONS, groups)


def _numbers(labels: list[int | str]) -> list[int]:
    unknown = sorted({label for label in labels if isinstance(label, str) and label not in EMOTIONS})
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of the emotions {', '.join(EMOTIONS)}.")
    return [EMOTIONS.index(label) if isinstance(label, str) else int(label) for label in labels]

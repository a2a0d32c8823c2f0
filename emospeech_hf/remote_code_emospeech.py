"""What lets a saved model be loaded where this package is not installed: its own code, and the names to find it by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


MODEL_CODE = {
    "AutoConfig": "configuration_emospeech.EmoSpeechConfig",
    "AutoModel": "modeling_emospeech.EmoSpeechModel",
    "AutoModelForAudioClassification": "modeling_emospeech.EmoSpeechForEmotionClassification",
    "AutoModelForSequenceClassification": "modeling_emospeech.EmoSpeechForEmotionClassification",
}
"""
The `auto_map` of a model's config. Of a file that is named here, transformers up to 5.0 copies what it imports itself,
and not what that imports in turn; so these files import all that they stand on.
"""

PROCESSOR_CODE = {
    "AutoFeatureExtractor": "feature_extraction_emospeech.EmoSpeechFeatureExtractor",
    "AutoProcessor": "processing_emospeech.EmoSpeechProcessor",
}
"""The `auto_map` of a processor's config and of its feature extractor's."""

TASK = "audio-text-emotion"
"""Name of the pipeline task."""

PIPELINE_CODE = {
    TASK: {
        "impl": "pipeline_emospeech.AudioTextEmotionPipeline",
        "pt": ["AutoModelForAudioClassification"],
        "type": "multimodal",
    }
}
"""The `custom_pipelines` of a model's config."""


class InstalledTasks(dict[str, Any]):
    """The `custom_pipelines` of a config that is read by the installed package instead of a release's own code.

    `transformers.pipeline` looks a task up in `config.custom_pipelines` first, and when it is there, refuses to go on
    without `trust_remote_code=True`. With the package installed no remote code is needed: the task may still be
    inferred from the keys of this mapping, but it holds none of them, so that the registered pipeline is used.
    """

    def __contains__(self, task: object) -> bool:
        return False


def is_remote_code() -> bool:
    """Whether this code was taken out of a release by transformers, rather than imported from the package."""
    return __name__.startswith("transformers_modules")


def carry_code(folder: str | os.PathLike[str]) -> None:
    """
    Put this code into a saved folder, file by file as it is.

    Args:
        folder (`str` or `PathLike`): the folder, which exists. If it is where the code lies, nothing is done.
    """
    own = Path(__file__).resolve().parent
    if own == Path(folder).resolve():
        return
    for file in sorted(own.glob("*_emospeech.py")):
        Path(folder, file.name).write_bytes(file.read_bytes())


__all__ = [
    "MODEL_CODE",
    "PIPELINE_CODE",
    "PROCESSOR_CODE",
    "TASK",
    "InstalledTasks",
    "carry_code",
    "is_remote_code",
]

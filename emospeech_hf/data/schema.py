"""What a corpus is here: its columns, their types, and the names under which corpora spell them."""

from __future__ import annotations

from datasets import Audio, ClassLabel, Features, Value

from ..configuration_emospeech import EMOTIONS


SPLITS = ("train", "validation", "test")

ID_COLUMNS = ("id", "filename")
TEXT_COLUMNS = ("text", "transcription")
GROUP_COLUMNS = ("group", "speaker", "youtube_key")


def corpus_features() -> Features:
    """
    The schema of every corpus in this package.

    Returns:
        `datasets.Features` with

        - `id` (string): unique over all splits,
        - `group` (string, may be null): speaker or source video; no group may stand on both sides of a split,
        - `audio` (`Audio`, not decoded, may be null): path or bytes of one utterance,
        - `text` (string): its transcript,
        - `label` (`ClassLabel`, may be null in a test split): one of the six emotions,
        - `gender` (string, may be null): the speaker's, where the corpus tells it.
    """
    return Features(
        {
            "id": Value("string"),
            "group": Value("string"),
            "audio": Audio(decode=False),
            "text": Value("string"),
            "label": ClassLabel(names=list(EMOTIONS)),
            "gender": Value("string"),
        }
    )

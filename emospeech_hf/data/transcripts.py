"""Whether two transcripts are the same, but for how they are written."""

from __future__ import annotations

import unicodedata


LEAST_WORDS = 5
"""Transcripts of fewer words are not compared: anybody may say «muchas gracias a todos»."""


def telling_transcript(text: str) -> str:
    """
    Args:
        text (`str`): a transcript.

    Returns:
        `str`: it in lower case, without accents, punctuation and doubled blanks; `""` if it has fewer than
        `LEAST_WORDS` words.
    """
    letters = (letter for letter in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(letter))
    words = "".join(letter if letter.isalnum() else " " for letter in letters).split()
    return " ".join(words) if len(words) >= LEAST_WORDS else ""

"""Transcripts are compared as they are said, not as they are written."""

from __future__ import annotations

from emospeech_hf.data.transcripts import telling_transcript


def test_writing_does_not_matter_and_short_ones_tell_nothing() -> None:
    assert telling_transcript("¡Qué  alegría verte, de nuevo!") == "que alegria verte de nuevo"
    assert telling_transcript("que alegria verte de nuevo") == "que alegria verte de nuevo"
    assert telling_transcript("Muchas gracias a todos.") == ""
    assert telling_transcript("") == ""

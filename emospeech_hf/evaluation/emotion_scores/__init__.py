"""A module for the library `evaluate`: `evaluate.load("emospeech_hf/evaluation/emotion_scores")`, offline."""

from .emotion_scores import EmotionScores


__all__ = ["EmotionScores"]

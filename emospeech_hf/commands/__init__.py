"""The commands of `emospeech`: each module adds some of them to the parser, and runs them."""

from . import experiments, publishing, scoring


__all__ = ["experiments", "publishing", "scoring"]

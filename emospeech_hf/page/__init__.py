"""The page where people try a model: on this machine, and as a Space."""

from .space import build_space


__all__ = ["build_space"]

"""Release folders and their cards."""

from .cards import model_card
from .release import build_release, ground_floor_files


__all__ = ["build_release", "ground_floor_files", "model_card"]

"""Release folders and their cards; their way to the Hub and back."""

from .cards import model_card
from .checking import ReleaseError, check_release, run_stranger
from .release import build_release, ground_floor_files


__all__ = ["ReleaseError", "build_release", "check_release", "ground_floor_files", "model_card", "run_stranger"]

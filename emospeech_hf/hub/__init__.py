"""Release folders and their cards; their way to the Hub and back."""

from .cards import model_card
from .checking import ReleaseError, check_release, run_stranger
from .push import PushError, PushResult, folder_files, pickled_files, push_folder
from .release import build_release, ground_floor_files


__all__ = [
    "PushError",
    "PushResult",
    "ReleaseError",
    "build_release",
    "check_release",
    "folder_files",
    "ground_floor_files",
    "model_card",
    "pickled_files",
    "push_folder",
    "run_stranger",
]

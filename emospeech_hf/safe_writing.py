"""Writing such that a kill at any moment leaves the old file or folder, or the new one, never half of it."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """
    Write a text file aside and rename it into place.

    Args:
        path (`Path`): the file; its folder is made where it is missing.
        text (`str`): its content.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """
    Write a file aside and rename it into place.

    Args:
        path (`Path`): the file; its folder is made where it is missing.
        content (`bytes`): its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    aside.write_bytes(content)
    os.replace(aside, path)


def write_json(path: Path, content: Any) -> None:
    """
    Write a JSON file aside and rename it into place.

    Args:
        path (`Path`): the file; its folder is made where it is missing.
        content (`Any`): what JSON can express; NaN is refused.
    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """
    A new, empty folder to fill; at the end it takes the place of `folder`. On an exception `folder` stays as it was.

    Args:
        folder (`Path`): the folder to replace, or to make.

    Yields:
        `Path`: the folder to fill.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.parent.glob(f".{folder.name}.*.partial"):
        shutil.rmtree(left_behind, ignore_errors=True)
    retired = folder.with_name(f".{folder.name}.retired")
    if retired.exists():
        # A kill between the two renames below: nothing has taken the folder's place yet.
        if folder.exists():
            shutil.rmtree(retired)
        else:
            os.replace(retired, folder)
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    aside.mkdir()
    try:
        yield aside
        if folder.exists() and not _exchange(aside, folder):
            os.replace(folder, retired)
        if not folder.exists():
            os.replace(aside, folder)
        shutil.rmtree(retired, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """
    Let two folders change places in one step, as Linux and macOS can on most file systems.

    Two renames would do it everywhere, but a kill between them would leave nothing in the folder's place until the next
    call of [`replaced_folder`] mends it; that is what is left to systems where this returns `False`.
    """
    if sys.platform not in ("linux", "darwin"):
        return False
    names = [os.fsencode(path.resolve()) for path in (first, second)]
    library = ctypes.CDLL(None)
    try:
        if sys.platform == "linux":
            current_folder, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
            failed = library.renameat2(current_folder, names[0], current_folder, names[1], exchange)
        else:
            failed = library.renamex_np(*names, 2)  # RENAME_SWAP
    except AttributeError:  # a C library that is older than the call
        return False
    return bool(failed == 0)

"""A kill at any moment leaves the old or the new."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emospeech_hf import safe_writing
from emospeech_hf.safe_writing import replaced_folder, write_json


def test_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    for content in ("old", "new"):
        with replaced_folder(folder) as aside:
            (aside / content).touch()
            assert folder.exists() == (content == "new")
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_an_error_leaves_the_old(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "old").touch()

    def fail() -> None:
        with replaced_folder(folder) as aside:
            (aside / "new").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_a_kill_leaves_the_old_and_the_next_run_clears_up(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "old").touch()
    script = (
        "import sys, time, pathlib; from emospeech_hf.safe_writing import replaced_folder\n"
        "with replaced_folder(pathlib.Path(sys.argv[1])) as aside:\n"
        "    (aside / 'half').touch(); print('ready', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [path.name for path in folder.iterdir()] == ["old"]
    with replaced_folder(folder) as aside:
        (aside / "new").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_a_kill_between_the_renames_is_mended(tmp_path: Path) -> None:
    retired = tmp_path / ".release.retired"
    retired.mkdir()
    (retired / "old").touch()

    def fail() -> None:
        with replaced_folder(tmp_path / "release"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "release" / "old").exists()


def test_a_system_that_cannot_exchange_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_writing, "_exchange", lambda first, second: False)
    test_folder_is_replaced_whole(tmp_path)


def test_a_kill_at_any_moment_leaves_a_whole_folder(tmp_path: Path) -> None:
    """A process replaces a folder of ten files over and over, and is killed in the midst of it, again and again."""
    folder = tmp_path / "release"
    script = (
        # The module alone: the package around it takes seconds to import.
        "import itertools, pathlib, runpy, sys\n"
        "replaced_folder = runpy.run_path(sys.argv[2])['replaced_folder']\n"
        "for version in itertools.count():\n"
        "    with replaced_folder(pathlib.Path(sys.argv[1])) as aside:\n"
        "        for name in range(10): (aside / str(name)).write_text(str(version))\n"
        "    if version == 0: print('ready', flush=True)\n"
    )
    for attempt in range(8):
        arguments = [sys.executable, "-c", script, str(folder), safe_writing.__file__]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05 + 0.0137 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        contents = {path.name: path.read_text() for path in folder.iterdir()}
        assert len(contents) == 10
        assert len(set(contents.values())) == 1


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "metrics.json"
    write_json(path, {"ñ": 1.5})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ñ": 1.5}
    before = path.stat().st_mtime_ns
    time.sleep(0.01)
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"score": float("nan")})
    assert path.stat().st_mtime_ns == before
    assert len(list(path.parent.iterdir())) == 1

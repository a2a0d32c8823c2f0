"""Who may import whom: the arrows of CONTRIBUTING.md, held against the code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import emospeech_hf
from emospeech_hf.remote_code_emospeech import MODEL_CODE, PIPELINE_CODE, PROCESSOR_CODE


PACKAGE = Path(emospeech_hf.__file__).parent
# Beside those that a release's card names: soxr comes with librosa, and safetensors with transformers.
GROUND_FLOOR_LIBRARIES = {"numpy", "torch", "transformers", "librosa", "soundfile", "soxr", "safetensors"}
# Each part of the package, and the parts it may import beside the ground floor and `safe_writing`.
ARROWS = {
    "data": {"data"},
    "evaluation": {"evaluation"},
    "hub": {"hub"},
    "page": {"page", "hub"},
    "training": {"training", "data", "evaluation", "hub"},
}


def imports_of(path: Path) -> list[tuple[int, str]]:
    """Level and first name of every import, wherever in the file it stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found += [(node.level, name.split(".")[0]) for name in names if name]
    return found


GROUND_FLOOR = sorted(PACKAGE.glob("*_emospeech.py"))


@pytest.mark.parametrize("path", GROUND_FLOOR, ids=lambda path: path.name)
def test_ground_floor_stands_alone(path: Path) -> None:
    for level, name in imports_of(path):
        if level == 0:
            assert name in GROUND_FLOOR_LIBRARIES | sys.stdlib_module_names, name
            assert name not in {"socket", "urllib", "http", "subprocess", "pickle", "shutil"}, name
        else:
            assert level == 1
            assert name.endswith("_emospeech"), name


ENTRIES = sorted(
    {
        name.split(".")[0]
        for name in (
            *MODEL_CODE.values(),
            *PROCESSOR_CODE.values(),
            *(task["impl"] for task in PIPELINE_CODE.values()),
        )
    }
)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_of_the_remote_code_imports_all_that_it_stands_on(entry: str) -> None:
    """transformers up to 5.0 copies an entry and what it imports itself; the next file down is not found then."""

    def own(name: str) -> set[str]:
        return {found for level, found in imports_of(PACKAGE / f"{name}.py") if level == 1}

    direct = own(entry)
    waiting, needed = list(direct), set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += own(name)
    assert needed - {entry} <= direct


@pytest.mark.parametrize("part", ARROWS)
def test_arrows(part: str) -> None:
    allowed = ARROWS[part] | {path.stem for path in GROUND_FLOOR} | {"safe_writing", "__version__"}
    for path in (PACKAGE / part).glob("*.py"):
        for level, name in imports_of(path):
            assert not (level == 0 and name == "emospeech_hf"), f"{path}: relative imports only"
            if level == 2:
                assert name in allowed, f"{path} imports {name}"


def test_nothing_imports_the_command_line() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert (1, "cli") not in imports_of(path), path
        assert (2, "cli") not in imports_of(path), path


def test_nothing_unpickles() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "pickle" not in {name for _, name in imports_of(path)}, path
        assert "torch.load(" not in text, path


def test_importing_the_package_is_light_and_offline() -> None:
    """No network, no heavy optional parts, no global device."""
    script = (
        "import socket, sys\n"
        "def refuse(*arguments, **keywords): raise AssertionError('network at import')\n"
        "socket.socket.connect = refuse\n"
        "import emospeech_hf\n"
        "heavy = {'librosa.core', 'datasets', 'sklearn', 'matplotlib.figure', 'tensorboard'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

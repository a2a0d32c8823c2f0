"""What the documents say can be done, can be done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from emospeech_hf.cli import build_parser
from emospeech_hf.hub import build_release
from emospeech_hf.training import load_recipe
from emospeech_hf.training.command import build_parser as build_training_parser

from .conftest import write_corpus


ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """The command lines of all shell blocks, with continued lines joined."""
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def test_the_two_commands_come_first() -> None:
    assert commands(README)[:2] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "quality", "style"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("command", [c for c in commands(README) if "emospeech " in c or "train_accelerate.py" in c])
def test_commands_parse(command: str) -> None:
    words = shlex.split(command)
    if "train_accelerate.py" in command:
        arguments = words[words.index(next(word for word in words if word.endswith("train_accelerate.py"))) + 1 :]
        options = build_training_parser().parse_intermixed_args(arguments)
        load_recipe(options.recipe, options.settings)
    else:
        build_parser().parse_args(words[1:])


def test_python_blocks_run(
    model: object, processor: object, wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one go, as a reader would type them, with a tiny model in the place of the named ones."""
    build_release(model, processor, tmp_path / "runs/demo/release")
    (tmp_path / "runs/demo/example.wav").write_bytes(wav.read_bytes())
    write_corpus(tmp_path / "corpus")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102


def test_citation_names_paper_and_corpus() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    titles = " ".join(reference["title"] for reference in citation["references"])
    assert "CogniCIC at EmoSPeech-IberLEF2024" in titles
    assert "Spanish MEACorpus 2023" in titles


def test_every_dependency_has_its_reason() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = re.findall(r'^\s+"([A-Za-z-]+)[><=\[]', project, re.MULTILINE)
    assert len(names) > 15
    for name in names:
        if name != "emospeech-hf":
            assert f"`{name}`" in contributing, name


def test_constraints_pin_every_dependency() -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in re.findall(r'^\s+"([A-Za-z-]+)[><=\[]', project, re.MULTILINE):
        if name != "emospeech-hf":
            assert re.search(rf"^{name.lower()}==", constraints, re.MULTILINE), name

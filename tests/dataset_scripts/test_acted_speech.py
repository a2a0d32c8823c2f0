"""EMOVO, EMO-DB, RAVDESS and nEMO: speakers and emotions from the names of their files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from huggingface_hub import DatasetCard

from emospeech_hf import EMOTIONS
from emospeech_hf.data import load_corpus

from ..conftest import tone


SCRIPT = Path(__file__).parents[2] / "dataset_scripts/acted_speech.py"
FILES = {
    "emovo": {
        "f1/dis-f1-b1.wav": ("f1", "disgust", "female"),
        "m2/gio-m2-l4.wav": ("m2", "joy", "male"),
        "m2/sor-m2-l4.wav": None,
    },
    "emodb": {
        "wav/03a01Wa.wav": ("03", "anger", "male"),
        "wav/16b10Tb.wav": ("16", "sadness", "female"),
        "wav/16b10Lb.wav": None,
    },
    "ravdess": {
        "Actor_01/03-01-06-01-02-01-01.wav": ("01", "fear", "male"),
        "Actor_02/03-01-01-01-02-01-02.wav": ("02", "neutral", "female"),
        "Actor_02/03-01-08-01-02-01-02.wav": None,
        "Actor_02/03-02-05-01-02-01-02.wav": None,  # sung
    },
    "nemo": {
        "samples/WR0_happiness_64.wav": ("WR0", "joy", "male"),
        "samples/EB0_neutral_13.wav": ("EB0", "neutral", "female"),
        "samples/WR0_surprised_64.wav": None,
    },
}  # fmt: skip


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("corpus", sorted(FILES))
def test_names_tell_speaker_and_emotion(corpus: str, tmp_path: Path) -> None:
    files = FILES[corpus]
    for place, name in enumerate([*files, f"copy/{next(iter(files))}"]):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(0.2, 16_000, pitch=200 + 10 * place), 16_000)
    done = run(corpus, "--folder", tmp_path / "in", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert ": 2 recordings; 1 of other moods are left out." in done.stdout
    rows = load_corpus(tmp_path / "out", ["speech"])["train"]
    found = {row["id"]: (row["group"], EMOTIONS[row["label"]], row["gender"]) for row in rows}
    assert found == {Path(name).name: told for name, told in files.items() if told is not None}
    assert set(rows["text"]) == {""}
    card = DatasetCard.load(tmp_path / "out/README.md")
    assert card.data.language == {"emovo": "it", "emodb": "de", "ravdess": "en", "nemo": "pl"}[corpus]


def test_another_folder_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "utterance.wav", tone(0.2, 16_000), 16_000)
    done = run("emovo", "--folder", tmp_path, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "no file in it is named as in emovo" in done.stderr
    assert "Traceback" not in done.stderr
    done = run("emovo", "--folder", tmp_path / "nowhere", "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "is no folder" in done.stderr

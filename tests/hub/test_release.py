"""The release folder: complete, and nothing in it that does not belong there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from emospeech_hf import EmoSpeechForEmotionClassification, EmoSpeechProcessor
from emospeech_hf.hub import ReleaseError, build_release, check_release, ground_floor_files


def test_what_it_holds(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path, tmp_path: Path
) -> None:
    folder = build_release(model, processor, tmp_path / "release", pictures={"picture.png": wav})
    names = {path.name for path in folder.iterdir()}
    assert names == {file.name for file in ground_floor_files()} | {
        "LICENSE", "README.md", "config.json", "model.safetensors", "picture.png", "preprocessor_config.json",
        "processor_config.json", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    for file in ground_floor_files():
        assert (folder / file.name).read_bytes() == file.read_bytes()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert set(config["auto_map"]) == {
        "AutoConfig", "AutoModel", "AutoModelForAudioClassification", "AutoModelForSequenceClassification",
    }  # fmt: skip
    assert list(config["custom_pipelines"]) == ["audio-text-emotion"]


def test_using_the_tokenizer_does_not_change_the_release(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path, tmp_path: Path
) -> None:
    build_release(model, processor, tmp_path / "before")
    processor(audio=wav, text="hola", max_length=7)
    build_release(model, processor, tmp_path / "after")
    for path in (tmp_path / "before").iterdir():
        assert path.read_bytes() == (tmp_path / "after" / path.name).read_bytes(), path.name


def test_releasing_a_release_again_gives_the_same(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, tmp_path: Path
) -> None:
    first = build_release(model, processor, tmp_path / "first")
    loaded = EmoSpeechForEmotionClassification.from_pretrained(first)
    second = build_release(loaded, EmoSpeechProcessor.from_pretrained(first), tmp_path / "second")
    for path in first.iterdir():
        if path.suffix != ".json":
            assert path.read_bytes() == (second / path.name).read_bytes(), path.name
    again = EmoSpeechForEmotionClassification.from_pretrained(second)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_an_older_release_survives_a_failure(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, tmp_path: Path
) -> None:
    folder = build_release(model, processor, tmp_path / "release")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileNotFoundError):
        build_release(model, processor, folder, pictures={"picture.png": tmp_path / "missing.png"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_release_is_checked_as_a_stranger_would(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, tmp_path: Path
) -> None:
    folder = build_release(model, processor, tmp_path / "release", check=True)
    assert (folder / "model.safetensors").exists()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with torch.no_grad():
        weights = model.classifier[-1].weight
        own = weights.clone()
        with pytest.MonkeyPatch.context() as patch:

            def disturbed(*arguments: object) -> None:
                weights.add_(1.0)
                check_release(*arguments)

            patch.setattr("emospeech_hf.hub.release.check_release", disturbed)
            with pytest.raises(ReleaseError, match="gives other logits"):
                build_release(model, processor, folder, check=True)
        weights.copy_(own)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_release_whose_code_does_not_run(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, tmp_path: Path
) -> None:
    folder = build_release(model, processor, tmp_path / "release")
    with (folder / "modeling_emospeech.py").open("a", encoding="utf-8") as file:
        file.write("import emospeech_hf\n")
    with pytest.raises(ReleaseError, match=r"does not work in a process without this package:(?s:.)*emospeech_hf"):
        check_release(folder, model, processor)

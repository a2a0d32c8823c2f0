"""What the page says, without a browser; and the Space that is made of it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import gradio_client
import numpy as np
import pytest
import soundfile
from huggingface_hub import HfApi, SpaceCard
from transformers import BertConfig, BertTokenizer, pipeline

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.cli import main
from emospeech_hf.hub import build_release, push_folder
from emospeech_hf.page import app, build_space

from ..conftest import tone
from ..hub.conftest import api, hub
from ..loopback_hub import LoopbackHub


__all__ = ["api", "hub"]  # fixtures

METRICS = {"calibration": {"bins": [{"low": 0.0, "high": 1.0, "confidence": 0.5, "accuracy": 0.25, "n": 40}]}}


@pytest.fixture
def classify(model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor) -> object:
    return pipeline("audio-text-emotion", model=model, processor=processor)


@pytest.mark.parametrize("language", app.LANGUAGES)
def test_an_answer(language: str, classify: object, wav: Path) -> None:
    scores, words = app.tell_emotion(classify, str(wav), "qué alegría verte", language, METRICS)
    own = app.TEXTS[language]
    assert sorted(scores) == sorted(own[label] for label in ("anger", "disgust", "fear", "joy", "neutral", "sadness"))
    assert sum(scores.values()) == pytest.approx(1)
    assert max(scores, key=scores.get) in words
    assert "25%" in words
    assert "40" in words
    _, unknown = app.tell_emotion(classify, str(wav), "qué alegría verte", language, None)
    assert own["uncalibrated"] in unknown


def test_two_emotions_close_together_are_told_as_doubtful(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path
) -> None:
    model.classifier[-1].weight.data.zero_()
    model.classifier[-1].bias.data.zero_()
    classify = pipeline("audio-text-emotion", model=model, processor=processor)
    assert "close behind" in app.tell_emotion(classify, str(wav), "hola", "English", None)[1]
    model.classifier[-1].bias.data[3] = 5.0
    assert "close behind" not in app.tell_emotion(classify, str(wav), "hola", "English", None)[1]


def test_bad_input_is_told_on_the_page(classify: object, wav: Path, tmp_path: Path) -> None:
    bad = tmp_path / "broken.wav"
    bad.write_bytes(b"no sound")
    for path, text, message in (
        (None, "hola", "recording is missing"),
        (str(wav), "  ", "transcript is missing"),
        (str(bad), "hola", "cannot be used: broken.wav: cannot be decoded"),
    ):
        scores, words = app.tell_emotion(classify, path, text, "English", None)
        assert scores is None
        assert message in words
        assert str(tmp_path) not in words


@pytest.mark.parametrize("language", app.LANGUAGES)
def test_a_transcript_that_is_left_out_is_written(
    language: str, model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path
) -> None:
    classify = pipeline(
        "audio-text-emotion", model=model, processor=processor, transcriber=lambda recording: {"text": "qué alegría"}
    )
    scores, words = app.tell_emotion(classify, str(wav), "  ", language, None)
    given, silent = app.tell_emotion(classify, str(wav), "qué alegría", language, None)
    assert scores == given
    assert app.TEXTS[language]["heard"].format(text="qué alegría") in words
    assert "qué alegría" not in silent
    assert "recording is missing" in app.tell_emotion(classify, None, "", "English", None)[1]
    assert app.build_page(classify) is not None


def test_both_languages_say_the_same_things() -> None:
    spanish, english = app.TEXTS.values()
    assert spanish.keys() == english.keys()
    for name in spanish:
        fields = [{part[1:-1] for part in texts[name].split() if part.startswith("{")} for texts in (spanish, english)]
        assert fields[0] == fields[1], name


@pytest.mark.parametrize("modality", ["speech", "text"])
def test_a_page_for_one_modality(modality: str, text_config: BertConfig, tokenizer: BertTokenizer, wav: Path) -> None:
    config = EmoSpeechConfig(
        text_config=None if modality == "speech" else text_config, num_mfcc=0 if modality == "text" else 128
    )
    processor = EmoSpeechProcessor(
        EmoSpeechFeatureExtractor(num_mfcc=config.num_mfcc), None if modality == "speech" else tokenizer
    )
    model = EmoSpeechForEmotionClassification(config)
    classify = pipeline("audio-text-emotion", model=model, processor=processor)
    scores, _ = app.tell_emotion(
        classify, str(wav) if modality == "speech" else None, "hola" if modality == "text" else "", "English", None
    )
    assert len(scores) == 6
    page = app.build_page(classify)
    visible = {block.elem_id: block.visible for block in page.blocks.values() if block.elem_id}
    assert visible["audio"] == (modality == "speech")
    assert visible["transcript"] == (modality == "text")


def test_uploads_are_deleted(classify: object, wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    monkeypatch.setattr(app, "KEEP_SECONDS", 2)
    monkeypatch.setattr(app, "LOOK_SECONDS", 1)
    page = app.build_page(classify)
    _, url, _ = app.launch_page(page, prevent_thread_lock=True, quiet=True)
    try:
        client = gradio_client.Client(url, verbose=False)
        answer, words = client.predict(gradio_client.handle_file(str(wav)), "hola", "English", api_name="/tell_emotion")
        assert answer["label"] in words
        assert list(uploads.rglob("*.wav"))
        deadline = time.monotonic() + 20
        while list(uploads.rglob("*.wav")):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        page.close()


def test_the_page_stands_alone() -> None:
    """It is the whole `app.py` of a Space, where this package is not."""
    names = set()
    for node in ast.walk(ast.parse(Path(app.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(str(node.module).split(".")[0])
    assert names - sys.stdlib_module_names == {"gradio", "pandas", "transformers"}


def test_a_space(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path, tmp_path: Path,
    hub: LoopbackHub, api: HfApi,
) -> None:  # fmt: skip
    """Made, pushed, and its page built in a process that cannot reach this package."""
    release = build_release(model, processor, tmp_path / "release", {**METRICS})
    push_folder(release, "ana/emociones", api=api)
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "hola.wav").write_bytes(wav.read_bytes())
    (clips / "hola.txt").write_text("hola\n", encoding="utf-8")
    (clips / "sin_texto.wav").write_bytes(wav.read_bytes())
    arguments = ["push-space", "ana/page", "--model", "ana/emociones", "--revision", "v1", "--examples", str(clips)]
    main([*arguments, "--to", str(tmp_path / "space")])
    files = set(hub.repository("ana/page", "space").head.files) - {".gitattributes"}
    assert files == {
        "README.md", "app.py", "page.json", "requirements.txt", "examples/hola.wav", "examples/hola.txt",
    }  # fmt: skip
    assert hub.repository("ana/page", "space").sdk == "gradio"
    card = SpaceCard((tmp_path / "space/README.md").read_text(encoding="utf-8")).data
    assert (card.sdk, card.app_file, card.models) == ("gradio", "app.py", ["ana/emociones"])
    script = (
        "import sys; sys.modules['emospeech_hf'] = None; sys.path.insert(0, '.')\n"
        "import app, gradio\n"
        "app.launch_page = lambda page: print(type(page).__name__, len(page.blocks))\n"
        "app.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "space", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Blocks")


def test_a_space_without_measured_calibration(tmp_path: Path) -> None:
    folder = build_space("ana/emociones", "v1", tmp_path / "space")
    settings = json.loads((folder / "page.json").read_text(encoding="utf-8"))
    assert settings == {"model": "ana/emociones", "revision": "v1", "metrics": None, "transcriber": None}
    assert not (folder / "examples").exists()


def test_a_page_of_a_model_that_does_without_one_of_them(
    text_config: BertConfig, tokenizer: BertTokenizer, wav: Path
) -> None:
    config = EmoSpeechConfig(text_config=text_config, fusion="mean", missing_modalities=True)
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(), tokenizer)
    classify = pipeline(
        "audio-text-emotion", model=EmoSpeechForEmotionClassification(config), processor=processor, device=-1
    )
    both, heard, read = (
        app.tell_emotion(classify, path, text, "English", None)[0]
        for path, text in ((str(wav), "hola"), (str(wav), " "), (None, "hola"))
    )
    assert both != heard != read
    assert "recording is missing" in app.tell_emotion(classify, None, " ", "English", None)[1]
    assert app.TEXTS["Español"]["transcript_optional"] in str(app.build_page(classify).config)


@pytest.mark.parametrize("language", app.LANGUAGES)
def test_a_long_recording_fills_the_page_as_it_is_heard(language: str, tmp_path: Path) -> None:
    classify = pipeline(
        "audio-text-emotion",
        model=EmoSpeechForEmotionClassification(EmoSpeechConfig(text_config=None, num_mfcc=13, standardize=True)),
        processor=EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=13)),
        device=-1,
    )
    assert app.can_tell_long(classify)
    samples = np.concatenate([tone(30.0, 8_000), np.zeros(16 * 8_000)])
    soundfile.write(tmp_path / "long.wav", samples, 8_000)
    texts = app.TEXTS[language]
    states = list(app.tell_timeline(classify, str(tmp_path / "long.wav"), False, language))
    assert len(states) > 1
    tables = [table.value["data"] for _, table, _ in states]
    assert [len(table) for table in tables] == sorted(len(table) for table in tables)
    expected = classify(str(tmp_path / "long.wav"), return_timestamps=True, own_profile=False)
    assert [row[2] for row in tables[-1]] == [texts.get(entry["label"], entry["label"]) for entry in expected]
    assert tables[-1][-1][2:4] == [texts["silence"], ""]
    adapted = list(app.tell_timeline(classify, str(tmp_path / "long.wav"), True, language))
    assert len(adapted[-1][1].value["data"]) == len(expected)
    assert app.tell_timeline(classify, None, False, language).__next__()[2] == f"⚠️ {texts['no_audio']}"
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    _, _, wrong = list(app.tell_timeline(classify, str(tmp_path / "broken.wav"), False, language))[-1]
    assert "broken.wav" in wrong
    assert str(tmp_path) not in wrong


def test_who_can_hear_a_long_recording(classify: object, model: object, processor: object) -> None:
    """A model that also reads needs somebody to write."""
    assert not app.can_tell_long(classify)
    writes = pipeline(
        "audio-text-emotion", model=model, processor=processor, transcriber=lambda recording: {"text": "hola"}
    )
    assert app.can_tell_long(writes)

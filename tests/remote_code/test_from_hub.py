"""From the Hub and back: what was pushed loads as a stranger loads it, to the same logits, and does not change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi
from transformers import pipeline

from emospeech_hf import EmoSpeechForEmotionClassification, EmoSpeechProcessor
from emospeech_hf.hub import build_release, push_folder

from ..hub.conftest import api, hub
from ..loopback_hub import LoopbackHub


__all__ = ["api", "hub"]  # fixtures

STRANGER = """
import json, sys
sys.modules["emospeech_hf"] = None
name, revision, wav = sys.argv[1:]
import torch
from transformers import AutoModel, AutoModelForAudioClassification, AutoProcessor, pipeline
options = {"trust_remote_code": True, "revision": revision}
processor = AutoProcessor.from_pretrained(name, **options)
inputs = processor(audio=wav, text="me siento muy triste", return_tensors="pt")
with torch.no_grad():
    logits = AutoModelForAudioClassification.from_pretrained(name, **options)(**inputs).logits
    AutoModel.from_pretrained(name, **options)(**inputs)
classify = pipeline("audio-text-emotion", model=name, **options)
answer = classify({"audio": wav, "text": "me siento muy triste"})
print(json.dumps({"logits": logits.tolist(), "answer": answer}))
"""


def ask_stranger(name: str, revision: str, wav: Path, tmp_path: Path) -> dict[str, object]:
    arguments = [sys.executable, "-c", STRANGER, name, revision, str(wav)]
    # One thread, as here: sums over more come out in another order.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def own_logits(model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path) -> torch.Tensor:
    with torch.no_grad():
        return model(**processor(audio=str(wav), text="me siento muy triste", return_tensors="pt")).logits


def test_there_and_back(
    hub: LoopbackHub,
    api: HfApi,
    model: EmoSpeechForEmotionClassification,
    processor: EmoSpeechProcessor,
    wav: Path,
    tmp_path: Path,
) -> None:
    """Two versions, of which the first stays what it was."""
    expected = {}
    for tag, shift in (("v1", 0.0), ("v2", 0.5)):
        with torch.no_grad():
            model.classifier[-1].bias += shift * torch.arange(6)
        release = build_release(model, processor, tmp_path / tag)
        # From a file, as over there: where a tensor lies in memory moves the last bit of what comes out.
        expected[tag] = own_logits(EmoSpeechForEmotionClassification.from_pretrained(release), processor, wav)
        push_folder(release, "ana/emociones", api=api)
    for tag in ("v1", "v2"):
        found = ask_stranger("ana/emociones", tag, wav, tmp_path)
        assert torch.equal(torch.tensor(found["logits"]), expected[tag]), tag
        scores = {entry["label"]: entry["score"] for entry in found["answer"]}
        own = expected[tag][0].softmax(dim=0)
        assert scores["joy"] == pytest.approx(float(own[3]), abs=1e-6)
    with pytest.raises(AssertionError, match="v9"):
        ask_stranger("ana/emociones", "v9", wav, tmp_path)


def test_the_usual_push_to_hub(
    hub: LoopbackHub,
    model: EmoSpeechForEmotionClassification,
    processor: EmoSpeechProcessor,
    wav: Path,
    tmp_path: Path,
) -> None:
    """`push_to_hub` of model and processor, and of a pipeline, make repositories that strangers can load."""
    model.push_to_hub("ana/parts")
    processor.push_to_hub("ana/parts")
    classify = pipeline("audio-text-emotion", model=model, processor=processor)
    classify.push_to_hub("ana/pipeline")
    model.save_pretrained(tmp_path / "model")
    expected = own_logits(EmoSpeechForEmotionClassification.from_pretrained(tmp_path / "model"), processor, wav)
    for name in ("ana/parts", "ana/pipeline"):
        found = ask_stranger(name, "main", wav, tmp_path)
        assert torch.equal(torch.tensor(found["logits"]), expected), name


def test_a_dataset(hub: LoopbackHub, api: HfApi, shared_corpus_dir: Path, tmp_path: Path) -> None:
    """What a script of `dataset_scripts` wrote is pushed, and read by `load_dataset` and by `load_corpus`."""
    from dataset_scripts.emospeech2024 import DESCRIPTION, read_corpus
    from emospeech_hf.data import load_corpus
    from emospeech_hf.data.parquet import write_parquet_corpus
    from emospeech_hf.hub.cards import dataset_card

    splits = read_corpus(shared_corpus_dir / "train.csv", None, shared_corpus_dir / "audio", None, lenient=False)
    write_parquet_corpus(
        splits,
        tmp_path / "corpus",
        lambda statistics: dataset_card(
            DESCRIPTION.title, DESCRIPTION.summary, DESCRIPTION.license, DESCRIPTION.citation, statistics
        ),
    )
    result = push_folder(tmp_path / "corpus", "ana/corpus", "dataset", api=api)
    script = (
        "import json, sys; from datasets import Audio, load_dataset\n"
        "rows = load_dataset('ana/corpus', revision='v1')['train'].cast_column('audio', Audio(decode=False))\n"
        "print(json.dumps([rows[0]['text'], len(rows[0]['audio']['bytes']), rows.features['label'].names]))\n"
        "from emospeech_hf.data import load_corpus\n"
        "print(load_corpus('ana/corpus', revision='v1')['train']['id'][:] == sys.argv[1].split())\n"
    )
    own = load_corpus(shared_corpus_dir)["train"]
    arguments = [sys.executable, "-c", script, " ".join(own["id"][:])]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    text, size, names = json.loads(done.stdout.splitlines()[-2])
    first = next(iter((shared_corpus_dir / "audio").glob(own["id"][0])))
    assert (text, size) == (own["text"][0], first.stat().st_size)
    assert names == own.features["label"].names
    assert done.stdout.splitlines()[-1] == "True"
    assert result.tag == "v1"

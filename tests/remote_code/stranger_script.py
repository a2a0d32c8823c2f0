"""
A release at work in a process that has transformers, torch, librosa and soundfile, and cannot reach this package.

    python stranger_script.py RELEASE WAV [--package]

Loads it by every entry there is, holds the entries against each other, and prints logits, answer and versions as JSON.
With `--package` the package is there, and its own code must be what is loaded.
"""

import importlib.metadata
import importlib.util
import json
import sys


def main(folder: str, wav: str, *options: str) -> None:
    home = "transformers_modules"
    if "--package" in options:
        import emospeech_hf

        home = emospeech_hf.__name__
    else:
        sys.modules["emospeech_hf"] = None  # any import of it fails
    import torch
    import transformers
    from transformers import (
        AutoConfig,
        AutoFeatureExtractor,
        AutoModel,
        AutoModelForAudioClassification,
        AutoModelForSequenceClassification,
        AutoProcessor,
        pipeline,
    )

    trust = {"trust_remote_code": True}
    config = AutoConfig.from_pretrained(folder, **trust)
    assert type(config).__name__ == "EmoSpeechConfig"
    processor = AutoProcessor.from_pretrained(folder, **trust)
    extractor = AutoFeatureExtractor.from_pretrained(folder, **trust)
    assert type(extractor).__name__ == "EmoSpeechFeatureExtractor"
    assert extractor(wav, return_tensors="np").keys() == processor.feature_extractor(wav, return_tensors="np").keys()
    given = {}
    if "speech" in config.modalities:
        given["audio"] = wav
    if "text" in config.modalities:
        given["text"] = "me siento muy triste"
    inputs = processor(**given, return_tensors="pt")
    with torch.no_grad():
        audio = AutoModelForAudioClassification.from_pretrained(folder, **trust)
        sequence = AutoModelForSequenceClassification.from_pretrained(folder, **trust)
        body = AutoModel.from_pretrained(folder, **trust)
        logits = audio(**inputs).logits
        assert torch.equal(sequence(**inputs).logits, logits)
        assert torch.equal(body(**inputs).pooler_output, audio(**inputs).pooler_output)
    answers = []
    for named in (True, False):
        classify = pipeline("audio-text-emotion", model=folder, **trust) if named else pipeline(model=folder, **trust)
        answers.append(classify(given))
        assert classify([given, given, given], batch_size=2)[2][0]["label"] == answers[-1][0]["label"]
    assert answers[0] == answers[1]
    assert type(classify).__module__.startswith(home)
    versions = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "torchaudio": importlib.metadata.version("torchaudio") if importlib.util.find_spec("torchaudio") else None,
        "python": sys.version.split()[0],
    }
    print(json.dumps({"logits": logits.tolist(), "answer": answers[0], "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])

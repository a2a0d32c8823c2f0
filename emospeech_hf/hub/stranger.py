"""
A release at work in a process that cannot reach this package. Run by its path, never imported:

    python stranger.py MODEL ROWS OUTPUT

MODEL is a release folder or a Hub id (id@revision), ROWS a folder of `Dataset.save_to_disk` with the columns audio and
text, OUTPUT the JSON file for the logits, the labels and the transformers version.
"""

import json
import sys


BATCH_SIZE = 16
TASK = "audio-text-emotion"


def main(model: str, rows_folder: str, output: str) -> None:
    """
    Load the release by each of its entries, and score all rows.

    Args:
        model (`str`): release folder, or id on the Hub with an optional `@revision`.
        rows_folder (`str`): the rows.
        output (`str`): JSON file to write.
    """
    sys.modules["emospeech_hf"] = None  # type: ignore[assignment]  # any import of it fails, here and in the release
    import torch
    import transformers
    from datasets import load_from_disk
    from transformers import AutoConfig, AutoModel, AutoModelForAudioClassification, AutoProcessor, pipeline

    transformers.utils.logging.disable_progress_bar()
    name, _, revision = model.partition("@")
    options = {"trust_remote_code": True, "revision": revision or "main"}
    config = AutoConfig.from_pretrained(name, **options)
    AutoModel.from_pretrained(name, **options)
    processor = AutoProcessor.from_pretrained(name, **options)
    classifier = AutoModelForAudioClassification.from_pretrained(name, **options).eval()
    columns = [column for column, used in (("audio", config.uses_speech), ("text", config.uses_text)) if used]
    rows = load_from_disk(rows_folder)
    logits = []
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        inputs = processor(**{column: batch[column] for column in columns}, return_tensors="pt")
        with torch.no_grad():
            logits += classifier(**inputs).logits.float().tolist()
    first = {column: rows[0][column] for column in columns}
    for classify in (pipeline(TASK, model=name, **options), pipeline(model=name, **options)):
        told, own = classify(first)[0]["label"], config.id2label[int(torch.tensor(logits[0]).argmax())]
        if told not in (own, "silence"):
            raise SystemExit(f"The pipeline says {told!r} of the first row, the model {own!r}.")
    labels = [config.id2label[index] for index in range(config.num_labels)]
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    with open(output, "w", encoding="utf-8") as file:
        json.dump({"logits": logits, "labels": labels, "temperature": config.temperature, "versions": versions}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The release folder: all that a stranger needs, who has transformers and not this package."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import EmoSpeechProcessor
from ..safe_writing import replaced_folder, write_json
from .cards import model_card, packaged_text
from .checking import check_release


PACKAGE_FOLDER = Path(__file__).resolve().parent.parent


def build_release(
    model: EmoSpeechForEmotionClassification,
    processor: EmoSpeechProcessor,
    to: str | Path,
    metrics: Mapping[str, Any] | None = None,
    pictures: Mapping[str, Path] | None = None,
    license_name: str | None = None,
    check: bool = False,
) -> Path:
    """
    Write a release folder. An older one in its place is replaced, in one step, only when the new one is whole.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): the trained model.
        processor ([`EmoSpeechProcessor`]): what makes its inputs.
        to (`str` or `Path`): the folder.
        metrics (`Mapping`, *optional*): what was measured; goes into `metrics.json` and the card.
        pictures (`Mapping[str, Path]`, *optional*): file name in the release to file.
        license_name (`str`, *optional*): of the weights, as the Hub names it; see [`~hub.model_card`].
        check (`bool`, *optional*, defaults to `False`): load the new release in another process, without this package,
            before it takes its place.

    Returns:
        `Path`: the folder. `AutoModel`, `AutoProcessor` and `pipeline` load it with `trust_remote_code=True`.

    Raises:
        ReleaseError: If that process fails, or gives other logits.
    """
    to = Path(to)
    if processor.tokenizer is not None and processor.tokenizer.is_fast:
        # What the last call padded and cut to would be saved with the tokenizer.
        processor.tokenizer.backend_tokenizer.no_padding()
        processor.tokenizer.backend_tokenizer.no_truncation()
    with replaced_folder(to) as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        _forget_folders(folder / "config.json")
        for name, picture in (pictures or {}).items():
            shutil.copyfile(picture, folder / name)
        if metrics is not None:
            write_json(folder / "metrics.json", dict(metrics))
        (folder / "LICENSE").write_text(packaged_text("LICENSE"), encoding="utf-8")
        card = model_card(
            model.config,
            metrics,
            sorted(pictures or {}),
            {
                "parameters": model.num_parameters(),
                "megabytes": sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6,
            },
            license_name,
            loads_in_transformers_4(folder),
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        if check:
            check_release(folder, model, processor)
    return to


def ground_floor_files() -> list[Path]:
    """
    Returns:
        `list[Path]`: the package's files that every release carries as they are.
    """
    return sorted(PACKAGE_FOLDER.glob("*_emospeech.py"))


def loads_in_transformers_4(folder: str | Path) -> bool:
    """
    Args:
        folder (`str` or `Path`): a release.

    Returns:
        `bool`: whether transformers 4.57 can read its tokenizer, which it cannot if version 5 saved it without the name
        of a class that both know.
    """
    path = Path(folder) / "tokenizer_config.json"
    if not path.is_file():
        return True
    return bool(json.loads(path.read_text(encoding="utf-8")).get("tokenizer_class") != "TokenizersBackend")


def _forget_folders(path: Path) -> None:
    """Take out where the encoders were loaded from, where that is a folder of this machine."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in ("text_config", "speech_config"):
        encoder = content.get(name)
        if encoder and Path(encoder.get("_name_or_path") or "-").is_absolute():
            del encoder["_name_or_path"]
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

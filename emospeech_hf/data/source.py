"""Where a corpus comes from, and what it says of itself: name and licence, for the cards of models trained on it."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import DatasetCard
from huggingface_hub.errors import HTTPError


def describe_source(source: str | Path, revision: str | None = None) -> dict[str, str | None]:
    """
    Args:
        source (`str` or `Path`): folder or Hub id of the corpus, as in [`~data.load_corpus`].
        revision (`str`, *optional*): commit, branch or tag of the Hub dataset.

    Returns:
        `dict`: `name` (of the card, else the last part of the folder's name or the Hub id), `hub_id` (or `None`),
        `revision`, and `license` as the Hub names it, or `None` where no card tells.
    """
    folder = Path(source)
    hub_id = None if folder.is_dir() else str(source)
    card = None
    try:
        if hub_id is not None:
            card = DatasetCard.load(hub_id)
        elif (folder / "README.md").is_file():
            card = DatasetCard.load(folder / "README.md", ignore_metadata_errors=True)
    except (HTTPError, OSError, ValueError):
        pass  # a dataset without a card, or one that is read from the cache while the Hub is away
    data = card.data if card is not None else {}
    license_name = data.get("license")
    return {
        "name": data.get("pretty_name") or (hub_id or folder.resolve().name),
        "hub_id": hub_id,
        "revision": revision,
        "license": license_name[0] if isinstance(license_name, list) else license_name,
    }


def split_revision(name: str) -> tuple[str, str | None]:
    """
    Args:
        name (`str`): a folder, or a Hub id with or without `@` and a revision.

    Returns:
        `tuple[str, str | None]`: folder or Hub id, and the revision.
    """
    if Path(name).is_dir():
        return name, None
    source, _, revision = name.partition("@")
    return source, revision or None

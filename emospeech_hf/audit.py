"""The overlap report: what of a corpus makes scores on it doubtful, found before anybody trains."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DatasetDict
from datasets.utils import tqdm
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from .audio_emospeech import AudioError, decode_audio
from .configuration_emospeech import EMOTIONS
from .data import load_corpus
from .data.transcripts import LEAST_WORDS, telling_transcript
from .evaluation.plots import plot_bars, plot_histogram
from .safe_writing import write_json


# On MEACorpus 2023, pairs above this are one passage cut twice; below, two people on one subject begin to join them.
NEAR_DUPLICATE_SIMILARITY = 0.8

EXAMPLES_SHOWN = 5


def audit_corpus(source: str | Path, revision: str | None = None) -> dict[str, Any]:
    """
    Look a corpus over, split by split.

    Args:
        source (`str` or `Path`): as in [`~data.load_corpus`].
        revision (`str`, *optional*): commit, branch or tag of the Hub dataset.

    Returns:
        `dict`:
        - `splits`: for each its `rows`, `groups`, `labels`, `genders`, `words` and `seconds` (minimum, median,
          maximum), `speakers_per_label`,
        - `shared_groups`: for each pair of splits, the `groups` on both sides, and `rows`, how many rows of the second
          have a group of the first,
        - `same_transcripts`, `near_transcripts`, `same_audio`: pairs of rows, in all, across splits, and `examples`,
        - `leaks`: sentences on what stands on both sides of a split; empty where nothing does.
    """
    corpus = load_corpus(source, modalities=())
    audit: dict[str, Any] = {"source": str(source), "splits": {}}
    durations, digests = _audio_of(corpus)
    lengths: dict[str, Mapping[str, Sequence[float]]] = {
        "words": {name: [len(text.split()) for text in split["text"]] for name, split in corpus.items()},
        "seconds": durations,
    }
    for name, split in corpus.items():
        audit["splits"][name] = _describe(split)
        for unit, values in lengths.items():
            audit["splits"][name][unit] = _lengths(values[name], _edges(values))
    audit["shared_groups"] = _shared_groups(corpus)
    rows = [(name, row["id"], row["text"]) for name, split in corpus.items() for row in split.remove_columns("audio")]
    texts = [telling_transcript(text) for _, _, text in rows]
    audit["same_transcripts"] = _pairs(texts, rows)
    audit["near_transcripts"] = _near_pairs(texts, rows)
    audit["same_audio"] = _pairs([digests.get((name, identifier), "") for name, identifier, _ in rows], rows)
    audit["leaks"] = _leaks(audit)
    return audit


def audit_report(audit: dict[str, Any]) -> str:
    """
    Args:
        audit (`dict`): as [`audit_corpus`] gives it.

    Returns:
        `str`: the report, for the terminal.
    """
    lines = [
        f"{audit['source']}",
        "",
        f"{'split':<12}{'rows':>7}{'groups':>8}" + "".join(f"{name:>9}" for name in EMOTIONS),
    ]
    for name, split in audit["splits"].items():
        counts = "".join(f"{split['labels'].get(label, 0):>9}" for label in EMOTIONS)
        lines.append(f"{name:<12}{split['rows']:>7}{split['groups'] or '-':>8}{counts}")
        if split["groups"]:
            owners = "".join(f"{split['speakers_per_label'].get(label, 0):>9}" for label in EMOTIONS)
            lines.append(f"{'  groups':<12}{'':>15}{owners}")
    for name, split in audit["splits"].items():
        genders = ", ".join(f"{gender} {count}" for gender, count in split["genders"].items()) or "not told"
        lengths = "; ".join(
            f"{unit} {split[unit]['min']:.4g} to {split[unit]['max']:.4g}, median {split[unit]['median']:.4g}"
            for unit in ("words", "seconds")
            if split[unit]
        )
        lines.append(f"{name}: {lengths}; gender {genders}")
    lines.append("")
    for kind, what in (
        ("same_transcripts", f"the same transcript of {LEAST_WORDS} words or more"),
        ("near_transcripts", "nearly the same transcript"),
        ("same_audio", "the same audio"),
    ):
        found = audit[kind]
        lines.append(f"Pairs of rows with {what}: {found['pairs']}, of them {found['across_splits']} across splits")
        lines += [f"  {first} ~ {second}" for first, second in found["examples"]]
    lines.append("")
    lines += [f"LEAK: {leak}" for leak in audit["leaks"]] or ["Nothing was found on both sides of a split."]
    return "\n".join(lines)


def write_audit(audit: dict[str, Any], output: Path) -> None:
    """
    Write `audit.json`, `class_balance.png`, `words.png` and, with audio, `seconds.png`.

    Args:
        audit (`dict`): as [`audit_corpus`] gives it.
        output (`Path`): the folder.
    """
    write_json(output / "audit.json", audit)
    shares = {
        name: [split["labels"].get(label, 0) / max(1, split["rows"]) for label in EMOTIONS]
        for name, split in audit["splits"].items()
    }
    plot_bars(EMOTIONS, shares, output / "class_balance.png", "share of the split's rows", "Class balance")
    for unit in ("words", "seconds"):
        histograms = {name: split[unit]["histogram"] for name, split in audit["splits"].items() if split[unit]}
        if histograms:
            plot_histogram(histograms, output / f"{unit}.png", unit, f"Length in {unit}")


def _describe(split: Any) -> dict[str, Any]:
    names = split.features["label"].int2str
    labels = [None if label is None else names(label) for label in split["label"]]
    groups = split["group"][:]
    by_label: dict[str, set[str]] = defaultdict(set)
    for label, group in zip(labels, groups):
        if label is not None and group is not None:
            by_label[label].add(group)
    return {
        "rows": len(split),
        "groups": len({group for group in groups if group is not None}),
        "labels": {label: count for label, count in Counter(labels).items() if label is not None},
        "genders": {gender: count for gender, count in Counter(split["gender"]).items() if gender},
        "speakers_per_label": {label: len(members) for label, members in sorted(by_label.items())},
    }


def _edges(values: Mapping[str, Sequence[float]]) -> np.ndarray:
    """The same bins for every split, up to where all but a few outliers lie."""
    together = [value for members in values.values() for value in members]
    width = (np.quantile(together, 0.995) if together else 1) / 30
    if all(isinstance(value, int) for value in together):
        width = np.ceil(width)  # else some bins would hold more whole numbers than others
    return np.arange(31) * width


def _lengths(values: Sequence[float], edges: np.ndarray) -> dict[str, Any] | None:
    if not values:
        return None
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    return {
        "min": float(np.min(values)),
        "median": float(np.median(values)),
        "max": float(np.max(values)),
        "histogram": {"counts": counts.tolist(), "edges": edges.tolist()},
    }


def _audio_of(corpus: DatasetDict) -> tuple[dict[str, list[float]], dict[tuple[str, str], str]]:
    """Seconds of each split's recordings, and a digest of what each recording sounds like, whatever its container."""
    durations: dict[str, list[float]] = {name: [] for name in corpus}
    digests = {}
    total = sum(audio is not None for split in corpus.values() for audio in split["audio"])
    with tqdm(total=total, desc="Listening", unit="file", disable=total == 0) as bar:
        for name, split in corpus.items():
            for row in split:
                if row["audio"] is None:
                    continue
                bar.update()
                try:
                    waveform, rate = decode_audio(row["audio"])
                except AudioError:
                    continue  # loading for training tells of those
                durations[name].append(len(waveform) / rate)
                content = np.round(waveform * 32767).astype(np.int16).tobytes()
                digests[name, row["id"]] = hashlib.sha256(content + rate.to_bytes(4, "little")).hexdigest()
    return durations, digests


def _shared_groups(corpus: DatasetDict) -> list[dict[str, Any]]:
    names = list(corpus)
    shared = []
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            own = {group for group in corpus[first]["group"] if group is not None}
            rows = [group for group in corpus[second]["group"] if group in own]
            shared.append(
                {"splits": [first, second], "groups": len(set(rows)), "rows": len(rows), "of": len(corpus[second])}
            )
    return shared


def _pairs(keys: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """All pairs of rows with the same key; an empty key is nobody's."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        if key:
            members[key].append(index)
    pairs = across = 0
    examples: list[tuple[str, str]] = []
    for indices in members.values():
        splits = Counter(rows[index][0] for index in indices)
        count = len(indices) * (len(indices) - 1) // 2
        pairs += count
        across += count - sum(own * (own - 1) // 2 for own in splits.values())
        if len(indices) > 1 and len(examples) < EXAMPLES_SHOWN:
            examples.append((_name(rows[indices[0]]), _name(rows[indices[-1]])))
    return {"pairs": pairs, "across_splits": across, "examples": examples}


def _near_pairs(texts: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Pairs whose letters in runs of three to five are alike, and which are not the same; an empty text is nobody's."""
    kept = [index for index, text in enumerate(texts) if text]
    found: dict[str, Any] = {"pairs": 0, "across_splits": 0, "examples": [], "similarity": NEAR_DUPLICATE_SIMILARITY}
    if len(kept) < 2:
        return found
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32)
    vectors = vectorizer.fit_transform(texts[index] for index in kept)
    neighbours = NearestNeighbors(radius=1 - NEAR_DUPLICATE_SIMILARITY, metric="cosine").fit(vectors)
    for first, others in enumerate(neighbours.radius_neighbors(vectors, return_distance=False)):
        for second in others:
            if second <= first or texts[kept[first]] == texts[kept[second]]:
                continue
            one, other = rows[kept[first]], rows[kept[second]]
            found["pairs"] += 1
            found["across_splits"] += one[0] != other[0]
            if len(found["examples"]) < EXAMPLES_SHOWN:
                found["examples"].append((_name(one), _name(other)))
    return found


def _name(row: tuple[str, str, str]) -> str:
    text = row[2] if len(row[2]) < 60 else row[2][:57] + "..."
    return f"{row[0]}/{row[1]} «{text}»"


def _leaks(audit: dict[str, Any]) -> list[str]:
    leaks = [
        f"{shared['rows']} of {shared['of']} rows of {shared['splits'][1]} come from {shared['groups']} speakers or "
        f"videos that are also in {shared['splits'][0]}."
        for shared in audit["shared_groups"]
        if shared["rows"]
    ]
    for kind, what in (
        ("same_transcripts", "the same transcript"),
        ("near_transcripts", "nearly the same transcript"),
        ("same_audio", "the same audio"),
    ):
        if audit[kind]["across_splits"]:
            leaks.append(f"{audit[kind]['across_splits']} pairs of rows across splits have {what}.")
    return leaks

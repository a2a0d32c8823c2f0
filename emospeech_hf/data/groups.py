"""Which utterances belong together, because they share a speaker or a source video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def join_groups(keys: Sequence[Mapping[str, str]], ids: Sequence[str]) -> list[str | None]:
    """
    One group for each row, such that rows that share any key are in the same group.

    Args:
        keys (`Sequence[Mapping[str, str]]`): for each row, group column (speaker, video, ...) to value; `""` where a
            row lacks one.
        ids (`Sequence[str]`): the rows' ids; a row without any key is a group of its own, named by its id.

    Returns:
        `list[str | None]`: the groups' names; all `None` where there is no group column.

    Example:

    ```python
    >>> from emospeech_hf.data.groups import join_groups

    >>> keys = [{"speaker": "ana", "video": "1"}, {"speaker": "ana", "video": "2"}, {"speaker": "eva", "video": "2"}]
    >>> join_groups(keys, ["a.wav", "b.wav", "c.wav"])
    ['ana', 'ana', 'ana']

    ```
    """
    if not any(any(row.values()) for row in keys):
        return [None] * len(ids)
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(key: tuple[str, str]) -> tuple[str, str]:
        parents.setdefault(key, key)
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    representatives = []
    for row, identifier in zip(keys, ids):
        # The column keeps a speaker "1" and a video "1" apart.
        own = [(column, value) for column, value in row.items() if value] or [("id", identifier)]
        for other in own[1:]:
            first, second = sorted((root(own[0]), root(other)))
            parents[second] = first
        representatives.append(own[0])
    return [root(key)[1] for key in representatives]

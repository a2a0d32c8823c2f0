"""What is wrong with a corpus, told so that it can be mended."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path


PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """
    One thing that is wrong, where it is, and what would mend it.

    Args:
        file (`str`): the CSV or Parquet file, or the split of a Hub dataset.
        row (`int`): line of a CSV file (the header is line 1) or row of another (from 1); 0 for the whole file.
        id (`str`): the utterance's id, as far as known.
        what (`str`): what is wrong.
        cure (`str`): what would mend it.
    """

    file: str
    row: int
    id: str
    what: str
    cure: str

    def __str__(self) -> str:
        place = f"{self.file}, row {self.row}" if self.row else self.file
        name = f" ({self.id})" if self.id else ""
        return f"{place}{name}: {self.what}. {self.cure}."


class CorpusError(ValueError):
    """
    A corpus that cannot be used as it is.

    Args:
        problems (`Sequence[Problem]`): all that was found, not only the first.
        skippable (`bool`, *optional*, defaults to `True`): whether the rows may be left out, as the message then says.
    """

    def __init__(self, problems: Sequence[Problem], skippable: bool = True) -> None:
        self.problems = list(problems)
        lines = [f"  {problem}" for problem in self.problems[:PROBLEMS_SHOWN]]
        if len(self.problems) > PROBLEMS_SHOWN:
            lines.append(f"  ... and {len(self.problems) - PROBLEMS_SHOWN} more.")
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        hint = ""
        if skippable and all(problem.row for problem in self.problems):
            hint = "\nMend these rows, or go on without them with --skip-bad-rows (they are listed in rejected.csv)."
        super().__init__(f"The corpus has {count}:\n" + "\n".join(lines) + hint)


def write_rejected(problems: Sequence[Problem], path: Path) -> None:
    """
    List rejected rows in a CSV file with the columns file, row, id, what, cure.

    Args:
        problems (`Sequence[Problem]`): the rejected rows.
        path (`Path`): the file, overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Problem)])
        writer.writerows(astuple(problem) for problem in problems)

#!/usr/bin/env python3
"""Acted emotional speech in other languages, to train on beside a Spanish corpus: EMOVO, EMO-DB, RAVDESS and nEMO.

Their file names tell speaker and emotion; this reads them, keeps the recordings of the six emotions, and writes Parquet
for `--auxiliary_data`. Transcripts are left out: a model of Spanish words has nothing to learn from them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emospeech_hf.corpus_script import CorpusDescription, add_output_arguments, run_script
from emospeech_hf.data.problems import CorpusError, Problem
from emospeech_hf.data.rows import Row


EXAMPLES = """examples:
  python dataset_scripts/acted_speech.py emovo --folder EMOVO --output corpora/emovo
  python dataset_scripts/acted_speech.py ravdess --folder Audio_Speech_Actors_01-24 --output corpora/ravdess
  python train_accelerate.py --recipe speech_only --data corpora/mine --output_dir runs/voices \\
      --auxiliary_data corpora/emovo corpora/ravdess
"""

EMODB_MEN = {"03", "10", "11", "12", "15"}
NEMO_MEN = {"KS0", "MP0", "SM0", "TP0", "WR0"}


@dataclass(frozen=True, kw_only=True)
class ActedCorpus:
    """
    How a corpus names its files.

    Args:
        file_name (`str`): pattern with the groups `speaker` and `emotion`.
        emotions (`Mapping`): what the file name calls the emotions that are kept; recordings of others are left out.
        gender (`Callable`): of a speaker.
        description ([`CorpusDescription`]): for the card.
    """

    file_name: str
    emotions: Mapping[str, str]
    gender: Callable[[str], str | None]
    description: CorpusDescription


CORPORA = {
    "emovo": ActedCorpus(
        file_name=r"(?P<emotion>[a-z]{3})-(?P<speaker>[fm]\d)-[a-z]\d\.wav",
        emotions={"rab": "anger", "dis": "disgust", "pau": "fear", "gio": "joy", "neu": "neutral", "tri": "sadness"},
        gender=lambda speaker: {"f": "female", "m": "male"}[speaker[0]],
        description=CorpusDescription(
            title="EMOVO",
            summary="Six Italian actors speak fourteen sentences in each of seven moods; surprise is left out.",
            license="other",
            citation=(
                "G. Costantini, I. Iaderola, A. Paoloni, M. Todisco: EMOVO Corpus: an Italian emotional speech "
                "database. LREC 2014."
            ),
            language="it",
            transcribed=False,
        ),
    ),
    "emodb": ActedCorpus(
        file_name=r"(?P<speaker>\d\d)[a-z]\d\d(?P<emotion>[A-Z])[a-z]\.wav",
        emotions={"W": "anger", "E": "disgust", "A": "fear", "F": "joy", "N": "neutral", "T": "sadness"},
        gender=lambda speaker: "male" if speaker in EMODB_MEN else "female",
        description=CorpusDescription(
            title="EMO-DB",
            summary="Ten German actors speak ten sentences in seven moods; boredom is left out.",
            license="other",
            citation=(
                "F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss: A database of German emotional speech. "
                "Interspeech 2005."
            ),
            language="de",
            transcribed=False,
        ),
    ),
    "ravdess": ActedCorpus(
        file_name=r"03-01-(?P<emotion>\d\d)-\d\d-\d\d-\d\d-(?P<speaker>\d\d)\.wav",
        emotions={"05": "anger", "07": "disgust", "06": "fear", "03": "joy", "01": "neutral", "04": "sadness"},
        gender=lambda speaker: "female" if int(speaker) % 2 == 0 else "male",
        description=CorpusDescription(
            title="RAVDESS",
            summary=(
                "The spoken part of RAVDESS: 24 North American actors speak two sentences in eight moods, twice, at "
                "two strengths; calm and surprise are left out."
            ),
            license="cc-by-nc-sa-4.0",
            citation=(
                "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song "
                "(RAVDESS). PLoS ONE 13(5), e0196391, 2018."
            ),
            language="en",
            transcribed=False,
        ),
    ),
    "nemo": ActedCorpus(
        file_name=r"(?P<speaker>[A-Z]+\d)_(?P<emotion>[a-z]+)_\d+\.wav",
        emotions={"anger": "anger", "fear": "fear", "happiness": "joy", "neutral": "neutral", "sadness": "sadness"},
        gender=lambda speaker: "male" if speaker in NEMO_MEN else "female",
        description=CorpusDescription(
            title="nEMO",
            summary="Nine Polish actors speak ninety sentences in six moods: surprise is left out, disgust not in it.",
            license="cc-by-nc-sa-4.0",
            citation="I. Christop: nEMO: Dataset of emotional speech in Polish. LREC-COLING 2024.",
            language="pl",
            transcribed=False,
        ),
    ),
}


def read_corpus(name: str, folder: Path) -> dict[str, list[Row]]:
    """
    Args:
        name (`str`): one of `CORPORA`.
        folder (`Path`): as it was downloaded; files are sought at any depth.

    Returns:
        `dict[str, list[Row]]`: `train` to rows, sorted by id.

    Raises:
        CorpusError: If no file is named as in this corpus.
        NotADirectoryError: If there is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: give the one that the corpus was unpacked to.")
    corpus = CORPORA[name]
    rows: dict[str, Row] = {}
    other = 0
    for path in sorted(folder.rglob("*.wav")):
        match = re.fullmatch(corpus.file_name, path.name)
        # Some copies hold every file twice.
        if match is None or path.name in rows:
            continue
        label = corpus.emotions.get(match["emotion"])
        if label is None:
            other += 1
            continue
        speaker = match["speaker"]
        rows[path.name] = Row(
            file=str(folder),
            row=len(rows) + 1,
            id=path.name,
            audio={"path": str(path), "bytes": None},
            text="",
            label=label,
            gender=corpus.gender(speaker),
            group_keys={"speaker": speaker},
        )
    if not rows:
        cure = f"Give the folder of {corpus.description.title}, with its files as they were named"
        raise CorpusError([Problem(str(folder), 0, "", f"no file in it is named as in {name}", cure)])
    print(f"{corpus.description.title}: {len(rows)} recordings; {other} of other moods are left out.")
    return {"train": list(rows.values())}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", choices=sorted(CORPORA), help="which corpus it is")
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="the corpus, as it was downloaded")
    add_output_arguments(parser)
    options = parser.parse_args()
    description = CORPORA[options.corpus].description
    run_script(lambda: read_corpus(options.corpus, options.folder), description, options)


if __name__ == "__main__":
    main()

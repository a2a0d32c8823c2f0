"""The command line of `train_accelerate.py`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers.utils import logging as transformers_logging

from ..data import CorpusError
from .recipe_files import encoder_settings, load_recipe, recipe_names
from .run import train
from .run_folder import RunOptions


EXAMPLES = """examples:
  # the paper's Task 2 on a folder with train.csv and audio/
  python train_accelerate.py --recipe task2 --data corpus --output_dir runs/task2

  # the same on all GPUs of this machine
  accelerate launch train_accelerate.py --recipe task2 --data corpus --output_dir runs/task2

  # another text encoder, another learning rate, a test part of 20 % kept for the end
  python train_accelerate.py --recipe task1 --data corpus --output_dir runs/mine \\
      --text_encoder intfloat/multilingual-e5-small learning_rate=5e-5 test_fraction=0.2

  # voices of other corpora and languages too, to train on alone
  python train_accelerate.py --recipe speech_only --data corpus --output_dir runs/voices \\
      --auxiliary_data corpora/emovo corpora/ravdess

  # two processes on a CPU
  ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 train_accelerate.py \\
      --recipe task2 --data corpus --output_dir runs/two
"""


def build_parser() -> argparse.ArgumentParser:
    """
    Returns:
        `argparse.ArgumentParser`: of `train_accelerate.py`.
    """
    parser = argparse.ArgumentParser(
        prog="train_accelerate.py",
        description="Train an EmoSpeech model by a recipe, on one device or many.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--recipe", required=True, metavar="NAME_OR_YAML", help=f"one of {', '.join(recipe_names())}, or a YAML file"
    )
    parser.add_argument(
        "--data", required=True, metavar="DIR_OR_HUB_ID", help="corpus: a folder, or a dataset on the Hub"
    )
    parser.add_argument(
        "--output_dir", required=True, type=Path, metavar="OUT", help="folder for all that the run writes"
    )
    parser.add_argument("--text_encoder", metavar="PATH_OR_ID", help="text encoder instead of the recipe's")
    parser.add_argument("--speech_encoder", metavar="PATH_OR_ID", help="speech encoder instead of the recipe's")
    parser.add_argument("--data_revision", metavar="REVISION", help="commit, branch or tag of the dataset on the Hub")
    parser.add_argument(
        "--auxiliary_data", action="extend", nargs="+", default=[], metavar="DIR_OR_HUB_ID",
        help="other corpora to train on as well, never to test on; user/name@revision pins one",
    )  # fmt: skip
    parser.add_argument(
        "--cache_dir", type=Path, help="folder of computed features, to share among runs (default: OUT/cache)"
    )
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch of the run in OUT")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in OUT")
    parser.add_argument(
        "--skip-bad-rows", "--skip_bad_rows", action="store_true",
        help="go on without rows that cannot be used, and list them in OUT/rejected.csv",
    )  # fmt: skip
    parser.add_argument(
        "settings", nargs="*", metavar="field=value", help="settings of the recipe, as learning_rate=1e-4"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Train; end with status 2 and a plain message where the input is at fault.

    Args:
        arguments (`Sequence[str]`, *optional*): of the command line; by default the process's own.
    """
    parser = build_parser()
    options = parser.parse_intermixed_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("emospeech_hf").setLevel(logging.INFO)
    transformers_logging.disable_progress_bar()
    settings = [*options.settings, *encoder_settings(options.text_encoder, options.speech_encoder)]
    try:
        recipe = load_recipe(options.recipe, settings)
        train(
            recipe,
            RunOptions(
                data=options.data,
                output_dir=options.output_dir,
                data_revision=options.data_revision,
                auxiliary_data=options.auxiliary_data,
                cache_dir=options.cache_dir,
                resume=options.resume,
                overwrite=options.overwrite,
                skip_bad_rows=options.skip_bad_rows,
            ),
        )
    except (CorpusError, ValueError, OSError, ArithmeticError) as error:
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)

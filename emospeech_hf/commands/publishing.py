"""`emospeech release`, `push`, `push-dataset`, `push-space`, `demo` and `verify`: from a run to the Hub, and back."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from .arguments import add_data_arguments, add_model_arguments, add_transcribe, output_argument


def add_commands(commands: Any) -> None:
    """
    Args:
        commands (`argparse._SubParsersAction`): the parser's commands, added to.
    """
    release = commands.add_parser("release", help="write the release folder of a training run's best epoch")
    release.add_argument("--run", required=True, type=Path, metavar="OUT", dest="run_dir", help="folder of the run")
    release.add_argument(
        "--to", required=True, type=Path, metavar="DIR", help="release folder; an older one is replaced"
    )
    release.add_argument(
        "--license",
        metavar="NAME",
        help="of the weights, as the Hub names it; non-commercial data decide by themselves",
    )
    release.set_defaults(run=run_release)

    push = commands.add_parser("push", help="put a release on the Hub, in one commit, with a version tag")
    _add_push_arguments(push, "release folder")
    push.set_defaults(run=run_push, kind="model")

    push_dataset = commands.add_parser("push-dataset", help="put what a script of dataset_scripts made on the Hub")
    _add_push_arguments(push_dataset, "folder of the Parquet files and their card")
    push_dataset.set_defaults(run=run_push, kind="dataset")

    push_space = commands.add_parser("push-space", help="put a page that shows a model on the Hub, as a Gradio Space")
    push_space.add_argument("repo_id", metavar="user/space", help="the Space; made where it is missing")
    push_space.add_argument("--model", required=True, metavar="HUB_ID", help="the model that it shows")
    push_space.add_argument("--revision", required=True, metavar="TAG", help="the model's version")
    push_space.add_argument("--to", type=Path, metavar="DIR", help="keep the Space's folder here")
    _add_page_options(push_space)
    _add_push_options(push_space)
    push_space.set_defaults(run=run_push_space, kind="space")

    demo = commands.add_parser("demo", help="try a model in the browser, on this machine")
    add_model_arguments(demo)
    _add_page_options(demo)
    demo.add_argument("--port", type=int, metavar="N", help="default: the first free one from 7860")
    demo.set_defaults(run=run_demo)

    verify = commands.add_parser("verify", help="whether a release is what its card says")
    verify.add_argument("model", metavar="DIR_OR_HUB_ID[@REVISION]", help="release folder, or a model on the Hub")
    add_data_arguments(verify, required=False)
    verify.add_argument(
        "--split", help="split to score (default: the rows that the card's figures are of, as far as they are found)"
    )
    output_argument(verify, "folder for predictions.csv and verification.json", required=False)
    verify.set_defaults(run=run_verify)


def _add_push_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help=what)
    parser.add_argument("repo_id", metavar="user/name", help="the repository; made where it is missing")
    parser.add_argument("--revision", metavar="BRANCH", help="branch to push to (default: main)")
    _add_push_options(parser)


def _add_page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--examples", type=Path, metavar="DIR", help="recordings to offer, each with its transcript beside it as .txt"
    )
    add_transcribe(parser)


def _add_push_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--private", action="store_true", default=None, help="make a new repository private")
    parser.add_argument("--tag", help="version (default: v1, v2, ... one after the last)")
    parser.add_argument("--overwrite", action="store_true", help="replace a repository that holds something else")
    parser.add_argument("--dry-run", "--dry_run", action="store_true", help="only list what would go")


def run_release(options: argparse.Namespace) -> None:
    """`emospeech release`."""
    from ..hub import build_release
    from ..training import PICTURES, load_run

    model, processor, metrics = load_run(options.run_dir)
    pictures = {name: options.run_dir / name for name in PICTURES if (options.run_dir / name).is_file()}
    folder = build_release(model, processor, options.to, metrics, pictures, options.license, check=True)
    print(f'{folder} is ready: pipeline("audio-text-emotion", model="{folder}", trust_remote_code=True)')


def run_push(options: argparse.Namespace) -> None:
    """`emospeech push` and `emospeech push-dataset`."""
    from ..hub import folder_files, push_folder
    from ..hub.push import check_model_folder

    if options.dry_run:
        if options.kind == "model":
            check_model_folder(options.folder)
        _list(folder_files(options.folder), options.repo_id)
        return
    result = push_folder(
        options.folder,
        options.repo_id,
        options.kind,
        options.private,
        options.revision,
        options.tag,
        options.overwrite,
    )
    changes = f"{len(result.uploaded)} files uploaded, {len(result.deleted)} deleted"
    print(f"{result.url}, version {result.tag} (commit {result.commit[:8]}): {changes}.\n")
    print(_usage(options.kind, options.folder, result.repo_id, result.tag))


def run_push_space(options: argparse.Namespace) -> None:
    """`emospeech push-space`."""
    from ..hub import folder_files, push_folder
    from ..inference import release_metrics

    _need_gradio()
    from ..page import build_space

    with tempfile.TemporaryDirectory() as folder:
        metrics = release_metrics(options.model, options.revision)
        to = options.to or Path(folder, "space")
        space = build_space(options.model, options.revision, to, metrics, options.examples, options.transcribe)
        if options.dry_run:
            _list(folder_files(space), options.repo_id)
            return
        result = push_folder(space, options.repo_id, "space", options.private, None, options.tag, options.overwrite)
    print(f"{result.url}, version {result.tag} (commit {result.commit[:8]}) shows {options.model}.")


def run_demo(options: argparse.Namespace) -> None:
    """`emospeech demo`."""
    from ..inference import load_pipeline, release_metrics

    _need_gradio()
    from ..page.app import build_page, launch_page

    page = build_page(
        load_pipeline(options.model, options.revision, options.transcribe),
        release_metrics(options.model, options.revision),
        options.examples,
    )
    allowed = [str(options.examples)] if options.examples else None
    launch_page(page, server_port=options.port, allowed_paths=allowed)


def _need_gradio() -> None:
    if importlib.util.find_spec("gradio") is None:
        raise OSError("The page needs gradio: pip install 'emospeech-hf[page]'.")


def _list(files: dict[str, int], repo_id: str) -> None:
    for name, size in files.items():
        print(f"{size:>13,}  {name}")
    print(f"{sum(files.values()):>13,}  bytes in {len(files)} files would go to {repo_id}.")


def _usage(kind: str, folder: Path, repo_id: str, tag: str) -> str:
    if kind == "dataset":
        return f'from datasets import load_dataset\ncorpus = load_dataset("{repo_id}", revision="{tag}")'
    from ..configuration_emospeech import EmoSpeechConfig

    config = EmoSpeechConfig.from_pretrained(folder)
    given = {"speech": '"audio": "utterance.wav"', "text": '"text": "¡Qué alegría verte!"'}
    utterance = ", ".join(given[modality] for modality in config.modalities)
    return "\n".join(
        [
            "from transformers import pipeline",
            f'classify = pipeline("audio-text-emotion", model="{repo_id}", revision="{tag}", trust_remote_code=True)',
            f"classify({{{utterance}}})",
        ]
    )


def run_verify(options: argparse.Namespace) -> None:
    """`emospeech verify`."""
    from ..verification import verification_report, verify_release

    verification = verify_release(options.model, options.data, options.split, options.data_revision, options.output)
    print(verification_report(verification))
    if verification["differences"]:
        sys.exit(1)

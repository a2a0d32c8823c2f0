"""To the Hub: a folder in one commit, and a tag that stays on it."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard, RepoFile
from huggingface_hub.errors import (
    HfHubHTTPError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from ..configuration_emospeech import EmoSpeechConfig
from .cards import MODEL_ID


RepoKind = Literal["model", "dataset", "space"]

OWN_TAG = "emospeech"
"""Tag of every card of this package; by it a repository is known to hold what it pushed before."""

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy")
"""Files that may hold pickled objects. Nothing of the kind is pushed."""


class PushError(OSError):
    """A push that did not happen; the message says why and what to do."""


@dataclass
class PushResult:
    """
    What a push did.

    Args:
        repo_id (`str`): the repository.
        url (`str`): its page.
        commit (`str`): the commit that the tag is on.
        tag (`str`): the version.
        uploaded (`list[str]`): files that are new or differ from those that were there.
        deleted (`list[str]`): files that were there and are not in the folder.
    """

    repo_id: str
    url: str
    commit: str
    tag: str
    uploaded: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def folder_files(folder: str | Path) -> dict[str, int]:
    """
    Args:
        folder (`str` or `Path`): what is to be pushed.

    Returns:
        `dict[str, int]`: path in the repository to size in bytes, hidden files left out.

    Raises:
        PushError: If the folder has no card with metadata, or holds files that may be pickled.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise PushError(f"{folder} is no folder.")
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    pickled = pickled_files(folder)
    if pickled:
        raise PushError(f"{folder} holds {pickled[0]}, which may be a pickle: only safetensors are pushed.")
    if "README.md" not in files or OWN_TAG not in _card_tags((folder / "README.md").read_text(encoding="utf-8")):
        raise PushError(
            f"{folder} has no card with the tag {OWN_TAG}: push what `emospeech release`, a script of dataset_scripts "
            "or `emospeech push-space` made."
        )
    return files


def pickled_files(folder: str | Path) -> list[str]:
    """
    Args:
        folder (`str` or `Path`): a release or a corpus.

    Returns:
        `list[str]`: names of files that may hold pickled objects, by their suffix.
    """
    return sorted(path.name for path in Path(folder).rglob("*") if path.suffix in PICKLED)


def check_model_folder(folder: str | Path) -> None:
    """
    Args:
        folder (`str` or `Path`): a release.

    Raises:
        PushError: If it lacks what a release has.
    """
    folder = Path(folder)
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError):
        kind = None
    if kind != EmoSpeechConfig.model_type or not list(folder.glob("*.safetensors")):
        raise PushError(f"{folder} is no release: `emospeech release --run OUT --to {folder}` makes one.")


def push_folder(
    folder: str | Path,
    repo_id: str,
    kind: RepoKind = "model",
    private: bool | None = None,
    revision: str | None = None,
    tag: str | None = None,
    overwrite: bool = False,
    message: str | None = None,
    api: HfApi | None = None,
) -> PushResult:
    """
    Make a repository equal to a folder: one commit that uploads what is new or differs and deletes what is not there,
    and a tag on it. Either the whole commit is there afterwards or nothing of it is.

    Args:
        folder (`str` or `Path`): what to push; hidden files stay.
        repo_id (`str`): `user/name`.
        kind (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.
        private (`bool`, *optional*): whether a new repository is private; by default as the account has it.
        revision (`str`, *optional*): branch to push to; by default main.
        tag (`str`, *optional*): the version; by default v1, v2, ... one after the last, or the one that is there
            already where nothing differs.
        overwrite (`bool`, *optional*, defaults to `False`): replace a repository's content though it is not of this
            package.
        message (`str`, *optional*): of the commit.
        api (`HfApi`, *optional*): with another token or endpoint than the account's.

    Returns:
        [`PushResult`]

    Raises:
        PushError: Without a token, without the right to write, without network, on a repository that holds something
            else, on a tag that is taken, or where somebody else pushed at the same time.
    """
    files = folder_files(folder)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id) is None:
        raise PushError(f"{repo_id!r} is no repository: give user/name.")
    if kind == "model":
        check_model_folder(folder)
    api = api or HfApi()
    with _explained(api, repo_id):
        user = api.whoami()["name"]
        created = not api.repo_exists(repo_id, repo_type=kind)
        if created:
            api.create_repo(repo_id, repo_type=kind, private=private, space_sdk="gradio" if kind == "space" else None)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, repo_type=kind, exist_ok=True)
        try:
            return _push(api, Path(folder), files, repo_id, kind, revision, tag, overwrite, message)
        except BaseException:
            if created and repo_id.split("/")[0] == user and _is_bare(api, repo_id, kind):
                # Made a moment ago for this push, and still without anything in it.
                api.delete_repo(repo_id, repo_type=kind)
            raise


def _push(
    api: HfApi,
    folder: Path,
    files: dict[str, int],
    repo_id: str,
    kind: RepoKind,
    revision: str | None,
    tag: str | None,
    overwrite: bool,
    message: str | None,
) -> PushResult:
    head = str(api.repo_info(repo_id, repo_type=kind, revision=revision).sha)
    tree = api.list_repo_tree(repo_id, recursive=True, repo_type=kind, revision=head)
    present = {entry.path: entry for entry in tree if isinstance(entry, RepoFile) and entry.path != ".gitattributes"}
    if present and not overwrite and not _is_own(api, repo_id, kind, head, present):
        raise PushError(
            f"{repo_id} exists and holds something else: its card does not have the tag {OWN_TAG}. Give another name, "
            "or replace what is there with --overwrite."
        )
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id, repo_type=kind).tags}
    contents: dict[str, Path | bytes] = {name: folder / name for name in files}
    # The card names the repository, so that its examples can be copied.
    contents["README.md"] = (folder / "README.md").read_bytes().replace(MODEL_ID.encode(), repo_id.encode())
    uploaded = [name for name in files if name not in present or _differs(contents[name], present[name])]
    deleted = sorted(present.keys() - files.keys())
    if tag in tags and (uploaded or deleted or tags[tag] != head):
        raise PushError(
            f"The tag {tag} of {repo_id} is taken, and tags do not move: give another --tag. Nothing was pushed."
        )
    commit = head
    if uploaded or deleted:
        operations = [
            *(CommitOperationAdd(name, contents[name]) for name in uploaded),
            *(CommitOperationDelete(name) for name in deleted),
        ]
        done = api.create_commit(
            repo_id,
            operations,
            commit_message=message or f"Upload {kind}",
            repo_type=kind,
            revision=revision,
            parent_commit=head,
        )
        commit = str(done.oid)
    tag = tag or _next_tag(tags, commit)
    if tags.get(tag) != commit:
        api.create_tag(repo_id, tag=tag, revision=commit, repo_type=kind)
    prefix = "" if kind == "model" else f"{kind}s/"
    return PushResult(repo_id, f"{api.endpoint}/{prefix}{repo_id}", commit, tag, uploaded, deleted)


def _next_tag(tags: dict[str, str], commit: str) -> str:
    on_commit = [name for name, target in tags.items() if target == commit]
    numbers = [int(name[1:]) for name in tags if re.fullmatch(r"v\d+", name)]
    return on_commit[-1] if on_commit else f"v{max(numbers, default=0) + 1}"


def _differs(content: Path | bytes, entry: RepoFile) -> bool:
    """Whether a file is another than the Hub's, which tells a large one's SHA-256 and any other as git names it."""
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    digest = hashlib.sha256() if entry.lfs is not None else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest() != (entry.lfs.sha256 if entry.lfs is not None else entry.blob_id)


def _is_own(api: HfApi, repo_id: str, kind: RepoKind, commit: str, present: Container[str]) -> bool:
    if "README.md" not in present:
        return False
    path = api.hf_hub_download(repo_id, "README.md", repo_type=kind, revision=commit)
    return OWN_TAG in _card_tags(Path(path).read_text(encoding="utf-8"))


def _is_bare(api: HfApi, repo_id: str, kind: RepoKind) -> bool:
    try:
        return set(api.list_repo_files(repo_id, repo_type=kind)) <= {".gitattributes"}
    except HTTPError:
        return False


def _card_tags(content: str) -> list[str]:
    return list(RepoCard(content, ignore_metadata_errors=True).data.get("tags") or [])


@contextmanager
def _explained(api: HfApi, repo_id: str) -> Iterator[None]:
    """Errors of the Hub and of the way there, in words that say what to do."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise PushError("You are not logged in to the Hub: run `hf auth login`, or set HF_TOKEN.") from error
    except OfflineModeIsEnabled as error:
        raise PushError("HF_HUB_OFFLINE is set, so nothing can be pushed: unset it.") from error
    except RepositoryNotFoundError as error:
        raise PushError(f"{repo_id} is not found, or your token may not see it.") from error
    except HfHubHTTPError as error:
        raise PushError(_explain(error, api, repo_id)) from error
    except (HTTPError, ConnectionError) as error:
        raise PushError(f"The Hub at {api.endpoint} cannot be reached ({error}). Nothing was pushed.") from error
    except RuntimeError as error:
        # An upload that broke off more often than it was tried again.
        raise PushError(f"{error} ({error.__cause__}) Nothing was pushed; what was uploaded is kept.") from error


def _explain(error: HfHubHTTPError, api: HfApi, repo_id: str) -> str:
    status = error.response.status_code
    said = error.server_message or str(error)
    if status == 401:
        return f"The Hub does not know your token ({said}): run `hf auth login`, or set HF_TOKEN. Nothing was pushed."
    if status == 403:
        return f"Your token may not write to {repo_id} ({said}). Nothing was pushed."
    if status in (409, 412):
        return f"{repo_id} was changed by somebody else in the meantime ({said}). Nothing was pushed; push again."
    return f"The Hub at {api.endpoint} answered {status} ({said}). Nothing was pushed; try again later."

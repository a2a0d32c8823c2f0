"""What a Hub keeps: repositories, their commits, branches and tags, and large files by their digest."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StoredFile:
    """
    A file in a commit.

    Args:
        content (`bytes`): all of it.
        large (`bool`): whether it went through the large file storage.
    """

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_oid(self) -> str:
        """As git names the blob: for a large file, of the pointer that stands in its place."""
        content = self.content
        if self.large:
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(content)}\n"
            content = pointer.encode()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.git_oid


@dataclass
class Commit:
    """A state of a repository: every file by its path."""

    oid: str
    title: str
    files: dict[str, StoredFile]


@dataclass
class Repository:
    """A model, dataset or Space."""

    kind: str
    repo_id: str
    private: bool
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    sdk: str | None = None

    def __post_init__(self) -> None:
        # As on the Hub, a new repository is not empty.
        self.commit("initial commit", {".gitattributes": StoredFile(b"*.safetensors filter=lfs\n", large=False)})

    @property
    def head(self) -> Commit:
        return self.branches["main"]

    def commit(self, title: str, files: dict[str, StoredFile], branch: str = "main") -> Commit:
        parent = self.branches[branch].oid if self.commits else ""
        listing = "".join(f"{path} {file.git_oid}\n" for path, file in sorted(files.items()))
        digest = hashlib.sha1(f"{parent}\n{title}\n{len(self.commits)}\n{listing}".encode(), usedforsecurity=False)
        self.branches[branch] = Commit(digest.hexdigest(), title, files)
        self.commits.append(self.branches[branch])
        return self.commits[-1]

    def find(self, revision: str) -> Commit | None:
        """The commit that a branch, a tag or an oid names."""
        if revision in self.branches:
            return self.branches[revision]
        oid = self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit.oid == oid), None)


@dataclass
class Store:
    """Everything; whose tokens may write where."""

    users: dict[str, str] = field(default_factory=dict)
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    large_files: dict[str, bytes] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

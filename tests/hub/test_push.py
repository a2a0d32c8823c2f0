"""Pushing to a Hub that answers as the real one does, and to one that does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from emospeech_hf import EmoSpeechForEmotionClassification, EmoSpeechProcessor
from emospeech_hf.cli import main
from emospeech_hf.hub import PushError, build_release, push_folder

from ..loopback_hub import Fault, LoopbackHub


NAME = "ana/emociones"


@pytest.fixture
def release(model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path, tmp_path: Path) -> Path:
    return build_release(model, processor, tmp_path / "release", {"n": 1}, {"picture.png": wav})


def contents(folder: Path) -> dict[str, bytes]:
    """What a push of this folder is to make of the repository: its card names it."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert b'model="user/model"' in files["README.md"]
    return {**files, "README.md": files["README.md"].replace(b"user/model", NAME.encode())}


def on_hub(hub: LoopbackHub, revision: str = "main", name: str = NAME) -> dict[str, bytes]:
    commit = hub.repository(name).find(revision)
    assert commit is not None
    return {path: file.content for path, file in commit.files.items() if path != ".gitattributes"}


def test_push(hub: LoopbackHub, api: HfApi, release: Path) -> None:
    result = push_folder(release, NAME, private=True, api=api)
    assert on_hub(hub) == contents(release)
    assert sorted(result.uploaded) == sorted(contents(release))
    assert (result.tag, result.url) == ("v1", f"{hub.url}/{NAME}")
    repository = hub.repository(NAME)
    assert repository.private
    assert repository.tags == {"v1": result.commit}
    assert len(repository.commits) == 2  # the one that every repository begins with, and this


def test_a_second_push_uploads_only_what_changed(hub: LoopbackHub, api: HfApi, release: Path) -> None:
    push_folder(release, NAME, api=api)
    sent = len(hub.uploads())
    again = push_folder(release, NAME, api=api)
    assert (again.uploaded, again.deleted, again.tag) == ([], [], "v1")
    assert len(hub.repository(NAME).commits) == 2

    (release / "metrics.json").write_text(json.dumps({"n": 2}), encoding="utf-8")
    (release / "picture.png").unlink()
    (release / "other.png").write_bytes(b"other")
    before = len(hub.requests)
    third = push_folder(release, NAME, api=api)
    assert (third.uploaded, third.deleted, third.tag) == (["metrics.json", "other.png"], ["picture.png"], "v2")
    assert on_hub(hub) == contents(release)
    assert "picture.png" in on_hub(hub, "v1")  # what was tagged does not change
    assert len(hub.uploads()) == sent + 1
    assert sum(received for *_, received in hub.requests[before:]) < 5_000  # not the weights again


def test_a_dropped_upload_is_tried_again(hub: LoopbackHub, api: HfApi, release: Path) -> None:
    hub.faults += [Fault("PUT", "/lfs/", status=0), Fault("PUT", "/lfs/", status=503)]
    push_folder(release, NAME, api=api)
    assert on_hub(hub) == contents(release)
    assert [status for method, _, status, _ in hub.requests if method == "PUT"].count(503) == 1


def test_tags_do_not_move(hub: LoopbackHub, api: HfApi, release: Path) -> None:
    push_folder(release, NAME, tag="1.0", api=api)
    assert push_folder(release, NAME, tag="1.0", api=api).tag == "1.0"
    (release / "metrics.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PushError, match=r"tag 1\.0 of ana/emociones is taken"):
        push_folder(release, NAME, tag="1.0", api=api)
    assert on_hub(hub) != contents(release)  # nothing was pushed
    assert push_folder(release, NAME, tag="1.1", api=api).uploaded == ["metrics.json"]


def test_a_branch(hub: LoopbackHub, api: HfApi, release: Path) -> None:
    push_folder(release, NAME, api=api)
    (release / "metrics.json").write_text("{}", encoding="utf-8")
    push_folder(release, NAME, revision="next", api=api)
    assert on_hub(hub, "next") == contents(release)
    assert on_hub(hub)["metrics.json"] != b"{}"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("POST", "/commit/", 500, 9), r"answered 500 \(.*on demand.*\)\. Nothing was pushed; try again"),
        (Fault("POST", "/commit/", 412), "changed by somebody else in the meantime"),
        (Fault("POST", "/commit/", 0), "cannot be reached"),
        (Fault("GET", "/whoami", 0), "cannot be reached"),
        (Fault("POST", "/repos/create", 403), "may not write to ana/emociones"),
        (Fault("POST", "/preupload/", 401), "does not know your token"),
    ],
)
def test_what_can_go_wrong_leaves_nothing(
    fault: Fault, message: str, hub: LoopbackHub, api: HfApi, release: Path
) -> None:
    hub.faults.append(fault)
    with pytest.raises(PushError, match=message):
        push_folder(release, NAME, api=api)
    assert not hub.store.repositories  # not even an empty repository
    hub.faults.clear()
    push_folder(release, NAME, api=api)
    assert on_hub(hub) == contents(release)


def test_an_older_release_survives_a_failed_push(hub: LoopbackHub, api: HfApi, release: Path) -> None:
    push_folder(release, NAME, api=api)
    before = on_hub(hub)
    (release / "metrics.json").write_text("{}", encoding="utf-8")
    hub.faults.append(Fault("POST", "/commit/", 500, 9))
    with pytest.raises(PushError, match="500"):
        push_folder(release, NAME, api=api)
    assert on_hub(hub) == before
    assert hub.repository(NAME).tags.keys() == {"v1"}


def test_who_may_not(hub: LoopbackHub, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PushError, match=r"not logged in .*hf auth login"):
        push_folder(release, NAME, api=HfApi(endpoint=hub.url, token=True))
    with pytest.raises(PushError, match="does not know your token"):
        push_folder(release, NAME, api=HfApi(endpoint=hub.url, token="hf_nobody"))
    with pytest.raises(PushError, match="may not write to ana/emociones"):
        push_folder(release, NAME, api=HfApi(endpoint=hub.url, token="hf_eva"))
    hub.readers.add("ana")
    with pytest.raises(PushError, match="may not write"):
        push_folder(release, NAME, api=HfApi(endpoint=hub.url, token="hf_ana"))
    with pytest.raises(PushError, match=r"cannot be reached .* Nothing was pushed"):
        push_folder(release, NAME, api=HfApi(endpoint="http://127.0.0.1:9", token="hf_ana"))
    assert not hub.store.repositories


def test_a_repository_that_holds_something_else(hub: LoopbackHub, api: HfApi, release: Path) -> None:
    api.create_repo(NAME)
    api.upload_file(path_or_fileobj=b"---\ntags: [bert]\n---\n", path_in_repo="README.md", repo_id=NAME)
    with pytest.raises(PushError, match=r"holds something else.*--overwrite"):
        push_folder(release, NAME, api=api)
    assert on_hub(hub).keys() == {"README.md"}
    assert push_folder(release, NAME, overwrite=True, api=api).uploaded
    assert on_hub(hub) == contents(release)


def test_what_is_not_pushed(hub: LoopbackHub, api: HfApi, release: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PushError, match="has no card with the tag emospeech"):
        push_folder(tmp_path / "empty", NAME, api=api)
    with pytest.raises(PushError, match="is no folder"):
        push_folder(tmp_path / "nowhere", NAME, api=api)
    with pytest.raises(PushError, match="give user/name"):
        push_folder(release, "emociones", api=api)
    (release / ".hidden").write_bytes(b"secret")
    push_folder(release, NAME, api=api)
    assert ".hidden" not in on_hub(hub)
    (release / "training_args.bin").write_bytes(b"pickle")
    with pytest.raises(PushError, match=r"training_args\.bin, which may be a pickle"):
        push_folder(release, NAME, api=api)
    (release / "training_args.bin").unlink()
    (release / "model.safetensors").unlink()
    with pytest.raises(PushError, match="is no release"):
        push_folder(release, NAME, api=api)


def test_the_command_prints_what_uses_it(hub: LoopbackHub, release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["push", str(release), NAME, "--private", "--tag", "1.0"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"{hub.url}/{NAME}, version 1.0 (commit {hub.repository(NAME).tags['1.0'][:8]})")
    assert f'model="{NAME}", revision="1.0", trust_remote_code=True' in printed
    compile(printed.split("\n\n", 1)[1], "printed", "exec")

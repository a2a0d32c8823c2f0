"""The Hub's HTTP interface, as far as huggingface_hub 1 and 2, transformers and datasets ask for it."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .store import Commit, Repository, Store, StoredFile


KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
LARGE = re.compile(r"\.(safetensors|parquet|png|wav|mp3)$")


@dataclass
class Fault:
    """
    Something that goes wrong on demand.

    Args:
        method (`str`), path (`str`): which requests; the path is a regular expression.
        status (`int`): what to answer; 0 breaks the connection off in the midst of the answer.
        times (`int`, *optional*, defaults to 1): how many such requests.
    """

    method: str
    path: str
    status: int
    times: int = 1


class HubError(Exception):
    """An answer that is no success, with the code by which huggingface_hub knows it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class LoopbackHub:
    """
    The server, in a thread of its own.

    ```python
    with LoopbackHub(users={"ana": "hf_token"}) as hub:
        HfApi(endpoint=hub.url, token="hf_token").whoami()
    ```

    Args:
        users (`dict[str, str]`): name to token.

    `requests` lists every request as `(method, path, status, bytes received)`; `faults` may be added to at any time.
    """

    def __init__(self, users: dict[str, str]) -> None:
        self.store = Store(users=dict(users))
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, int, int]] = []
        self.readers: set[str] = set()
        """Users whose tokens may only read."""

    def __enter__(self) -> LoopbackHub:
        config = uvicorn.Config(self._app(), host="127.0.0.1", port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            if time.monotonic() > deadline:
                raise TimeoutError("The loopback Hub did not start.")
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=30)

    def repository(self, repo_id: str, kind: str = "model") -> Repository:
        return self.store.repositories[kind, repo_id]

    def uploads(self) -> list[str]:
        """Digests of the large files that were sent."""
        return [
            path.rsplit("/", 1)[1] for method, path, status, _ in self.requests if method == "PUT" and status == 200
        ]

    def _app(self) -> Callable[..., Awaitable[None]]:
        kinds, repo = "{kinds:str}", "{namespace:str}/{name:str}"
        api = f"/api/{kinds}/{repo}"
        routes = [
            Route("/api/whoami-v2", self._answer(self._whoami)),
            Route("/api/validate-yaml", self._answer(self._validate_yaml), methods=["POST"]),
            Route("/api/repos/create", self._answer(self._create), methods=["POST"]),
            Route("/api/repos/delete", self._answer(self._delete), methods=["DELETE"]),
            Route(f"{api}/preupload/{{revision:str}}", self._answer(self._preupload), methods=["POST"]),
            Route(f"{api}/commit/{{revision:str}}", self._answer(self._commit), methods=["POST"]),
            Route(f"{api}/branch/{{branch:str}}", self._answer(self._branch), methods=["POST"]),
            Route(f"{api}/tag/{{revision:str}}", self._answer(self._tag), methods=["POST"]),
            Route(f"{api}/refs", self._answer(self._refs)),
            Route(f"{api}/tree/{{revision:str}}", self._answer(self._tree)),
            Route(f"{api}/tree/{{revision:str}}/{{path:path}}", self._answer(self._tree)),
            Route(f"{api}/paths-info/{{revision:str}}", self._answer(self._paths_info), methods=["POST"]),
            Route(f"{api}/revision/{{revision:str}}", self._answer(self._info)),
            Route(api, self._answer(self._info)),
            Route("/lfs/{digest:str}", self._answer(self._put_large), methods=["PUT"]),
        ]
        for prefix, kind in (("", "models"), ("/datasets", "datasets"), ("/spaces", "spaces")):
            batch = self._answer(self._batch, kinds=kind)
            routes.append(Route(f"{prefix}/{repo}.git/info/lfs/objects/batch", batch, methods=["POST"]))
            resolve = self._answer(self._resolve, kinds=kind)
            routes.append(Route(f"{prefix}/{repo}/resolve/{{revision:str}}/{{path:path}}", resolve))
        return self._with_faults(Starlette(routes=routes))

    def _answer(self, handle: Callable[[Request], Awaitable[Response]], **fixed: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            request.path_params.update(fixed)
            try:
                response = await handle(request)
            except HubError as error:
                headers = {"X-Error-Code": error.code, "X-Error-Message": str(error)} if error.code else {}
                response = JSONResponse({"error": str(error)}, error.status, headers)
            response.headers["X-Request-Id"] = str(next(self.store.numbers))
            return response

        return endpoint

    def _with_faults(self, app: Starlette) -> Callable[..., Awaitable[None]]:
        async def faulty(scope: Any, receive: Any, send: Any) -> None:
            received, status = 0, 0

            async def counting() -> Any:
                nonlocal received
                message = await receive()
                received += len(message.get("body", b""))
                return message

            async def noting(message: Any) -> None:
                nonlocal status
                status = message.get("status", status)
                await send(message)

            fault = next(
                (
                    fault
                    for fault in self.faults
                    if fault.times > 0 and fault.method == scope["method"] and re.search(fault.path, scope["path"])
                ),
                None,
            )
            try:
                if fault is None:
                    await app(scope, counting, noting)
                else:
                    fault.times -= 1
                    await _fail(fault, counting, noting)
            finally:
                self.requests.append((scope["method"], scope["path"], status, received))

        return faulty

    # Who may do what

    def _user(self, request: Request) -> str | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            return None
        user = next((name for name, own in self.store.users.items() if own == token), None)
        if user is None:
            raise HubError(401, "Invalid credentials in Authorization header")
        return user

    def _repository(self, request: Request, write: bool = False) -> Repository:
        kind = KINDS.get(request.path_params["kinds"])
        repo_id = f"{request.path_params['namespace']}/{request.path_params['name']}"
        user = self._user(request)
        owner = repo_id.split("/")[0]
        repository = self.store.repositories.get((kind or "", repo_id))
        if repository is None or (repository.private and user != owner):
            raise HubError(401 if user is None else 404, "Repository not found", "RepoNotFound")
        if write:
            self._may_write(user, owner)
        return repository

    def _may_write(self, user: str | None, owner: str) -> None:
        if user is None:
            raise HubError(401, "You must be logged in")
        if user != owner or user in self.readers:
            raise HubError(403, f"You don't have the rights to write to the namespace {owner!r}")

    def _state(self, request: Request, repository: Repository) -> Commit:
        revision = request.path_params.get("revision", "main")
        commit = repository.find(revision)
        if commit is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    # What is asked

    async def _whoami(self, request: Request) -> Response:
        user = self._user(request)
        if user is None:
            raise HubError(401, "Invalid username or password.")
        role = "read" if user in self.readers else "write"
        token = {"displayName": "token", "role": role}
        return JSONResponse({"type": "user", "name": user, "orgs": [], "auth": {"accessToken": token}})

    async def _validate_yaml(self, request: Request) -> Response:
        content = (await request.json())["content"]
        errors = [] if content.startswith("---\n") else [{"message": "the card has no metadata"}]
        return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)

    async def _create(self, request: Request) -> Response:
        wanted = await request.json()
        user = self._user(request)
        owner = wanted.get("organization") or user or ""
        self._may_write(user, owner)
        repo_id, kind = f"{owner}/{wanted['name']}", wanted.get("type") or "model"
        url = f"{self.url}/{'' if kind == 'model' else kind + 's/'}{repo_id}"
        if (kind, repo_id) in self.store.repositories:
            return JSONResponse({"error": "You already created this repo", "url": url}, 409)
        private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
        self.store.repositories[kind, repo_id] = Repository(kind, repo_id, private, sdk=wanted.get("sdk"))
        return JSONResponse({"url": url, "name": repo_id, "id": str(next(self.store.numbers))})

    async def _delete(self, request: Request) -> Response:
        wanted = await request.json()
        user = self._user(request)
        owner = wanted.get("organization") or user or ""
        self._may_write(user, owner)
        del self.store.repositories[wanted.get("type") or "model", f"{owner}/{wanted['name']}"]
        return Response()

    async def _preupload(self, request: Request) -> Response:
        repository = self._repository(request, write=True)
        present = self._state(request, repository).files
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if LARGE.search(file["path"]) else "regular",
                "shouldIgnore": False,
                **({"oid": present[file["path"]].etag} if file["path"] in present else {}),
            }
            for file in (await request.json())["files"]
        ]
        return JSONResponse({"files": files})

    async def _batch(self, request: Request) -> Response:
        self._repository(request, write=True)
        objects = [
            wanted
            if wanted["oid"] in self.store.large_files
            else {**wanted, "actions": {"upload": {"href": f"{self.url}/lfs/{wanted['oid']}"}}}
            for wanted in (await request.json())["objects"]
        ]
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def _put_large(self, request: Request) -> Response:
        content, digest = await request.body(), request.path_params["digest"]
        if StoredFile(content, large=True).sha256 != digest:
            raise HubError(400, "The content has another digest")
        self.store.large_files[digest] = content
        return Response()

    async def _commit(self, request: Request) -> Response:
        repository = self._repository(request, write=True)
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        header = lines[0]["value"]
        branch = request.path_params["revision"]
        if branch not in repository.branches:
            raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        if header.get("parentCommit") not in (None, repository.branches[branch].oid):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repository.branches[branch].files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = StoredFile(base64.b64decode(value["content"]), large=False)
            elif line["key"] == "lfsFile":
                files[value["path"]] = StoredFile(self.store.large_files[value["oid"]], large=True)
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise HubError(400, f"Unknown operation {line['key']}")
        commit = repository.commit(header["summary"], files, branch)
        url = f"{self.url}/{repository.repo_id}/commit/{commit.oid}"
        return JSONResponse({"success": True, "commitOid": commit.oid, "commitUrl": url})

    async def _tag(self, request: Request) -> Response:
        repository = self._repository(request, write=True)
        commit, tag = self._state(request, repository), (await request.json())["tag"]
        if tag in repository.tags:
            raise HubError(409, f"Tag {tag!r} already exists")
        repository.tags[tag] = commit.oid
        return Response(status_code=201)

    async def _branch(self, request: Request) -> Response:
        repository = self._repository(request, write=True)
        branch = request.path_params["branch"]
        if branch in repository.branches:
            raise HubError(409, f"Reference {branch!r} already exists")
        repository.branches[branch] = repository.head
        return Response(status_code=201)

    async def _refs(self, request: Request) -> Response:
        repository = self._repository(request)
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": oid} for name, oid in repository.tags.items()
        ]
        branches = [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit.oid}
            for name, commit in repository.branches.items()
        ]
        return JSONResponse({"branches": branches, "tags": tags, "converts": []})

    async def _info(self, request: Request) -> Response:
        repository = self._repository(request)
        commit = self._state(request, repository)
        return JSONResponse(
            {
                "id": repository.repo_id,
                "modelId": repository.repo_id,
                "author": repository.repo_id.split("/")[0],
                "sha": commit.oid,
                "private": repository.private,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "sdk": repository.sdk,
                "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            }
        )

    async def _tree(self, request: Request) -> Response:
        commit = self._state(request, self._repository(request))
        folder = request.path_params.get("path", "").strip("/")
        below = {path for path in commit.files if not folder or path.startswith(f"{folder}/")}
        if folder and not below:
            raise HubError(404, f"{folder} does not exist on this revision", "EntryNotFound")
        recursive = request.query_params.get("recursive", "false").lower() in ("true", "1")
        start = len(folder) + 1 if folder else 0
        entries = [_entry(path, commit.files[path]) for path in sorted(below) if recursive or "/" not in path[start:]]
        folders = {path[: start + path[start:].index("/")] for path in below if "/" in path[start:]}
        return JSONResponse(
            [*({"type": "directory", "path": path, "oid": "0" * 40} for path in sorted(folders)), *entries]
        )

    async def _paths_info(self, request: Request) -> Response:
        commit = self._state(request, self._repository(request))
        content = await request.body()
        if request.headers.get("content-type", "").startswith("application/json"):
            paths = json.loads(content)["paths"]
        else:
            paths = (await request.form()).getlist("paths")
        return JSONResponse([_entry(path, commit.files[path]) for path in paths if path in commit.files])

    async def _resolve(self, request: Request) -> Response:
        commit = self._state(request, self._repository(request))
        file = commit.files.get(request.path_params["path"])
        if file is None:
            raise HubError(404, "Entry not found", "EntryNotFound")
        headers = {"ETag": f'"{file.etag}"', "X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        if file.large:
            headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(len(file.content))})
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if wanted is None:
            return Response(file.content, headers=headers, media_type="application/octet-stream")
        start, size = int(wanted[1]), len(file.content)
        end = min(int(wanted[2]) if wanted[2] else size - 1, size - 1)
        if start >= size:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Response(file.content[start : end + 1], 206, headers, media_type="application/octet-stream")


def _entry(path: str, file: StoredFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(file.content), "oid": file.git_oid}
    if file.large:
        entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 130}
    return entry


async def _fail(fault: Fault, receive: Any, send: Any) -> None:
    """The wrong answer; what was sent is read before, as a server does that breaks late."""
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    if fault.status:
        body = json.dumps({"error": "This went wrong on demand"}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise ConnectionAbortedError("broken off on demand")

"""Client of the Hugging Face hub or a mirror: the files of a repository, and their bytes.

huggingface_hub 1.x removes a partial file when a download fails, so a pull of gigabytes would restart after every
lost connection. The bytes are therefore fetched here, with its session and headers, and appended to the file.
"""

import errno
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn

import httpx
import structlog
from huggingface_hub import HfApi, get_session, get_token, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]  # public, but not in a list

from models.store.repository import OnBytes, RemoteFile, Repository
from schemas.errors import StoreError
from schemas.settings.plain_secrets import is_plain_http

PUBLIC_ENDPOINT: Final = "https://huggingface.co"
TOKEN_NAMES: Final = ("HF_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGING_FACE_HUB_TOKEN")
ATTEMPTS_WITHOUT_PROGRESS: Final = 5
LONGEST_PAUSE_SECONDS: Final = 8.0
TIMEOUT_SECONDS: Final = 10.0
"""Limit of one connect or read; short, because `kascribe up` queries the hub before it falls back to the disk."""
FOREIGN_ERRORS: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
"""Errors of requests to a hub; those of huggingface_hub are subclasses."""

_MALFORMED_LISTING: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""Errors of huggingface_hub when the response is not JSON, or JSON of another shape."""

_log: Final = structlog.get_logger(__name__)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_RETRYABLE_STATUS: Final = frozenset({408, 429, 500, 502, 503, 504})


class HuggingFaceHub:
    """A hub at ``endpoint``. ``pause`` sleeps between attempts. For use by one thread."""

    def __init__(
        self, endpoint: str, *, token: str | None = None, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._pause = pause

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "HuggingFaceHub":
        """Return the hub of ``HF_ENDPOINT``, with a token from the environment or from ``hf auth login``."""
        token = next((environment[name] for name in TOKEN_NAMES if environment.get(name)), None)
        endpoint = environment.get("HF_ENDPOINT") or PUBLIC_ENDPOINT
        if token is None and not is_plain_http(endpoint):  # a log-in is not meant for a mirror without TLS
            token = get_token()
        return cls(endpoint, token=token)

    def repository(self, name: str, *, revision: str | None = None) -> Repository:
        """List a repository at a branch, tag or commit; None is its main branch. Raises StoreError.

        The answer's commit is what is fetched. Where ``revision`` is a commit, the answer must be that one.
        """
        if self._token and is_plain_http(self._endpoint):
            raise StoreError(
                f"HF_TOKEN would be sent to {self._endpoint} without TLS: set HF_ENDPOINT to an https address, or "
                "unset HF_TOKEN, which public models do not need"
            )
        # False, not None: with None the library would search for a token itself.
        api = HfApi(endpoint=self._endpoint, token=self._token or False)
        try:
            found = api.model_info(name, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS)
        except (*FOREIGN_ERRORS, OfflineModeIsEnabled, *_MALFORMED_LISTING) as error:
            self._fail(error, name, revision)
        files = tuple(
            RemoteFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else None, each.blob_id)
            for each in found.siblings or ()
        )
        if not found.sha:
            raise StoreError(f"{self._endpoint} does not return the commit of {name}: check HF_ENDPOINT")
        if revision is not None and _COMMIT.fullmatch(revision) and found.sha != revision:
            raise StoreError(
                f"{self._endpoint} answered with commit {found.sha} of {name}, not {revision}: nothing was "
                "fetched; check HF_ENDPOINT"
            )
        return Repository(name, found.sha, f"{self._endpoint}/{name}", files)

    def fetch(self, repository: Repository, file: RemoteFile, into: Path, on_bytes: OnBytes) -> None:
        """Append the missing bytes to ``into``. Safe to repeat; does not check the content.

        Blocks. Survives lost connections as long as attempts make progress. Raises StoreError.
        """
        failures = 0
        while (done_bytes := _size_bytes(into)) < file.size_bytes:
            problem = self._attempt(repository, file, into, on_bytes)
            failures = 0 if _size_bytes(into) > done_bytes else failures + 1
            if problem is None:
                continue
            if failures > ATTEMPTS_WITHOUT_PROGRESS or not _is_retryable(problem):
                self._fail(problem, repository.name, repository.commit)
            _log.warning("download of a model was interrupted; it continues", file=file.path, error=str(problem))
            self._pause(min(2.0**failures, LONGEST_PAUSE_SECONDS))
        if done_bytes > file.size_bytes:
            into.unlink()
            raise StoreError(f"{into} was longer than {file.path} on the hub, and is removed: pull again")

    def _attempt(
        self, repository: Repository, file: RemoteFile, into: Path, on_bytes: OnBytes
    ) -> Exception | None:
        try:
            self._append(repository, file, into, on_bytes)
        except FOREIGN_ERRORS as error:
            return error
        except OSError as error:
            _fail_on_disk(error, into)
        complete = _size_bytes(into) >= file.size_bytes
        return None if complete else httpx.RemoteProtocolError("the answer ended early")

    def _append(self, repository: Repository, file: RemoteFile, into: Path, on_bytes: OnBytes) -> None:
        done_bytes = _size_bytes(into)
        address = hf_hub_url(repository.name, file.path, revision=repository.commit, endpoint=self._endpoint)
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={done_bytes}-"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        # The client itself drops the token when it is redirected to another origin, as for LFS files.
        with get_session().stream(
            "GET", address, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=True
        ) as response:
            hf_raise_for_status(response)
            # 200 is the whole file: the server does not support ranges.
            with into.open("ab" if response.status_code == 206 else "wb") as target:
                for chunk in response.iter_bytes():
                    target.write(chunk)
                    on_bytes(target.tell())

    def _fail(self, error: Exception, name: str, revision: str | None) -> NoReturn:
        raise StoreError(self._message(error, name, revision)) from error

    def _message(self, error: Exception, name: str, revision: str | None) -> str:
        match error:
            case OfflineModeIsEnabled():
                return f"{name} was not fetched because HF_HUB_OFFLINE is set: unset it to pull"
            case RevisionNotFoundError():
                return f"{name} has no revision {revision}: give a branch, a tag or a commit of it"
            case HfHubHTTPError():
                return self._http_message(error, name)
            case httpx.HTTPError() | httpx.InvalidURL() | httpx.StreamError():
                return (
                    f"{self._endpoint} cannot be reached ({type(error).__name__}: {error}): check the network and "
                    "HF_ENDPOINT and pull again, which continues where it stopped. Without a network, copy the "
                    "model's directory from a machine that has it"
                )
            case _:
                return f"{self._endpoint} gave no usable answer for {name}: {error}"

    def _http_message(self, error: HfHubHTTPError, name: str) -> str:
        status = error.response.status_code
        if isinstance(error, GatedRepoError):
            return f"{name} is gated: accept its terms at {self._endpoint}/{name}, then set HF_TOKEN"
        if status in (401, 403) and self._token:
            return (
                f"{self._endpoint} refused the token for {name} ({status}): check HF_TOKEN, which may be "
                "wrong, expired or without read access; public models need none"
            )
        if isinstance(error, RepositoryNotFoundError):
            return (
                f"{self._endpoint} has no model {name}, or it is private: check the name; "
                "for a private model set HF_TOKEN"
            )
        if status in (401, 403):
            return f"{self._endpoint} requires a token for {name} ({status}): set HF_TOKEN"
        return f"{self._endpoint} answered {status} for {name}: try again later; what was fetched is kept"


def _is_retryable(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _RETRYABLE_STATUS
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fail_on_disk(error: OSError, path: Path) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise StoreError(
            f"no space is left for {path}: free some and pull again, which continues where it stopped, "
            "or set KASCRIBE_WHISPER_MODELS_DIRECTORY to a larger disk"
        ) from error
    raise StoreError(f"{path} cannot be written: {error.strerror}") from error

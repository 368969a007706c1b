"""A registry of images over HTTP, as the OCI distribution specification has it: which digest a tag has now."""

import base64
import hashlib
import http
import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from deploy.images.references import UNNAMED, Image

UNNAMED_IN_CONFIGURATION: Final = "/v1/"
"""The end of the name under which ``docker login`` keeps the credentials of Docker's default registry."""
TIMEOUT_SECONDS: Final = 30.0
MANIFEST_LIMIT_BYTES: Final = 4 * 1024**2
"""As registries themselves limit manifests."""

ACCEPTED: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""Indexes first: their digest is that of the image on every platform."""

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(Exception):
    """The registry did not give a digest. The text says why and what to do."""


class Registries:
    """Registries by name. ``mirrors`` replaces addresses; ``credentials`` are user and password by name.

    Use it as a context; it keeps connections.
    """

    def __init__(
        self,
        *,
        mirrors: Mapping[str, str] | None = None,
        credentials: Mapping[str, tuple[str, str]] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._mirrors = dict(mirrors or {})
        self._credentials = dict(credentials or {})
        self._client = httpx.Client(timeout=timeout_seconds, follow_redirects=True)

    def __enter__(self) -> "Registries":
        return self

    def __exit__(self, *ended: object) -> None:
        self._client.close()

    def digest(self, image: Image) -> str:
        """Return the digest that the image's tag has now, computed from the manifest. Raises RegistryError."""
        url = f"{self._address(image)}/v2/{image.repository}/manifests/{image.tag}"
        answer = self._get(url, {"Accept": ACCEPTED}, image)
        if answer.status_code == http.HTTPStatus.UNAUTHORIZED:
            headers = {"Accept": ACCEPTED, "Authorization": self._authorization(answer, image)}
            answer = self._get(url, headers, image)
        if answer.status_code != http.HTTPStatus.OK:
            raise RegistryError(_refusal(answer, image))
        return _digest_of(answer, image)

    def _address(self, image: Image) -> str:
        registry = image.registry
        known = self._mirrors.get(registry, "" if registry == UNNAMED else f"https://{registry}")
        if not known:
            raise RegistryError(f"{image.name} names no registry: give the address with --mirror {UNNAMED}=URL")
        return known.rstrip("/")

    def _get(self, url: str, headers: Mapping[str, str], image: Image) -> httpx.Response:
        try:
            with self._client.stream("GET", url, headers=dict(headers)) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MANIFEST_LIMIT_BYTES:
                        raise RegistryError(f"{image.name}: {url} answers more than a manifest may have")
                return httpx.Response(
                    answer.status_code, headers=_plain(answer), content=body, request=answer.request
                )
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise RegistryError(f"{image.name}: {urlsplit(url).netloc} does not answer ({why})") from error

    def _authorization(self, refused: httpx.Response, image: Image) -> str:
        """Return the header that the registry's challenge asks for: a token, or user and password themselves."""
        challenge = refused.headers.get("WWW-Authenticate", "")
        scheme, asked = challenge.partition(" ")[0].lower(), dict(_PARAMETER.findall(challenge))
        user = self._credentials.get(image.registry)
        if scheme == "basic" and user:
            return _basic(user, str(refused.request.url))
        if scheme != "bearer" or not asked.get("realm"):
            raise RegistryError(f"{image.name}: {image.registry} wants a login: docker login {image.registry}")
        query = httpx.QueryParams({name: asked[name] for name in ("service", "scope") if name in asked})
        headers = {"Authorization": _basic(user, asked["realm"])} if user else {}
        answer = self._get(f"{asked['realm']}?{query}", headers, image)
        try:
            given = answer.json()
            token = given.get("token") or given.get("access_token")
        except ValueError:
            token = None
        if answer.status_code != http.HTTPStatus.OK or not token:
            raise RegistryError(f"{image.name}: {asked['realm']} gives no token ({answer.status_code})")
        return f"Bearer {token}"


def docker_credentials(path: Path) -> dict[str, tuple[str, str]]:
    """Return users and passwords of the file that ``docker login`` writes, if any. Calls no helper program."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("auths", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path} cannot be read: {error}") from error
    credentials = {}
    for name, entry in found.items():
        user, colon, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
        if colon:
            credentials[UNNAMED if name.endswith(UNNAMED_IN_CONFIGURATION) else name] = (user, password)
    return credentials


def _digest_of(answer: httpx.Response, image: Image) -> str:
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    stated = answer.headers.get("Docker-Content-Digest", digest)
    if stated != digest:
        raise RegistryError(
            f"{image.name}: the registry says {stated}, and its manifest is {digest}: pinned to neither"
        )
    try:
        is_manifest = json.loads(answer.content).get("schemaVersion") == 2
    except (ValueError, AttributeError):
        is_manifest = False
    if not is_manifest:
        raise RegistryError(f"{image.name}: {image.registry} answers with no manifest: is it a registry?")
    return digest


def _refusal(answer: httpx.Response, image: Image) -> str:
    status = answer.status_code
    if status == http.HTTPStatus.NOT_FOUND:
        return f"{image.name}: {image.registry} has no such image"
    if status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
        return f"{image.name}: {image.registry} refuses access: docker login {image.registry}"
    if status == http.HTTPStatus.TOO_MANY_REQUESTS:
        wait = answer.headers.get("Retry-After")
        return f"{image.name}: {image.registry} limits requests: log in, or try again" + (
            f" in {wait} s" if wait else ""
        )
    return f"{image.name}: {image.registry} answers {status}"


def _basic(user: tuple[str, str], address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise RegistryError(f"{address} is not https: the password is not sent there")
    return "Basic " + base64.b64encode(":".join(user).encode()).decode()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plain(answer: httpx.Response) -> list[tuple[str, str]]:
    # The body was decoded while it was read; these headers describe it as it was sent.
    dropped = {"content-encoding", "content-length", "transfer-encoding"}
    return [(name, value) for name, value in answer.headers.items() if name not in dropped]

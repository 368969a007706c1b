"""What stands between a role and its store: rights, the clock, names, certificates."""

import datetime as dt
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.chaos.failures.failure import Expected, Failure, Line, Published, SetUp, Setup
from tests.chaos.failures.provoked.machine import cannot_mount
from tests.chaos.failures.provoked.minio_users import MinioUsers
from tests.chaos.failures.provoked.servers import S3_DOWN
from tests.chaos.failures.provoked.tls_proxy import TlsProxy
from tests.chaos.failures.scene import Scene
from tests.contract.vllm.certificates import Authority
from tests.integration.stack import PrivateStack

SKEW: Final = "+20m"
STORE_NAME: Final = "store.test"
HOSTS: Final = Path("/etc/hosts")
WORK: Final = "intake pauses; done once that is mended, no attempt is counted"
EVERYTHING: Final = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
FAKETIME: Final = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
)


def cannot_fake_time() -> str:
    """Return what is missing to skew the clock of one process; nothing if it can be done."""
    return "" if _faketime() else "libfaketime (Debian: libfaketime)"


def _faketime() -> str | None:
    return next((path for path in FAKETIME if Path(path).exists()), None)


def _denied(*actions: str) -> SetUp:
    """Return a set-up that takes these rights from the role's own user, and gives them back."""

    @contextmanager
    def set_up(stack: PrivateStack, _directory: Path) -> Iterator[Setup]:
        users = MinioUsers(stack.environment)
        name, secret = f"role{secrets.token_hex(4)}", secrets.token_hex(16)
        users.set_policy(name, [EVERYTHING])
        users.add(name, secret, policy=name)
        denied = {"Effect": "Deny", "Action": list(actions), "Resource": ["arn:aws:s3:::*"]}
        yield Setup(
            lambda _: users.set_policy(name, [EVERYTHING, denied]),
            lambda _: users.set_policy(name, [EVERYTHING]),
            settings={"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": secret},
        )

    return set_up


@contextmanager
def _with_wrong_clock(_stack: PrivateStack, directory: Path) -> Iterator[Setup]:
    """Skew the clock of the role's process, which reads the offset from a file."""
    offset = directory / "offset"
    offset.write_text("+0\n")
    yield Setup(
        lambda _: offset.write_text(f"{SKEW}\n"),
        lambda _: offset.write_text("+0\n"),
        settings={
            "LD_PRELOAD": _faketime() or "",
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        },
    )


@contextmanager
def _without_name(stack: PrivateStack, directory: Path) -> Iterator[Setup]:
    """Give the role a hosts file of its own, in which the store's name disappears."""
    hosts, before = directory / "hosts", HOSTS.read_text()
    known = f"{before}\n127.0.0.1 {STORE_NAME}\n"
    hosts.write_text(known)
    mounted = f'mount --bind "{hosts}" {HOSTS} && exec "$@"'
    port = urlsplit(stack.environment["KASCRIBE_S3_ENDPOINT_URL"]).port

    def begin(scene: Scene) -> None:
        # Written in place: a bind mount stays with the file.
        hosts.write_text(before)
        _restart_store(scene)

    yield Setup(
        begin,
        lambda _: hosts.write_text(known),
        settings={"KASCRIBE_S3_ENDPOINT_URL": f"http://{STORE_NAME}:{port}"},
        launcher=("unshare", "--mount", "sh", "-c", mounted, "sh"),
    )


def _restart_store(scene: Scene) -> None:
    """End the connections that were made before the name disappeared."""
    scene.stack.servers.minio_kill()
    scene.stack.servers.minio_start()


@contextmanager
def _with_expired_certificate(stack: PrivateStack, directory: Path) -> Iterator[Setup]:
    """Put a TLS proxy before the store, whose certificate is exchanged for one that has expired."""
    authority = Authority(directory, "authority")
    valid = authority.certify("valid")
    expired = authority.certify("expired", expired_for=dt.timedelta(days=1))
    port = urlsplit(stack.environment["KASCRIBE_S3_ENDPOINT_URL"]).port
    proxy = TlsProxy(port or 0, valid.certificate, valid.key)
    with proxy.running():
        yield Setup(
            lambda _: proxy.present(expired.certificate, expired.key),
            lambda _: proxy.present(valid.certificate, valid.key),
            settings={"KASCRIBE_S3_ENDPOINT_URL": proxy.url, "AWS_CA_BUNDLE": str(authority.file)},
        )


def _row(name: str, title: str, provoked: str, set_up: SetUp, error: str, **more: Any) -> Failure:
    """Return a row whose jobs meet the failure at once: a request that fails is logged with its cause."""
    line = Line("dependency is down", {"dependency": "s3", "error": error})
    expected = Expected(ready="waiting for s3", sample=S3_DOWN, line=line, work=WORK)
    return Failure(name, title, provoked, set_up, expected, **more)


def _idle_row(name: str, title: str, provoked: str, set_up: SetUp, error: str, **more: Any) -> Failure:
    """Return a row in which nothing is in flight: the probe alone notices the failure, and logs its cause."""
    line = Line("bucket cannot be used", {"error": error})
    expected = Expected(ready="s3 has not answered for", sample=S3_DOWN, line=line, work=WORK)
    return Failure(name, title, provoked, set_up, expected, published=Published.ONCE_NOTICED, **more)


ROWS: Final = (
    _row(
        "bucket-forbidden",
        "bucket forbidden",
        "MinIO's policy of the role's user denies every action, then the jobs come; then it allows them",
        _denied("s3:*"),
        "AccessDenied; allow these credentials",
    ),
    _row(
        "bucket-read-only",
        "bucket read-only",
        "the same policy denies writing alone",
        _denied("s3:PutObject"),
        "AccessDenied; allow these credentials",
    ),
    _row(
        "clock-skew",
        "clock skew",
        "libfaketime sets the clock of the role's process 20 minutes ahead, then the jobs come; then right again",
        _with_wrong_clock,
        "RequestTimeTooSkewed; the clocks of this machine and of the store differ",
        missing=cannot_fake_time,
    ),
    _idle_row(
        "dns",
        "DNS",
        "the store's name disappears from the hosts file of the role (a mount namespace) and its connections end; "
        "once that is noticed, the jobs come; then the name is back",
        _without_name,
        "Name or service not known|Temporary failure in name resolution",
        missing=cannot_mount,
    ),
    _idle_row(
        "expired-certificate",
        "expired certificate",
        "a TLS proxy before MinIO presents a certificate that has expired; once noticed, the jobs come; then a "
        "valid one",
        _with_expired_certificate,
        "certificate has expired",
    ),
)

"""The object store itself: whether it answers, accepts the credentials, and agrees on the time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from kascribe.operations.doctor.findings import Finding, failed, ok, skipped, warning
from producers.s3 import create_client, status_of
from schemas.clock import Clock
from schemas.errors import DependencyDown
from schemas.object_addresses import S3
from schemas.settings import S3Settings
from schemas.settings.catalogue import without_credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REQUEST_SECONDS: Final = 3.0
"""To connect, and to read. The client tries three times, so a store that hangs is given up after ten seconds."""

ABSENT_KEY: Final = "kascribe-doctor-absent"
"""Read to see how the store answers: no object has this name."""

SKEW_WARNING_SECONDS: Final = 60.0
SKEW_LIMIT_SECONDS: Final = 15 * 60.0
"""Stores refuse requests that were signed more than a quarter of an hour from their own time."""

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
NOT_IMPLEMENTED: Final = 501

NO_CREDENTIALS: Final = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_SKEWED: Final = "RequestTimeTooSkewed"
_REFUSED_CREDENTIALS: Final = {
    "InvalidAccessKeyId": "correct AWS_ACCESS_KEY_ID: the store does not know it",
    "SignatureDoesNotMatch": "correct AWS_SECRET_ACCESS_KEY: it is not the secret of this access key",
    "ExpiredToken": "renew the temporary credentials (AWS_SESSION_TOKEN)",
    "InvalidTokenId": "remove AWS_SESSION_TOKEN, or set the one that belongs to the access key",
    "InvalidToken": "remove AWS_SESSION_TOKEN, or set the one that belongs to the access key",
    "AuthorizationHeaderMalformed": "set KASCRIBE_S3_REGION to the region that the store expects",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store answered. ``code`` is empty for a success; ``values`` is the body of one."""

    status: int
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Whether the request succeeded."""
        return not self.code

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()


def open_client(settings: S3Settings) -> "S3Client":
    """Return the client of the settings, with short time limits. Raises ConfigurationError."""
    limit_seconds = min(settings.timeout_seconds, REQUEST_SECONDS)
    return create_client(settings.model_copy(update={"timeout_seconds": limit_seconds}), connections=8)


def ask(request: Callable[..., Any], **parameters: Any) -> Answer:
    """Make one request of the client. A refusal is an answer; raises DependencyDown when there is none."""
    try:
        values = request(**parameters)
    except ClientError as error:
        response: Mapping[str, Any] = error.response
        code = str(response.get("Error", {}).get("Code", "")) or "Error"
        return Answer(status_of(error), code, response.get("ResponseMetadata", {}).get("HTTPHeaders", {}))
    except BotoCoreError as error:
        raise DependencyDown(S3, str(error)) from error
    metadata = values.get("ResponseMetadata", {})
    return Answer(int(metadata.get("HTTPStatusCode", 0)), "", metadata.get("HTTPHeaders", {}), values)


def address_of(settings: S3Settings, client: "S3Client") -> str:
    """Return the store's address, without credentials."""
    return without_credentials(settings.endpoint_url or client.meta.endpoint_url)


def check_store(settings: S3Settings, *, clock: Clock) -> Iterator[Finding]:
    """Yield whether the store answers, whether its clock agrees with ours, and what it says to the credentials."""
    client = open_client(settings)
    address = address_of(settings, client)
    started_at = clock.now().timestamp()
    try:
        # GET has a body, which names the reason of a refusal; HEAD has none.
        answer = ask(client.get_object, Bucket=settings.bucket, Key=ABSENT_KEY)
    except DependencyDown as error:
        if isinstance(error.__cause__, NoCredentialsError | PartialCredentialsError):
            yield failed("credentials", "there are none", NO_CREDENTIALS)
            return
        yield _unanswered(address, error)
        return
    seconds = clock.now().timestamp() - started_at
    yield ok("store", f"{address} answers in {seconds * 1_000:,.0f} ms")
    yield _clock(answer, started_at + seconds / 2)
    yield _credentials(answer)


def _unanswered(address: str, error: DependencyDown) -> Finding:
    if isinstance(error.__cause__, ReadTimeoutError):
        found = f"{address} accepts connections, and does not answer within {REQUEST_SECONDS:g} s"
        return failed("store", found, "restart it, or look at its load and its disks")
    found = f"no object store answers at {address}: {without_credentials(str(error))}"
    return failed("store", found, "start it, or correct KASCRIBE_S3_ENDPOINT_URL; see firewalls and DNS")


def _clock(answer: Answer, at: float) -> Finding:
    date = answer.headers.get("date")
    if date is None:
        return skipped("clock", "the store sends no Date")
    try:
        ahead_seconds = at - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return skipped("clock", "the store's Date cannot be read")
    found = (
        f"this machine is {abs(ahead_seconds):,.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'} the store"
    )
    remedy = "synchronise both clocks (chronyd, systemd-timesyncd): stores refuse signatures over 15 minutes off"
    if abs(ahead_seconds) >= SKEW_LIMIT_SECONDS or answer.code == _SKEWED:
        return failed("clock", found, remedy)
    if abs(ahead_seconds) >= SKEW_WARNING_SECONDS:
        return warning("clock", found, remedy)
    return ok("clock", "agrees with the store's within a second or two" if abs(ahead_seconds) < 2 else found)


def _credentials(answer: Answer) -> Finding:
    if answer.code == _SKEWED:
        return skipped("credentials", "not judged: the store refuses the time of the signature")
    if answer.code in _REFUSED_CREDENTIALS:
        return failed("credentials", f"refused: {answer}", _REFUSED_CREDENTIALS[answer.code])
    return ok("credentials", "accepted")

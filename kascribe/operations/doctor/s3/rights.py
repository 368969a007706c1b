"""Each right on a bucket, tried with the request that needs it, on objects that are removed again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kascribe.operations.doctor.findings import Finding, failed, ok, warning
from kascribe.operations.doctor.needs import BucketNeeds, Right
from kascribe.operations.doctor.s3.store import ABSENT_KEY, FORBIDDEN, NOT_FOUND, Answer, ask, open_client
from producers.s3 import CONFLICT, PRECONDITION_FAILED
from schemas.identity import random_id
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER: Final = "doctor/"
"""Of probes, below the prefix of results or uploads: Kascribe's own objects are never taken for audio."""

BODY: Final = b"A probe of kascribe doctor, which removes it again."

_ACTIONS: Final = {
    Right.LIST: ("s3:ListBucket",),
    Right.GET: ("s3:GetObject",),
    Right.HEAD: ("s3:GetObject",),
    Right.PUT: ("s3:PutObject",),
    Right.DELETE: ("s3:DeleteObject",),
    Right.MULTIPART: ("s3:PutObject", "s3:AbortMultipartUpload"),
}


@dataclass
class _Probe:
    """The requests of one bucket, and the objects that they have left there."""

    client: "S3Client"
    bucket: str
    prefix: str | None
    stored: dict[str, str | None] = field(default_factory=dict)
    """Keys with their version, where the bucket keeps versions."""

    def new_key(self) -> str:
        """Return a key that no other probe has."""
        return f"{self.prefix or ''}{FOLDER}{random_id()}"

    def put(self, key: str, *, only_if_absent: bool = False) -> Answer:
        """Store a probe."""
        condition = {"IfNoneMatch": "*"} if only_if_absent else {}
        answer = ask(self.client.put_object, Bucket=self.bucket, Key=key, Body=BODY, **condition)
        if answer.is_ok:
            self.stored[key] = answer.values.get("VersionId")
        return answer

    def list_one(self) -> Answer:
        """List one object."""
        return ask(self.client.list_objects_v2, Bucket=self.bucket, Prefix=self.prefix or "", MaxKeys=1)

    def head(self, key: str) -> Answer:
        """Ask for an object's metadata."""
        return ask(self.client.head_object, Bucket=self.bucket, Key=key)

    def get(self, key: str) -> Answer:
        """Read the first byte of an object."""
        answer = ask(self.client.get_object, Bucket=self.bucket, Key=key, Range="bytes=0-0")
        if answer.is_ok:
            answer.values["Body"].close()
        return answer

    def multipart(self) -> Answer:
        """Upload an object in parts: begin, one part, complete."""
        key = self.new_key()
        begun = ask(self.client.create_multipart_upload, Bucket=self.bucket, Key=key)
        if not begun.is_ok:
            return begun
        upload = str(begun.values["UploadId"])
        part = ask(self.client.upload_part, Bucket=self.bucket, Key=key, PartNumber=1, UploadId=upload, Body=BODY)
        if part.is_ok:
            parts = {"Parts": [{"PartNumber": 1, "ETag": part.values["ETag"]}]}
            ended = ask(
                self.client.complete_multipart_upload,
                Bucket=self.bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload=parts,
            )
            if ended.is_ok:
                self.stored[key] = ended.values.get("VersionId")
                return ended
            part = ended
        aborted = ask(self.client.abort_multipart_upload, Bucket=self.bucket, Key=key, UploadId=upload)
        return part if aborted.is_ok else aborted

    def delete(self, key: str) -> Answer:
        """Delete an object, as Kascribe does."""
        return ask(self.client.delete_object, Bucket=self.bucket, Key=key)

    def tidy(self) -> list[str]:
        """Remove every probe with its version, and return the keys of those that stay."""
        left = []
        for key, version in self.stored.items():
            deleted = self.delete(key)
            marker = deleted.values.get("VersionId")
            for each in filter(None, (version, marker)):
                # Without the right to delete versions they stay, hidden by a delete marker.
                ask(self.client.delete_object, Bucket=self.bucket, Key=key, VersionId=each)
            if not deleted.is_ok:
                left.append(key)
        return left


def check_rights(settings: S3Settings, needs: BucketNeeds, *, setting: str) -> Iterator[Finding]:
    """Yield one row for the rights on a bucket; for a writable one, also whether it creates conditionally.

    ``setting`` names the setting that names the bucket.
    """
    probe = _Probe(open_client(settings), needs.bucket, needs.prefix)
    name = needs.name
    try:
        yield from _rights(probe, needs, name, setting)
    finally:
        left = probe.tidy()
    if left:
        probes = ", ".join(f"s3://{needs.bucket}/{key}" for key in left)
        yield warning(f"probes in {needs.bucket}", f"they stay: {probes}", "remove them by hand")


def _rights(probe: _Probe, needs: BucketNeeds, name: str, setting: str) -> Iterator[Finding]:
    key, stored = ABSENT_KEY, Answer(NOT_FOUND, "NoSuchKey")
    if needs.prefix is not None:
        key = probe.new_key()
        stored = probe.put(key)
    else:
        listed = probe.list_one()
        found = listed.values.get("Contents") or []
        key = str(found[0]["Key"]) if found else ABSENT_KEY
    requests: dict[Right, Callable[[], Answer]] = {
        Right.LIST: probe.list_one,
        Right.HEAD: lambda: probe.head(key),
        Right.GET: lambda: probe.get(key),
        Right.PUT: lambda: stored,
        Right.MULTIPART: probe.multipart,
        Right.DELETE: lambda: probe.delete(probe.new_key()),
    }
    answers = {right: requests[right]() for right in needs.rights}
    if any(answer.code == "NoSuchBucket" for answer in answers.values()):
        yield failed(name, "there is no such bucket", f"create it, or correct {setting}")
        return
    yield _judged(name, needs, answers)
    if Right.DELETE in needs.rights and stored.is_ok and Right.LIST in needs.rights:
        yield _conditional(probe, needs)


def _judged(name: str, needs: BucketNeeds, answers: dict[Right, Answer]) -> Finding:
    # An object that is absent was looked for: that is allowed.
    refused = {right: each for right, each in answers.items() if not each.is_ok and each.status != NOT_FOUND}
    allowed = ", ".join(right for right in answers if right not in refused)
    if not refused:
        return ok(name, f"{allowed} allowed")
    wrong = "; ".join(f"{right} refused ({answer})" for right, answer in refused.items())
    found = f"{wrong}; {allowed} allowed" if allowed else wrong
    if not all(answer.status == FORBIDDEN for answer in refused.values()):
        return failed(name, found, "see the store's log: these are no refusals of rights")
    actions = ", ".join(dict.fromkeys(action for right in refused for action in _ACTIONS[right]))
    return failed(name, found, f"allow {actions} on {needs.bucket}/{needs.prefix or ''}* in the policy")


def _conditional(probe: _Probe, needs: BucketNeeds) -> Finding:
    name = f"create once, {needs.bucket}"
    key = probe.new_key()
    first, second = probe.put(key, only_if_absent=True), probe.put(key, only_if_absent=True)
    if first.is_ok and second.status in (PRECONDITION_FAILED, CONFLICT):
        return ok(name, "If-None-Match: * keeps the first object")
    found = "a second object replaced the first" if first.is_ok and second.is_ok else f"{first}, then {second}"
    return failed(
        name,
        f"conditional create does not work: {found}",
        "use a store, or a release, that honours If-None-Match on PUT: without it jobs are done twice",
    )

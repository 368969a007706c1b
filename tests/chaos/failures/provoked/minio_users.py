"""Users and policies of MinIO, by its own administration API."""

import hashlib
import json
import os
import struct
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

API: Final = "/minio/admin/v3"
REGION: Final = "us-east-1"
PBKDF2_ROUNDS: Final = 8_192
PBKDF2_AES_GCM: Final = b"\x02"
LAST_FRAGMENT: Final = b"\x80"
TIMEOUT_SECONDS: Final = 10.0


class MinioUsers:
    """The administration of one server, with the credentials of its root user. Every method blocks."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._url = environment["KASCRIBE_S3_ENDPOINT_URL"]
        self._credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])

    def add(self, name: str, secret: str, *, policy: str) -> None:
        """Add a user with a policy, which exists."""
        user = json.dumps({"secretKey": secret, "status": "enabled"}).encode()
        self._request("PUT", "add-user", encrypted(user, self._credentials.secret_key), accessKey=name)
        self._request("PUT", "set-user-or-group-policy", policyName=policy, userOrGroup=name, isGroup="false")

    def set_policy(self, name: str, statements: Sequence[Mapping[str, Any]]) -> None:
        """Create a policy, or replace it: that counts for its users from the next request on."""
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self._request("PUT", "add-canned-policy", json.dumps(document).encode(), name=name)

    def _request(self, method: str, what: str, body: bytes = b"", **parameters: str) -> None:
        url = f"{self._url}{API}/{what}?{urlencode(parameters)}"
        signed = AWSRequest(method, url, data=body)
        S3SigV4Auth(self._credentials, "s3", REGION).add_auth(signed)
        request = urllib.request.Request(url, data=body, headers=dict(signed.headers), method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - loopback
                return
        except urllib.error.HTTPError as error:
            raise AssertionError(f"MinIO refused {what}: {error.code} {error.read()[:300]!r}") from error


def encrypted(body: bytes, password: str) -> bytes:
    """Encrypt a body that holds a secret, as the API wants it: one fragment, its key made of the password."""
    salt, nonce = os.urandom(32), os.urandom(8)
    cipher = AESGCM(hashlib.pbkdf2_hmac("sha256", password.encode(), salt, PBKDF2_ROUNDS, 32))
    header = cipher.encrypt(nonce + struct.pack("<I", 0), b"", b"")
    sealed = cipher.encrypt(nonce + struct.pack("<I", 1), body, LAST_FRAGMENT + header)
    return salt + PBKDF2_AES_GCM + nonce + sealed

"""Decoding of object keys in notifications, exactly once, by the rules of their dialect.

MinIO, RustFS and AWS write ``s3.object.key`` form-urlencoded (a space is ``+``). Ceph RGW writes it verbatim in
the releases that were examined, while its documentation follows AWS. MinIO and RustFS also write ``bucket/key``
verbatim at the top of a message. EventBridge writes it verbatim: such a key is not decoded here.
"""

import re
from typing import Final
from urllib.parse import unquote_plus

from schemas.errors import InvalidEvent
from schemas.notifications.events import Dialect

_NEVER_IN_ENCODED: Final = re.compile(r"[^\x21-\x7e]|%(?![0-9A-Fa-f]{2})")


def decode_key(written: str, *, dialect: Dialect, bucket: str, named: str | None) -> str:
    """Decode the object's key. ``named`` is the message's top-level ``Key``, if the message has one object only.

    Raises InvalidEvent when the bytes are not UTF-8, or when ``named`` is another object.
    """
    if dialect is Dialect.CEPH:
        return _decode(written) if _looks_encoded(written) else written
    if named is None:
        return _decode(written)
    return _cross_check(written, named.removeprefix(f"{bucket}/"))


def _decode(written: str) -> str:
    try:
        return unquote_plus(written, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"the object key {written[:200]!r} does not decode to UTF-8") from error


def _cross_check(written: str, named: str) -> str:
    # The store wrote the key twice: verbatim under Key, encoded in the record. Releases that do not encode the
    # record, or encode both, are supported too.
    if written == named and not _looks_encoded(written):
        return named
    decoded = _decode(written)
    if named in (decoded, written):
        return decoded
    if _decode(named) == decoded:
        return decoded
    raise InvalidEvent(f"the notification names two objects: Key {named[:200]!r} and key {decoded[:200]!r}")


def _looks_encoded(written: str) -> bool:
    return "%" in written and not _NEVER_IN_ENCODED.search(written)

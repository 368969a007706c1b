"""The XML of S3's answers, and of the one request with a document. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from kascribe.embedded.versions import Version

KEYS_LIMIT: Final = 1_000
PARAMETERS: Final = frozenset(
    {
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "continuation-token",
        "start-after",
        "marker",
        "encoding-type",
        "fetch-owner",
    }
)
_NAMESPACE: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def buckets(names: Iterable[str]) -> str:
    """Return the list of all buckets."""
    listed = "".join(
        f"<Bucket><Name>{escape(name)}</Name><CreationDate>2000-01-01T00:00:00.000Z</CreationDate></Bucket>"
        for name in names
    )
    return f"<ListAllMyBucketsResult {_NAMESPACE}><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"


def created(bucket: str, key: str, upload_id: str) -> str:
    """Return the answer to the creation of a multipart upload."""
    return (
        f"<InitiateMultipartUploadResult {_NAMESPACE}><Bucket>{escape(bucket)}</Bucket><Key>{escape(key)}</Key>"
        f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
    )


def completed(bucket: str, key: str, etag: str) -> str:
    """Return the answer to a completed multipart upload."""
    return (
        f"<CompleteMultipartUploadResult {_NAMESPACE}><Bucket>{escape(bucket)}</Bucket><Key>{escape(key)}</Key>"
        f"<ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>"
    )


def parts_in(document: bytes) -> list[tuple[int, str]]:
    """Return number and etag of each part that a client lists to complete an upload."""
    parts = []
    for part in re.findall(rb"<Part>(.*?)</Part>", document, re.DOTALL):
        number = re.search(rb"<PartNumber>\s*(\d{1,5})\s*</PartNumber>", part)
        etag = re.search(rb"<ETag>\s*(?:&quot;|&#34;|\")?([0-9a-f]+)", part)
        parts.append((int(number[1]) if number else 0, etag[1].decode() if etag else ""))
    return parts


def objects(bucket: str, found: Iterator[tuple[str, Version]], query: Mapping[str, str]) -> str:
    """Return a page of a bucket's objects, for either version of the request: those after a key, up to a limit."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = unquote(query.get("continuation-token", "")) or query.get("start-after") or query.get("marker") or ""
    max_keys = query.get("max-keys", "")
    limit = min(KEYS_LIMIT, int(max_keys) if max_keys.isdecimal() else KEYS_LIMIT)
    shown = quote if query.get("encoding-type") == "url" else escape
    entries: dict[str, str] = {}
    is_truncated = False
    for key, version in found:
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key[: cut + len(delimiter)] if cut >= 0 else key
        if name <= after or name in entries:
            continue
        if len(entries) >= limit:
            is_truncated = True
            break
        entries[name] = (
            f"<CommonPrefixes><Prefix>{shown(name)}</Prefix></CommonPrefixes>"
            if cut >= 0
            else f"<Contents><Key>{shown(key)}</Key><LastModified>{version.modified:%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><ETag>&quot;{version.etag}&quot;</ETag><Size>{version.size_bytes}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    last = next(reversed(entries), "")
    # The token is quoted: a key may hold characters that XML cannot.
    more = f"<NextContinuationToken>{quote(last)}</NextContinuationToken><NextMarker>{shown(last)}</NextMarker>"
    return (
        f"<ListBucketResult {_NAMESPACE}><Name>{escape(bucket)}</Name><Prefix>{shown(prefix)}</Prefix>"
        f"<KeyCount>{len(entries)}</KeyCount><MaxKeys>{limit}</MaxKeys>"
        f"{'<EncodingType>url</EncodingType>' if shown is quote else ''}"
        f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>{more if is_truncated else ''}"
        f"{''.join(entries.values())}</ListBucketResult>"
    )

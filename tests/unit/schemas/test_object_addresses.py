"""Which objects a reference may name, and what is said of those that it may not."""

import pytest

from schemas.errors import SourceNotAllowed
from schemas.object_addresses import ObjectAddress, allowed_address
from schemas.settings import S3Settings


def test_a_reference_may_name_the_product_s_own_bucket_unless_others_are_allowed() -> None:
    """Its key is taken as it is written."""
    address = allowed_address("s3://audio/a%20b/ü.wav", S3Settings(bucket="audio"))
    assert address == ObjectAddress("audio", "a%20b/ü.wav")
    assert address.uri == "s3://audio/a%20b/ü.wav"
    with pytest.raises(SourceNotAllowed):
        allowed_address("s3://audio/a.wav", S3Settings(bucket="audio", allowed_buckets=("calls",)))


def test_a_bucket_that_is_not_allowed_is_refused_with_those_that_are() -> None:
    """And with the setting that widens them."""
    with pytest.raises(SourceNotAllowed) as refused:
        allowed_address("s3://secret/a.wav", S3Settings(allowed_buckets=("calls", "talks")))
    assert str(refused.value) == (
        "bucket 'secret' is not allowed (only calls, talks); nothing was fetched; "
        "KASCRIBE_S3_ALLOWED_BUCKETS widens them"
    )


@pytest.mark.parametrize(
    "uri", ["", "s3://", "s3://audio", "s3://audio/", "s3:///a", "audio/a", "https://audio/a"]
)
def test_what_is_no_address_is_refused_with_the_form_that_is(uri: str) -> None:
    """Nothing is fetched, and nothing guessed."""
    with pytest.raises(SourceNotAllowed, match="is not of the form s3://bucket/key; nothing was fetched"):
        ObjectAddress.parse(uri)

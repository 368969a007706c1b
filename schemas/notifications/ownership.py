"""Which objects are ours: results and uploads share the bucket with what is dropped there."""

from schemas.settings import S3Settings


def is_own_object(bucket: str, key: str, settings: S3Settings) -> bool:
    """Whether a notification about this object is an echo of ourselves.

    Results are no audio; an upload by our own producers has a reference that is its job.
    """
    results_bucket = settings.results_bucket or settings.bucket
    under_results = bucket == results_bucket and key.startswith(settings.results_prefix)
    return under_results or (bucket == settings.bucket and key.startswith(settings.uploads_prefix))

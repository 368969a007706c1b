"""Detection of Kascribe's own objects: results and uploads may share the bucket with dropped files."""

from schemas.settings import S3Settings


def is_own_object(bucket: str, key: str, settings: S3Settings) -> bool:
    """Return whether Kascribe itself wrote this object.

    Results are not audio; uploads of Kascribe's producers are transcribed by their own references.
    """
    results_bucket = settings.results_bucket or settings.bucket
    under_results = bucket == results_bucket and key.startswith(settings.results_prefix)
    return under_results or (bucket == settings.bucket and key.startswith(settings.uploads_prefix))

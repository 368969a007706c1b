"""The demo judges every request of the README by what the README promises for it."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.demo.enrichment import is_right, readme_requests

SPOKEN: Final = "하나 둘"
Answer = Mapping[str, Any]
HEALTHY: Final[Answer] = {"status": "ok", "dependencies": {}}
TRANSCRIBED: Final[Answer] = {"success": True, "text": "하나, 둘"}
PROCESSED: Final[Answer] = {**TRANSCRIBED, "processed_text": "두 낱말"}


def test_each_request_of_the_readme_has_an_answer_that_is_right() -> None:
    """Three requests, each with the answer that it gets when all goes well."""
    answers = (HEALTHY, TRANSCRIBED, PROCESSED)
    for command, answer in zip(readme_requests(), answers, strict=True):
        assert is_right(command, answer, SPOKEN)


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (0, {**HEALTHY, "status": "degraded"}),
        (1, {**TRANSCRIBED, "text": "셋"}),
        (1, {"success": False, "error": {}}),
        (2, TRANSCRIBED),
        (2, {**PROCESSED, "processed_text": None}),
        (2, {**PROCESSED, "processed_text": " "}),
        (2, {**PROCESSED, "text": "셋"}),
    ],
)
def test_an_answer_that_lacks_what_was_promised_is_wrong(number: int, answer: Answer) -> None:
    """Degraded health, other words, nothing processed."""
    assert not is_right(readme_requests()[number], answer, SPOKEN)

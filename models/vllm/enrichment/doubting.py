"""Doubts about an accepted answer, and the items that a setting drops for them."""

from collections.abc import Collection
from typing import Any

from models.vllm.answers.reading import validator_for
from models.vllm.doubts.claims import literals_of
from models.vllm.doubts.dropping import empties_a_list, without_doubtful_items
from models.vllm.doubts.inspection import find_doubts
from models.vllm.doubts.material import Material
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.request import EnrichRequest
from schemas.transcripts.doubts import Doubt, DoubtRule
from schemas.transcripts.languages import nearest_language


def examine(
    output: Any, profile: Profile, request: EnrichRequest, material: Material, *, drop: Collection[DoubtRule] = ()
) -> tuple[Any, tuple[Doubt, ...]]:
    """Return the output and the doubts about it; list items with doubts of the rules ``drop`` are left out.

    The output stays whole where a list would be empty or the schema violated without them.
    """
    schema = profile.schema or {}
    literals, compares_words = literals_of(schema), _is_in_spoken_language(request)
    doubts = find_doubts(output, material, literals=literals, compares_words=compares_words)
    kept = without_doubtful_items(output, doubts, drop)
    if kept == output or empties_a_list(output, kept) or not validator_for(schema).is_valid(kept):
        return output, doubts
    return kept, find_doubts(kept, material, literals=literals, compares_words=compares_words)


def _is_in_spoken_language(request: EnrichRequest) -> bool:
    """Return whether the answer was requested in the language of the transcript, as far as both are known."""
    requested, spoken = request.answer_language, request.transcript_language
    if not requested or not spoken:
        return True
    return nearest_language(requested) in (nearest_language(spoken), None)

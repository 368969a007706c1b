"""From the text that a search found to the judgement of the window. Pure."""

from dataclasses import replace

from models.whisper.gate import Action, Decoded, Judgement, judge
from models.whisper.rows import Hear
from models.whisper.text.loops import without_loops
from models.whisper.text.vocabulary import Vocabulary


def settle(operation: Hear, decoded: Decoded, vocabulary: Vocabulary) -> Judgement:
    """Return the judgement of all attempts, the new one included; an accepted loop is cut to its first occurrence.

    Accepted text that is short for its speech is split: the model may stop where other speech begins.
    """
    judgement = judge(
        (*operation.attempts, decoded),
        searches_left=operation.searches_left,
        splittable=operation.is_splittable,
        thresholds=operation.thresholds,
    )
    if judgement.action is not Action.ACCEPT:
        return judgement
    if len(judgement.chosen.tokens) < operation.fewest_tokens:
        return replace(judgement, action=Action.SPLIT)
    if judgement.is_loop:
        tokens = without_loops(judgement.chosen.tokens)
        return replace(judgement, chosen=replace(judgement.chosen, tokens=tokens, text=vocabulary.text(tokens)))
    return judgement


def needs_words(operation: Hear, judgement: Judgement) -> bool:
    """Return whether the text is to be aligned. The window's end is not the end of a loop that was cut."""
    return judgement.action is Action.ACCEPT and (operation.words or judgement.is_loop)

"""Conversion between text and tokens: prompts, suppressed tokens, words."""

from pathlib import Path
from threading import Lock
from typing import Final

import tokenizers
from faster_whisper.tokenizer import Tokenizer

from schemas.errors import ConfigurationError
from schemas.options import Task
from schemas.transcripts.languages import LANGUAGES

CONTEXT_TOKENS: Final = 448
"""The decoder's context."""
PROMPT_TOKENS: Final = CONTEXT_TOKENS // 2 - 1
"""Limit of prompt and hotwords together; the other half of the context is for the decoded text."""
PREFIX_TOKENS: Final = CONTEXT_TOKENS // 4
"""Limit of the text that a window is made to begin with; it counts as decoded text."""
NON_SPEECH: Final = -1
"""Stands for all symbols that are no speech, in a list of tokens."""
_INCOMPLETE_CHARACTER: Final = "\ufffd"
"""What the tokenizer decodes a character to that the token limit cut in two."""


class Vocabulary:
    """The tokens of one model. Thread-safe."""

    def __init__(self, model_directory: Path, *, multilingual: bool) -> None:
        path = model_directory / "tokenizer.json"
        if not path.is_file():
            raise ConfigurationError(
                f"{path} is missing; the model directory must hold the model's tokenizer.json"
            )
        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self._multilingual = multilingual
        self._lock = Lock()
        self._by_language: dict[tuple[str, Task], Tokenizer] = {}
        self._plain = self._of("en", Task.TRANSCRIBE)
        self._controls = self._control_tokens()
        self.languages = frozenset(
            code
            for code in (LANGUAGES if multilingual else ("en",))
            if not multilingual or self._tokenizer.token_to_id(f"<|{code}|>") is not None
        )

    def context(self, *, initial_prompt: str | None, hotwords: str | None) -> tuple[int, ...]:
        """Return the tokens before the start of the transcript. Cuts hotwords and prompt to half the context."""
        before: list[int] = []
        if hotwords and hotwords.strip():
            before += self._plain.encode(" " + hotwords.strip())[:PROMPT_TOKENS]
        if initial_prompt:
            room = PROMPT_TOKENS - len(before)
            before += self._plain.encode(initial_prompt)[-room:] if room else []
        return (self._plain.sot_prev, *before) if before else ()

    def task_tokens(self, *, language: str, task: Task) -> tuple[int, ...]:
        """Return the tokens from the start of the transcript to the text, without timestamps."""
        return (*self.start(language=language, task=task), self._plain.no_timestamps)

    def prefix(self, text: str | None) -> tuple[int, ...]:
        """Return the tokens of text that a window begins with, cut to a quarter of the context."""
        return tuple(self._plain.encode(" " + text.strip())[:PREFIX_TOKENS]) if text and text.strip() else ()

    def suppressed(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """Return the tokens that are never decoded: these, with -1 for all symbols that are no speech, and
        Whisper's control tokens."""
        symbols = self._plain.non_speech_tokens if NON_SPEECH in ids else ()
        return tuple(sorted({*self._controls, *symbols, *(token for token in ids if token != NON_SPEECH)}))

    @property
    def end(self) -> int:
        """The token that ends the text."""
        return int(self._plain.eot)

    @property
    def size(self) -> int:
        """The number of tokens."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def start(self, *, language: str, task: Task) -> tuple[int, ...]:
        """Return the tokens that select language and task."""
        return tuple(self._of(language, task).sot_sequence)

    def text(self, tokens: tuple[int, ...]) -> str:
        """Decode tokens to text, without special tokens and without an incomplete character at the end."""
        return _readable(str(self._plain.decode(list(tokens))).rstrip(_INCOMPLETE_CHARACTER))

    def words(self, tokens: tuple[int, ...], *, language: str) -> list[tuple[str, int]]:
        """Split tokens into (word, token count) pairs; characters, where a language writes no spaces.

        The words concatenated are the text.
        """
        whole = list(tokens)
        while whole and self._plain.decode(whole).endswith(_INCOMPLETE_CHARACTER):
            whole.pop()
        words, grouped = self._of(language, Task.TRANSCRIBE).split_to_word_tokens([*whole, self._plain.eot])
        return [(_readable(word), len(group)) for word, group in zip(words[:-1], grouped[:-1], strict=True)]

    def text_tokens(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Return the tokens without the special ones."""
        return tuple(token for token in tokens if token < self._plain.eot)

    def _of(self, language: str, task: Task) -> Tokenizer:
        with self._lock:
            key = (language, task)
            if key not in self._by_language:
                self._by_language[key] = Tokenizer(
                    self._tokenizer, self._multilingual, task=task.value, language=language
                )
            return self._by_language[key]

    def _control_tokens(self) -> tuple[int, ...]:
        plain = self._plain
        special = (plain.transcribe, plain.translate, plain.sot, plain.sot_prev, plain.sot_lm, plain.no_speech)
        return tuple(token for token in special if token is not None)


def _readable(text: str) -> str:
    # The tokenizer has a token for every byte, but databases and players end a text at NUL.
    return text.replace("\0", "")

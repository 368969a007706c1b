"""Tokenizer: byte-level BPE with one token per word, in Whisper's layout of ids."""

from collections.abc import Iterable
from typing import Final

from models.selftest import vocabulary as v

FIRST_MERGED_TOKEN: Final = 256


def byte_symbols() -> tuple[str, ...]:
    """Return the printable characters that byte-level BPE writes for the 256 bytes, in the order of their ids."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    symbols = [chr(byte) for byte in printable] + [chr(0x100 + index) for index in range(len(hidden))]
    return tuple(symbols)


def _symbol_of_byte() -> dict[int, str]:
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return dict(zip([*printable, *hidden], byte_symbols(), strict=True))


def merges() -> tuple[tuple[str, str], ...]:
    """Return the merges that build each word, with the space before it, from its bytes, left to right."""
    symbol = _symbol_of_byte()
    found: dict[tuple[str, str], int] = {}
    for words in v.VOCABULARY.values():
        for word in words:
            symbols = [symbol[byte] for byte in f" {word}".encode()]
            for end in range(1, len(symbols)):
                found.setdefault(("".join(symbols[:end]), symbols[end]), end)
    return tuple(sorted(found, key=lambda pair: found[pair]))


def text_vocabulary() -> dict[str, int]:
    """Return the ids of the text tokens: bytes, then the results of the merges, in this order."""
    tokens = [*byte_symbols(), *("".join(pair) for pair in merges())]
    return {token: index for index, token in enumerate(tokens)}


def _token_of_word() -> dict[str, int]:
    symbol, ids = _symbol_of_byte(), text_vocabulary()
    words = (word for words in v.VOCABULARY.values() for word in words)
    return {word: ids["".join(symbol[byte] for byte in f" {word}".encode())] for word in words}


TOKEN_OF_WORD: Final = _token_of_word()

USED_TOKENS: Final = (
    *TOKEN_OF_WORD.values(),
    v.END_OF_TEXT,
    v.START_OF_TRANSCRIPT,
    *(v.language_token(language) for language in v.VOCABULARY),
    *(v.TRANSLATE, v.TRANSCRIBE, v.START_OF_PREVIOUS, v.NO_SPEECH, v.NO_TIMESTAMPS),
    *range(v.FIRST_TIMESTAMP, v.VOCABULARY_SIZE),
)
"""The tokens with an embedding of their own; all others share one."""


def word_tokens(words: Iterable[str]) -> list[int]:
    """Return one token for each word."""
    return [TOKEN_OF_WORD[word] for word in words]

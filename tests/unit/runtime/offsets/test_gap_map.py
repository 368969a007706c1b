"""The gap map's codec: what it promises to every window, and to every string."""

import random
import re
import string
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.runtime.offsets import base94, gap_map
from consumers.runtime.offsets.gap_map import METADATA_CHARACTERS_LIMIT, Ranges

OFFSETS = st.integers(min_value=0, max_value=2**62)
FUZZED_STRINGS = 100_000


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, Ranges]:
    """Draw a committed offset and complete ranges from it on, with gaps and lengths from one to billions."""
    lengths = st.one_of(st.integers(1, 3), st.integers(100, 160), st.integers(1, 2**34))
    runs = draw(st.lists(st.tuples(lengths, lengths), max_size=60))
    offset = draw(OFFSETS)
    starts_complete = draw(st.booleans())
    first = offset - (runs[0][0] if runs and starts_complete else 0)
    ranges = []
    for gap, length in runs:
        ranges.append((first + gap, first + gap + length))
        first += gap + length
    return offset, ranges


def ranges_of(complete: Callable[[int], bool], *, offset: int, records: int) -> Ranges:
    """Return the complete ranges of a window without holes; its first record is incomplete."""
    ranges: list[tuple[int, int]] = []
    for at in range(offset + 1, offset + records):
        if not complete(at):
            continue
        if ranges and ranges[-1][1] == at:
            ranges[-1] = (ranges[-1][0], at + 1)
        else:
            ranges.append((at, at + 1))
    return ranges


@given(windows())
@example((0, []))
@example((7, [(7, 8)]))
def test_what_is_encoded_is_decoded(window: tuple[int, Ranges]) -> None:
    """A successor reads back exactly the complete offsets, whatever their pattern."""
    offset, complete = window
    metadata = gap_map.encode(offset, complete)
    assert list(gap_map.decode(offset, metadata)) == list(complete)
    assert bool(metadata) == bool(complete)


@given(windows())
def test_metadata_is_text_that_every_client_can_carry(window: tuple[int, Ranges]) -> None:
    """No NUL, no space, nothing beyond ASCII: clients hand it on as a C string, and others may append to it."""
    metadata = gap_map.encode(*window)
    assert set(metadata) <= set(base94.ALPHABET)
    assert len(metadata) <= METADATA_CHARACTERS_LIMIT


@pytest.mark.parametrize("seed", range(5))
def test_any_window_of_26_000_records_fits(seed: int) -> None:
    """At the worst, every record a coin toss of its own: 4,000 characters hold the whole window."""
    coin = random.Random(seed)
    complete = ranges_of(lambda _: coin.random() < 0.5, offset=10**12, records=26_000)
    metadata = gap_map.encode(10**12, complete)
    assert len(metadata) <= METADATA_CHARACTERS_LIMIT
    assert list(gap_map.decode(10**12, metadata)) == list(complete)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_any_window_of_1_000_records_takes_at_most_200_characters(share: float) -> None:
    """The size of an ordinary commit's metadata."""
    coin = random.Random(7)
    complete = ranges_of(lambda _: coin.random() < share, offset=123_456, records=1_000)
    assert len(gap_map.encode(123_456, complete)) <= 200


def test_one_slow_record_costs_nearly_nothing_however_wide_the_window() -> None:
    """A two-hour file with a million done behind it: a few characters."""
    assert len(gap_map.encode(5, [(6, 1_000_006)])) <= 24


def test_what_does_not_fit_is_left_off_from_the_end() -> None:
    """Over the limit the map lists fewer offsets, never wrong ones: the lowest ranges are kept."""
    coin = random.Random(3)
    complete = ranges_of(lambda _: coin.random() < 0.5, offset=0, records=60_000)
    metadata = gap_map.encode(0, complete)
    kept = list(gap_map.decode(0, metadata))
    assert len(metadata) <= METADATA_CHARACTERS_LIMIT
    assert kept == list(complete[: len(kept)])
    assert kept[-1][1] > 25_000


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        "AgAAAAAAAA==",
        '{"member":"reader-1"}',
        "kascribe",
        "kascribe1",
        "kascribe1b",
        "kascribe1q!!!!!!",
        "kascribe2b!!!!!!!",
        "kascribe1b\u00fcber",
        "kascribe1b !!!!!!!!",
    ],
)
def test_metadata_of_others_means_nothing_known(metadata: str | None) -> None:
    """Other programs, later versions and nonsense are not errors: everything is simply done again."""
    assert gap_map.decode(0, metadata) == ()


@given(windows().filter(lambda window: bool(window[1])), st.integers(1, 2**40))
def test_a_map_beside_another_offset_is_rejected(window: tuple[int, Ranges], shift: int) -> None:
    """A tool that moves the committed offset may keep the metadata; that must not make records vanish."""
    offset, complete = window
    assert gap_map.decode(offset + shift, gap_map.encode(offset, complete)) == ()


@given(windows().filter(lambda window: bool(window[1])), st.randoms(use_true_random=False))
def test_a_damaged_map_is_rejected(window: tuple[int, Ranges], chance: random.Random) -> None:
    """One character changed, lost or added anywhere: nothing is known, instead of something false."""
    offset, complete = window
    metadata = gap_map.encode(offset, complete)
    at = chance.randrange(len(metadata))
    other = chance.choice([c for c in base94.ALPHABET if c != metadata[at]])
    for damaged in (
        metadata[:at] + other + metadata[at + 1 :],
        metadata[:at] + metadata[at + 1 :],
        metadata[:at] + other + metadata[at:],
    ):
        assert gap_map.decode(offset, damaged) == ()


def test_a_hundred_thousand_strings_never_raise() -> None:
    """Fuzz: noise, noise behind our prefix, and noise with a correct checksum."""
    chance = random.Random(20_261_122)
    for index in range(FUZZED_STRINGS):
        noise = chance.randbytes(chance.randrange(40))
        metadata = (
            noise.decode("latin-1"),
            gap_map.MAGIC + chance.choice("brBR") + "".join(chance.choices(string.printable, k=20)),
            _signed(chance.choice("brBR"), noise),
        )[index % 3]
        for first, after_last in gap_map.decode(0, metadata):
            assert 0 <= first < after_last


def test_a_body_that_inflates_without_end_is_rejected() -> None:
    """Ten megabytes of zeros deflate to ten kilobytes; no map that we write is larger than 16 KiB inflated."""
    assert gap_map.decode(0, _signed("R", zlib.compress(bytes(10_000_000), wbits=-15))) == ()


@given(st.binary(max_size=200))
def test_base94_returns_the_bytes(payload: bytes) -> None:
    """Every payload is decoded again, from 11 characters a chunk and the fewest that can hold the rest."""
    text = base94.encode(payload)
    chunks, rest = divmod(len(payload), base94.CHUNK_BYTES)
    rest_characters = next(count for count in range(12) if len(base94.ALPHABET) ** count >= 256**rest)
    assert base94.decode(text) == payload
    assert len(text) == chunks * base94.CHUNK_CHARACTERS + rest_characters


def _signed(layout: str, body: bytes) -> str:
    return gap_map.MAGIC + layout + base94.encode(body + gap_map._crc(layout, 0, body))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("~~", "'~~' is larger than any 1 bytes"),
        ("!", "no number of bytes is written as 1 characters"),
        ("! ", "' ' is not a digit of base 94"),
    ],
)
def test_what_base94_cannot_have_written_is_refused_with_the_reason(text: str, why: str) -> None:
    """The message tells an operator, decoding metadata by hand, what is wrong with it."""
    with pytest.raises(ValueError, match=re.escape(why)):
        base94.decode(text)

"""Listening along: what is spoken is marked, a word is a place to play from, and the text follows."""

from typing import Final

from playwright.sync_api import Page, expect

from tests.browser.pages import opened
from tests.browser.recording.shelf import Shelf, spoken, tone
from tests.flow.gateway import Gateway
from tests.support.waiting import eventually

TEXTS: Final = ("one two three four", "five six seven eight", "nine ten")
SECOND_SEGMENT: Final = 2.0
"""Where it begins: after four words of half a second."""


def played_until(page: Page, seconds: float) -> None:
    """Wait until so much was played: the sound card of a headless browser runs, and is heard by no one."""
    page.wait_for_function("at => document.querySelector('audio').currentTime >= at", arg=seconds)


def marked(page: Page, word: str, segment: str) -> None:
    """Wait until a word and its segment are marked. Looks at every frame: a word is over in half a second."""
    page.wait_for_function(
        """([word, segment]) => document.querySelector(".word.now")?.textContent === word
          && document.querySelector("[aria-current]")?.textContent.includes(segment)""",
        arg=[word, segment],
    )


def place(page: Page) -> float:
    """Return where the player is."""
    return float(page.evaluate("document.querySelector('audio').currentTime"))


def test_words_are_marked_as_they_are_spoken(gateway: Gateway, shelf: Shelf) -> None:
    """Word by word, and segment by segment; the space bar plays and pauses."""
    job_id = shelf.put("count.wav", spoken(TEXTS))
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        expect(page.get_by_role("heading", name="count.wav")).to_be_visible()
        expect(page).to_have_title("count.wav · Kascribe")
        expect(page.locator(".word.now")).to_have_count(0)
        page.keyboard.press("Space")
        marked(page, "two", "one two three four")
        marked(page, "six", "five six seven eight")
        page.keyboard.press("Space")
        assert page.evaluate("document.querySelector('audio').paused")


def test_a_word_is_a_place_to_play_from(gateway: Gateway, shelf: Shelf) -> None:
    """By a click, and by the keyboard: arrows between words, Enter to play."""
    job_id = shelf.put("count.wav", spoken(TEXTS), sound=tone(60))
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        page.locator(".word", has_text="seven").click()
        played_until(page, 3.0)
        assert place(page) < 10
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        expect(page.locator(":focus")).to_have_text("nine")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
        expect(page.locator(":focus")).to_have_text("two")
        assert page.locator(":focus").evaluate("each => getComputedStyle(each).outlineStyle") != "none"
        page.keyboard.press("Enter")
        marked(page, "two", "one two three four")
        page.get_by_role("button", name="Play from 0:02").click()
        expect(page.locator("[aria-current]")).to_contain_text("five")


def test_keys_move_and_speed_the_player(gateway: Gateway, shelf: Shelf) -> None:
    """Five seconds to either side, never before the beginning; the speed is kept for later visits."""
    job_id = shelf.put("count.wav", spoken(TEXTS), sound=tone(60))
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        page.wait_for_function("() => document.querySelector('audio')?.readyState > 0")

        def has_moved() -> bool:
            page.keyboard.press("ArrowRight")  # the player is on the page a moment before it has its keys
            return place(page) > 0

        eventually(has_moved, timeout_seconds=20, what="a step of the player")
        begun = place(page)
        page.keyboard.press("ArrowRight")
        assert place(page) == begun + 5
        page.keyboard.press("ArrowLeft")
        assert place(page) == begun
        for _ in range(int(begun) // 5 + 1):
            page.keyboard.press("ArrowLeft")
        assert place(page) == 0
        page.keyboard.press(">")
        expect(page.get_by_label("Speed")).to_have_value("1.25")
        page.wait_for_function("() => document.querySelector('audio').playbackRate === 1.25")
        page.reload()
        expect(page.get_by_label("Speed")).to_have_value("1.25")


def test_segments_are_marked_where_words_have_no_times(gateway: Gateway, shelf: Shelf) -> None:
    """A transcript without times of words is followed, and played from, by its segments."""
    job_id = shelf.put("count.wav", spoken(TEXTS, timed=False))
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        page.locator(".words", has_text="five").click()
        expect(page.locator("[aria-current]")).to_contain_text("five six seven eight")
        assert place(page) >= SECOND_SEGMENT
        expect(page.locator("[aria-current]")).to_contain_text("nine ten")
        expect(page.locator(".word")).to_have_count(0)


def test_a_link_with_a_time_opens_there(gateway: Gateway, shelf: Shelf) -> None:
    """The player stands at the time, and the segment is in sight, however long the transcript is."""
    job_id = shelf.put("long.wav", spoken([f"number {n} is said here" for n in range(300)]))
    with opened(gateway, f"#/jobs/{job_id}?t=502.2") as visit:
        page = visit.page
        expect(page.locator("[aria-current]")).to_contain_text("number 200 is said here")
        expect(page.locator("[aria-current]")).to_be_in_viewport()
        page.wait_for_function("() => document.querySelector('audio').currentTime > 502")


def test_the_text_follows_until_the_reader_scrolls(gateway: Gateway, shelf: Shelf) -> None:
    """A reader who looks elsewhere is left there, and comes back with one button."""
    job_id = shelf.put("long.wav", spoken([f"number {n} is said here" for n in range(80)]))
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        page.wait_for_function("() => document.querySelector('audio')?.readyState > 0")
        page.evaluate("document.querySelector('audio').currentTime = 100")
        page.keyboard.press("Space")
        expect(page.locator("[aria-current]")).to_contain_text("number 40")
        expect(page.locator("[aria-current]")).to_be_in_viewport()
        back = page.get_by_role("button", name="Back to what is spoken")
        expect(back).to_have_count(0)
        page.mouse.move(400, 400)
        first = page.locator(".segment").first

        def is_at_the_beginning() -> bool:
            page.mouse.wheel(0, -6_000)  # as often as a hand would: a scroll of the page itself may end the first
            return bool(page.evaluate("scrollY") == 0)

        eventually(is_at_the_beginning, timeout_seconds=20, what="the beginning of the transcript")
        expect(back).to_be_visible()
        expect(page.locator("[aria-current]")).to_contain_text("number 42")
        expect(first).to_be_in_viewport()
        back.click()
        expect(page.locator("[aria-current]")).to_be_in_viewport()
        expect(back).to_have_count(0)


def test_a_recording_that_is_gone_leaves_its_text(gateway: Gateway, shelf: Shelf) -> None:
    """The page says why there is no sound; the transcript can be read, searched and taken away."""
    gone = shelf.put("gone.wav", spoken(["still here"]))
    shelf.lose_sound(gone)
    with opened(gateway, f"#/jobs/{gone}") as visit:
        expect(visit.page.get_by_text("The recording is gone")).to_be_visible()
        expect(visit.page.get_by_text("still here")).to_be_visible()
        visit.complaints.clear()  # the browser tells of a 404
    other = shelf.put("other.wav", spoken(["still here"]), sound=b"this is no sound" * 99)
    with opened(gateway, f"#/jobs/{other}") as visit:
        expect(visit.page.get_by_text("This browser cannot play the recording")).to_be_visible()
        expect(visit.page.get_by_text("still here")).to_be_visible()

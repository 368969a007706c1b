"""Reading: what is uncertain, who speaks in which language, looking for words, and taking the text away."""

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from schemas.transcripts.transcript import QualityFlag
from tests.browser.accessibility import violations
from tests.browser.pages import is_as_wide_as_its_window, opened
from tests.browser.recording.shelf import Shelf, said, spoken, tone
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import Gateway

PHONE: Final = {"width": 320, "height": 700}
HOSTILE: Final = '<img src="x" onerror="document.title=\'broken\'"> & <b>bold</b>'
EXTENSIONS: Final = {
    "text": "txt",
    "srt": "srt",
    "vtt": "vtt",
    "tsv": "tsv",
    "json": "json",
    "verbose_json": "verbose.json",
    "full": "kascribe.json",
}


def meeting(shelf: Shelf) -> str:
    """Put a recording on the shelf that has everything that can be said of one."""
    segments = [
        said(0, "we meet at the Rotterdam office", start=0, channel=0, unsure=("Rotterdam",)),
        said(1, "안녕하세요 예산 이야기를 하겠습니다", start=3, channel=1, language="ko"),
        said(2, HOSTILE, start=5, channel=0, flags=(QualityFlag.LOW_CONFIDENCE,)),
        said(3, "the budget and the Budget again", start=8, channel=1),
    ]
    return shelf.put(
        "weekly meeting.wav",
        segments,
        flags=(QualityFlag.LOW_CONFIDENCE, QualityFlag.AUDIO_INCOMPLETE),
        channel_count=2,
        declared_duration_seconds=60.0,
        decoded_duration_seconds=11.0,
    )


def test_a_transcript_tells_who_speaks_and_what_is_uncertain(gateway: Gateway, shelf: Shelf) -> None:
    """In words and lines as well as colours; what was said is text, whatever it looks like."""
    job_id = meeting(shelf)
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        expect(page.locator(".segment").nth(2)).to_contain_text(HOSTILE)
        expect(page).to_have_title("weekly meeting.wav · Kascribe")
        assert page.locator("main img, main b").count() == 0
        facts = page.locator(".recording-head .facts")
        for fact in ("0:11", "English, Korean", "2 channels"):
            expect(facts).to_contain_text(fact)
        flags = page.get_by_role("list", name="What to look at again")
        expect(flags).to_contain_text("Parts are uncertain.")
        expect(flags).to_contain_text("0:11 of 1:00 could be read")
        assert page.locator(".channel").all_inner_texts() == ["Left", "Right", "Left", "Right"]
        expect(page.locator(".segment").nth(1)).to_contain_text("Korean")
        assert page.locator(".words").nth(1).get_attribute("lang") == "ko"
        expect(page.locator(".segment").nth(2).locator(".badge")).to_have_text("uncertain")
        unsure = page.locator(".word.uncertain")
        expect(unsure).to_have_text("Rotterdam")
        assert unsure.get_attribute("title") == "Uncertain (31 %): listen to it"
        assert "dotted" in unsure.evaluate("each => getComputedStyle(each).textDecorationStyle")


def test_words_are_looked_for_in_a_transcript(gateway: Gateway, shelf: Shelf) -> None:
    """However they are written; the field counts them, Enter goes on and around, a link brings words along."""
    job_id = meeting(shelf)
    with opened(gateway, f"#/jobs/{job_id}?q=BUDGET") as visit:
        page = visit.page
        found = page.locator(".find .found")
        expect(found).to_have_text("1 of 2")
        assert page.locator("mark").all_inner_texts() == ["budget", "Budget"]
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox", name="Search in this transcript")).to_be_focused()
        page.keyboard.press("Enter")
        expect(found).to_have_text("2 of 2")
        expect(page.locator("mark.at")).to_have_text("Budget")
        page.keyboard.press("Enter")
        expect(found).to_have_text("1 of 2")
        page.keyboard.press("Shift+Enter")
        expect(found).to_have_text("2 of 2")
        page.keyboard.type(" ag")  # over words, and within the next one
        expect(found).to_have_text("1 of 1")
        assert "".join(page.locator("mark.at").all_inner_texts()) == "Budget ag"
        page.locator(":focus").fill("예산")
        expect(page.locator("mark")).to_have_text(["예산"])
        page.locator(":focus").fill("nowhere")
        expect(found).to_have_text("Not found")
        page.keyboard.press("Escape")
        expect(found).to_have_text("")


def test_a_transcript_is_taken_away_in_every_format(gateway: Gateway, shelf: Shelf, tmp_path: Path) -> None:
    """Each file is what the API answers, under the recording's name; the text goes to the clipboard, too."""
    job_id = meeting(shelf)
    client = JobClient(gateway.port)
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        page.locator("summary", has_text="Download").click()
        for wanted, extension in EXTENSIONS.items():
            with page.expect_download() as download:
                page.locator(f'.menu a[href$="as={wanted}"]').click()
            assert download.value.suggested_filename == f"weekly meeting.{extension}"
            path = tmp_path / extension
            download.value.save_as(path)
            assert path.read_bytes() == client.get(f"/v1/jobs/{job_id}/transcript?as={wanted}").content
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy text").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.splitlines()[0] == "we meet at the Rotterdam office"
        assert copied.splitlines()[2] == HOSTILE


@pytest.mark.parametrize(
    "reader",
    [
        {"scheme": "light"},
        {"scheme": "dark", "locale": "ko-KR"},
        {**PHONE, "locale": "ko-KR"},
        {**PHONE, "scheme": "dark"},
    ],
    ids=["light", "dark and Korean", "a phone in Korean", "a phone in the dark"],
)
def test_a_recording_is_accessible_and_fits(gateway: Gateway, shelf: Shelf, reader: dict[str, Any]) -> None:
    """axe-core finds nothing, while it plays and with the menu open, and nothing has to be scrolled sideways."""
    job_id = meeting(shelf)
    is_korean = "locale" in reader
    with opened(gateway, f"#/jobs/{job_id}?q=budget", **reader) as visit:
        page = visit.page
        expect(page.locator(".word.uncertain")).to_have_text("Rotterdam")
        expect(page.locator(".find .found")).to_have_text("2개 중 1번째" if is_korean else "1 of 2")
        expect(page.locator(".channel").first).to_have_text("왼쪽" if is_korean else "Left")
        page.locator(".word").first.click()
        expect(page.locator(".word.now")).to_have_count(1)
        assert violations(page) == []
        assert is_as_wide_as_its_window(page)
        page.locator("summary", has_text="내려받기" if is_korean else "Download").click()
        expect(page.locator(".menu a").last).to_be_in_viewport()
        assert is_as_wide_as_its_window(page)


def test_three_hours_are_painted_and_sought_fluidly(gateway: Gateway, shelf: Shelf) -> None:
    """Of 27,000 words a far one is reached without drawing those between: few have elements."""
    segments = spoken([f"segment {n} of a long day has ten words" for n in range(3_000)])
    job_id = shelf.put("day.wav", segments, sound=tone(1))
    shelf.lose_sound(job_id)  # a player would stop at the end of its second
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        expect(page.locator(".segment").first).to_contain_text("segment 0")
        painted = page.evaluate("performance.now()")
        expect(page.get_by_text("The recording is gone")).to_be_visible()
        visit.complaints.clear()  # the browser tells of a 404
        assert page.locator(".segment").count() == len(segments)
        assert 0 < page.locator(".word").count() < 1_000
        took = page.evaluate("""async () => {
          const begun = performance.now();
          location.hash += "?t=12150.1";
          const now = () => document.querySelector(".word.now")?.closest(".segment").textContent ?? "";
          const took = () => performance.now() - begun;
          while (!now().includes("2700") && took() < 30_000) await new Promise(requestAnimationFrame);
          return took();
        }""")
        print(f"first words after {painted:.0f} ms, a word of the third hour after {took:.0f} ms")
        expect(page.locator(".segment.spoken")).to_contain_text("segment 2700")
        expect(page.locator(".segment.spoken")).to_be_in_viewport()
        assert page.locator(".word").count() < 2_000

"""Beside the transcript: what the language model made of it, doubts and all, and requests for more."""

from typing import Any, Final

from playwright.sync_api import expect

from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.options import EnrichOptions
from schemas.transcripts.answer_flags import AnswerFlag
from schemas.transcripts.doubts import Doubt, DoubtRule
from tests.browser.accessibility import violations
from tests.browser.pages import opened
from tests.browser.recording.shelf import Shelf, spoken, tone
from tests.flow.gateway import Gateway

TEXTS: Final = ("we meet on Friday", "Minji sends the budget", "the lifts are late")
HOSTILE: Final = '<script>document.title="broken"</script>'


def answer(profile: str, output: Any, **fields: Any) -> EnrichmentResult:
    """Return a completed result."""
    return EnrichmentResult(
        profile=profile,
        profile_version="1",
        status=EnrichmentStatus.COMPLETED,
        output=output,
        coverage=fields.pop("coverage", 1.0),
        **fields,
    )


def test_answers_are_readable_and_lead_to_what_was_said(gateway: Gateway, shelf: Shelf) -> None:
    """Text, lists, owners and times; each doubt stands under its statement, and a time plays from there."""
    job_id = shelf.put("meeting.wav", spoken(TEXTS), sound=tone(60))
    tasks = [
        {"task": "Send the budget", "owner": "Minji", "due": None, "segment_ids": [1]},
        {"task": "Call Daniela", "owner": "Daniela", "due": "Friday", "segment_ids": [0, 2, 999]},
    ]
    doubt = Doubt(rule=DoubtRule.OWNER, path="$.action_items[1].owner", detail="Daniela")
    number = Doubt(rule=DoubtRule.NUMBER, path="$.summary", detail="42")
    shelf.enrich(
        job_id,
        answer("summary", {"summary": "They meet 42 times.", "segment_ids": [0]}, doubts=(number,), coverage=0.5),
        answer("action_items", {"action_items": tasks}, doubts=(doubt,), flags=(AnswerFlag.DUPLICATE_ITEMS,)),
        answer("sentiment", {"sentiment": "mixed", "reason": HOSTILE, "segment_ids": []}),
        answer("complaints", {"complaints": [{"text": "Late lifts", "severity": "high", "segment_id": 2}]}),
        answer("instruction", "First.\n\nSecond."),
        options=EnrichOptions(profiles=("summary", "action_items"), instruction="In two words."),
    )
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        panel = page.get_by_role("complementary", name="From the language model")
        names = ["Summary", "Action items", "Sentiment", "Complaints", "In two words."]
        expect(panel.get_by_role("heading", level=3)).to_have_text(names)
        summary = panel.locator('[data-profile="summary"]')
        expect(summary).to_contain_text("They meet 42 times.")
        expect(summary).to_contain_text("Check the number: 42")
        expect(summary).to_contain_text("The model has read 50 % of the transcript.")
        items = panel.locator('[data-profile="action_items"] .points > li')
        expect(items).to_have_count(2)
        expect(items.nth(0)).not_to_contain_text("Check")
        expect(items.nth(1)).to_contain_text("Check who is meant: Daniela")
        expect(items.nth(1).get_by_role("button")).to_have_count(2)  # there is no segment 999
        expect(panel).to_contain_text("Some entries say the same.")
        expect(panel).to_contain_text("Mixed")
        expect(panel).to_contain_text(HOSTILE)
        expect(panel.locator('[data-profile="complaints"]')).to_contain_text("high")
        assert panel.locator('[data-profile="instruction"] p.prose').all_inner_texts() == ["First.", "Second."]
        items.nth(0).get_by_role("button", name="Play from 0:02").click()
        expect(page.locator("[aria-current]")).to_contain_text("Minji sends the budget")
        assert violations(page) == []
        expect(page).to_have_title("meeting.wav · Kascribe")


def test_more_is_asked_for_and_comes_by_itself(gateway: Gateway, shelf: Shelf) -> None:
    """Profiles and an instruction in the reader's words; the page says what it waits for, and shows it."""
    job_id = shelf.put("meeting.wav", spoken(TEXTS))
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        send = page.get_by_role("button", name="Ask", exact=True)
        expect(send).to_be_disabled()
        page.get_by_role("checkbox", name="Title").check(force=True)
        page.get_by_label("Or tell it what to do").fill("Say it plainly.")
        send.click()
        panel = page.get_by_role("complementary", name="From the language model")
        expect(panel.locator('[data-profile="instruction"]')).to_contain_text("plain words about what was said")
        expect(panel.get_by_role("heading", name="Say it plainly.")).to_be_visible()
        expect(panel.locator('[data-profile="title"] .head')).to_be_visible()
        expect(panel.locator(".waiting")).to_have_count(0)
        expect(panel.get_by_text("Ask for more")).to_be_visible()

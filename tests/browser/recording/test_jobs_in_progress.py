"""Jobs that are not finished: one that runs turns into its transcript, one that failed says what to do."""

import re

from playwright.sync_api import expect

from tests.browser.pages import opened
from tests.browser.recording.shelf import Shelf, spoken
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import Gateway, GatewayBench
from tests.sound.wav_listener import PacedListener, wav_bytes


def test_a_running_job_shows_its_text_and_becomes_its_transcript(system: GatewayBench, gateway: Gateway) -> None:
    """Phase and share as they change, and the finished view without a reload."""
    engine = system.engine
    assert isinstance(engine, PacedListener)
    engine.flows.clear()
    job_id = JobClient(gateway.port).submit(wav_bytes(4), word_timestamps="true").body["job_id"]
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        try:
            expect(page.locator(".live-text")).to_contain_text("second 1.")
            expect(page.get_by_role("progressbar", name="Transcribing")).to_have_attribute("aria-valuenow", "25")
            expect(page.locator(".segment")).to_have_count(0)
        finally:
            engine.flows.set()
        expect(page.locator(".segment")).to_have_count(4)
        expect(page.locator(".word").nth(1)).to_have_text("1.")
        expect(page.get_by_role("region", name="Player")).to_be_visible()


def test_a_failed_job_says_what_to_do(gateway: Gateway) -> None:
    """The reason in plain words, the gateway's message, and the way on."""
    job_id = JobClient(gateway.port).submit(b"this is no sound" * 99).body["job_id"]
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        expect(page.get_by_text("There is no sound in it that can be read")).to_be_visible()
        expect(page.get_by_text("convert it to WAV, MP3 or M4A")).to_be_visible()
        page.get_by_role("link", name="Back to the start").click()
        expect(page.get_by_role("button", name="Choose files")).to_be_visible()
        visit.complaints.clear()  # the browser tells that there is no archive to list jobs from


def test_a_recording_is_deleted_where_it_is_read(gateway: Gateway, shelf: Shelf) -> None:
    """After a question; then it is gone, and its address says so."""
    job_id = shelf.put("old.wav", spoken(["no longer needed"]))
    with opened(gateway, f"#/jobs/{job_id}") as visit:
        page = visit.page
        page.get_by_role("button", name="Delete old.wav").click()
        page.get_by_role("button", name="Keep").click()
        expect(page.get_by_text("no longer needed")).to_be_visible()
        page.get_by_role("button", name="Delete old.wav").click()
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page).to_have_url(re.compile("#/$"))
        page.goto(f"http://127.0.0.1:{gateway.port}/#/jobs/{job_id}")
        expect(page.get_by_text("There is no such recording")).to_be_visible()
        visit.complaints.clear()  # the browser tells of a 404

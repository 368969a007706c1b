"""Recording with the microphone: Chromium plays a file into its own."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.pages import CLIPS, opened
from tests.flow.gateway import Gateway
from tests.sound.recordings import FORMATS, read, write
from tests.support.waiting import eventually

FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LEVEL = "Number(document.querySelector('.meter').style.getPropertyValue('--level'))"
READY = "document.querySelector('audio')?.readyState ?? 0"
LOUD = 0.3


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Return a recording of digits, as a WAV file, which is what Chromium plays."""
    return write(tmp_path / "spoken.wav", read(CLIPS["en-digits"].path), FORMATS["wav, 8 kHz stereo"])


def test_a_recording_is_made_heard_and_sent(gateway: Gateway, spoken: Path) -> None:
    """The level moves while someone speaks; what was recorded can be heard before it is sent as a job."""
    arguments = (*FAKE, f"--use-file-for-fake-audio-capture={spoken}")
    with opened(gateway, arguments=arguments) as visit:
        page = visit.page
        page.get_by_role("button", name="Record", exact=True).click()
        stop = page.get_by_role("button", name="Stop")
        expect(stop).to_be_focused()
        eventually(lambda: page.evaluate(LEVEL) > LOUD, timeout_seconds=20, what="a voice")
        expect(page.get_by_role("timer")).not_to_have_text(re.compile("0:0[0-3]"))
        stop.click()
        eventually(lambda: page.evaluate(READY) >= 1, timeout_seconds=20, what="the recording in the player")
        page.get_by_role("button", name="Transcribe").click()
        job = page.locator("li.job").filter(has_text="Recording").first
        expect(job).to_have_attribute("data-phase", "completed")
        heard = set(job.locator(".job-text").inner_text().split())
        assert heard & set(CLIPS["en-digits"].text.split())


def test_a_microphone_that_is_not_allowed_is_explained(gateway: Gateway) -> None:
    """With what to do about it, and a way back to the files."""
    with opened(gateway, arguments=("--use-fake-device-for-media-stream", "--deny-permission-prompts")) as visit:
        page = visit.page
        page.get_by_role("button", name="Record", exact=True).click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("The microphone is not allowed")
        expect(alert).to_contain_text("address bar")
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("button", name="Choose files")).to_be_visible()


def test_without_https_it_says_why_there_is_no_microphone(gateway: Gateway) -> None:
    """Browsers have none on such pages."""
    with opened(gateway) as visit:
        page = visit.page
        page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
        page.reload()
        page.get_by_role("button", name="Record", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("on https and on localhost only")

"""From a file to its text, on the page."""

import base64

from playwright.sync_api import Page, expect

from tests.browser.page_bench import PageBench
from tests.browser.pages import CLIPS, FILES, ask_for, no_sound, opened, row, sound
from tests.flow.gateway import Gateway

DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, {type: "audio/ogg"}));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: files}));
  }
}"""


def drop(page: Page, name: str, content: bytes) -> None:
    """Drop a file onto the page."""
    page.evaluate(DROP, [name, base64.b64encode(content).decode()])


def test_a_dropped_file_becomes_a_transcript_before_the_readers_eyes(bench: PageBench, gateway: Gateway) -> None:
    """Its row is there at once, shows the text while it is made, and opens the recording."""
    clip = CLIPS["en-digits"]
    bench.engine.gate.clear()
    with opened(gateway) as visit:
        ask_for(visit.page, "dropped")
        drop(visit.page, "numbers.ogg", clip.path.read_bytes())
        job = row(visit.page, "numbers.ogg")
        expect(job.get_by_role("progressbar")).to_be_visible()
        expect(job.locator(".job-text.live")).to_contain_text(clip.text)
        bench.engine.gate.set()
        expect(job).to_have_attribute("data-phase", "completed")
        expect(job.locator(".job-text")).to_have_text(clip.text)
        expect(visit.page.get_by_role("status").filter(has_text="numbers.ogg is transcribed")).to_have_count(1)
        job.get_by_role("link").click()
        expect(visit.page).to_have_url(f"http://127.0.0.1:{gateway.port}/#/jobs/{job_id(visit.page)}")
        expect(visit.page.get_by_role("main")).to_contain_text(clip.text)


def job_id(page: Page) -> str:
    """Return the job that the address names."""
    return str(page.evaluate("location.hash.split('/')[2]"))


def test_several_files_are_sent_each_with_its_own_row(gateway: Gateway) -> None:
    """One that fails says what happened and what to do, and leaves the others alone; it can be tried again."""
    clip = CLIPS["ko-digits"]
    with opened(gateway) as visit:
        page = visit.page
        page.locator(FILES).set_input_files([no_sound("no-audio.wav"), sound("ko-digits", "숫자.ogg")])
        failed = row(page, "no-audio.wav")
        expect(failed).to_have_attribute("data-phase", "failed")
        expect(failed).to_contain_text("There is no sound in it that can be read")
        expect(failed).to_contain_text("Play the file on your device")
        expect(row(page, "숫자.ogg").locator(".job-text")).to_have_text(clip.text)
        with page.expect_request("**/v1/jobs") as sent:
            failed.get_by_role("button", name="Try again: no-audio.wav").click()
        assert sent.value.method == "POST"
        expect(failed).to_have_attribute("data-phase", "failed")


def test_an_empty_file_is_refused_before_it_is_sent(gateway: Gateway) -> None:
    """With a sentence that says so."""
    with opened(gateway) as visit:
        visit.page.locator(FILES).set_input_files([no_sound("empty.wav", b"")])
        expect(row(visit.page, "empty.wav")).to_contain_text("The file is empty")


def test_options_go_along_and_are_kept_for_the_next_visit(gateway: Gateway) -> None:
    """Words are timed unless the reader does not want it; without an enricher, nothing is offered of it."""
    with opened(gateway) as visit:
        page = visit.page
        page.get_by_text("Options").click()
        page.get_by_label("Language spoken").select_option(label="English")
        expect(page.get_by_text("ask the language model")).to_have_count(0)
        with page.expect_request("**/v1/jobs") as sent:
            page.locator(FILES).set_input_files([CLIPS["en-commands"].path])
        body = sent.value.post_data_buffer
        for field, value in (("language", "en"), ("word_timestamps", "true"), ("lane", "interactive")):
            assert f'name="{field}"\r\n\r\n{value}\r\n'.encode() in (body or b"")
        expect(row(page, "en-commands.ogg")).to_have_attribute("data-phase", "completed")
        page.reload()
        expect(page.locator(".options summary")).to_contain_text("English")


def test_a_job_that_runs_is_cancelled_and_one_that_ended_is_deleted(bench: PageBench, gateway: Gateway) -> None:
    """Deleting asks first; declining keeps the job."""
    bench.engine.gate.clear()
    with opened(gateway) as visit:
        page = visit.page
        ask_for(page, "cancelled")
        page.locator(FILES).set_input_files([sound("ko-commands", "long.ogg")])
        job = row(page, "long.ogg")
        expect(job.locator(".job-text.live")).to_be_visible()
        job.get_by_role("button", name="Cancel long.ogg").click()
        expect(job).to_have_attribute("data-phase", "cancelled")
        job.get_by_role("button", name="Delete long.ogg").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Keep")).to_be_focused()
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(job).to_have_count(1)
        job.get_by_role("button", name="Delete long.ogg").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(job).to_have_count(0)

"""Pictures of the page for the documents, from a real run: ``python -m tests.browser.screenshots``.

With KASCRIBE_TEST_SPEECH (a folder of recordings with a manifest) and Whisper base in the cache, people speak;
otherwise the recordings and the model are those of the repository's self-test.
"""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.real_models import RealModelUnavailable, fetch_whisper
from deploy.stack.cache import default_cache
from models import selftest
from tests.flow.embedded_up import Up, running_up
from tests.sound.recordings import FORMATS, SAMPLE_RATE_HERTZ, read, write
from tests.support.waiting import eventually

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
LIMIT_BYTES: Final = 200_000
SPOKEN: Final = {
    "호텔 문의.wav": ["ko/watson_ko-KR_BroadbandModel_sample1.wav"],
    "Inaugural address.flac": ["en/jfk.flac"],
    "History of printing.mp3": [f"en/LJ001-000{number}.wav" for number in (1, 4, 5, 6, 7, 8)],
    "Sonnets.m4a": ["en/sonnet1_full.mp3", "en/sonnet3_full.mp3"],
}
"""Recordings of KASCRIBE_TEST_SPEECH, of one or more of its files; the last one is long."""

WAIT_MS: Final = 120_000


@dataclass(frozen=True)
class Studio:
    """A running system, recordings for it, and a browser."""

    up: Up
    recordings: Sequence[Path]
    long: Path
    browser: Browser

    @contextmanager
    def page(self, place: str = "", **reader: Any) -> Iterator[Page]:
        """Open a place of the page."""
        window = {"viewport": {"width": 1180, "height": 820}, "locale": "en-GB", **reader}
        context = self.browser.new_context(**window)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(f"http://localhost:{self.up.gateway_port}/{place}")
        yield page
        context.close()


def answers(port: int) -> bool:
    """Return whether a server listens."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


def take(page: Page, name: str) -> None:
    """Write a picture, smaller than the limit."""
    target = IMAGES / f"{name}.png"
    page.screenshot(path=target, animations="disabled")
    size = target.stat().st_size
    print(f"{target.name}: {size:,} bytes")
    assert size < LIMIT_BYTES, f"{target.name} has {size:,} bytes: show less, or a smaller window"


def take_all(studio: Studio) -> None:
    """Transcribe the recordings, and take every picture on the way."""
    expect.set_options(timeout=WAIT_MS)
    with studio.page() as page:
        jobs = page.locator("li.job")
        for number, recording in enumerate(studio.recordings, start=1):
            page.locator("input[type=file]").set_input_files([recording])
            expect(page.locator('li.job[data-phase="completed"]')).to_have_count(number)
        page.locator("input[type=file]").set_input_files([studio.long])
        # Far enough for a few lines of text.
        page.wait_for_selector(".job-text.live")
        expect(jobs.first.locator(".job-progress")).to_contain_text("%")
        take(page, "home")
        with studio.page(color_scheme="dark") as dark:
            expect(dark.locator("li.job")).not_to_have_count(0)
            take(dark, "home-dark")
        with studio.page(locale="ko-KR") as korean:
            expect(korean.locator("li.job")).not_to_have_count(0)
            take(korean, "home-ko")
        with studio.page(viewport={"width": 360, "height": 740}, device_scale_factor=2) as phone:
            expect(phone.locator("li.job")).not_to_have_count(0)
            take(phone, "phone")
        jobs.nth(1).get_by_role("link").click()
        expect(page.get_by_role("main")).to_contain_text(
            "Printing" if "KASCRIBE_TEST_SPEECH" in os.environ else "0:"
        )
        take(page, "recording")


def recordings_in(folder: Path) -> tuple[list[Path], Path]:
    """Return short recordings, and a long one: those of people where there are all, else the self-test's."""
    corpus = Path(os.environ.get("KASCRIBE_TEST_SPEECH", folder))
    shown = {name: [corpus / part for part in parts] for name, parts in SPOKEN.items()}
    if not all(part.is_file() for parts in shown.values() for part in parts):
        clips = [clip.path for clip in selftest.clips() if clip.language]
        shown = {clip.name: [clip] for clip in clips} | {"Numbers.m4a": clips * 20}
    files = [joined(parts, folder / name) for name, parts in shown.items()]
    return files[:-1], files[-1]


def joined(parts: Sequence[Path], target: Path) -> Path:
    """Return one recording of all parts: a copy, or sound in a format that FFmpeg writes."""
    if len(parts) == 1:
        return Path(shutil.copy(parts[0], target))
    pause = np.zeros(SAMPLE_RATE_HERTZ // 2, dtype=np.float32)
    sounds = [sound for part in parts for sound in (read(part), pause)]
    return write(target, np.concatenate(sounds), FORMATS[target.suffix[1:]])


def main() -> int:
    """Take the pictures. Needs Chromium, and a font with Hangul."""
    IMAGES.mkdir(exist_ok=True)
    settings = {}
    if "KASCRIBE_TEST_SPEECH" in os.environ:
        try:
            settings["KASCRIBE_WHISPER_MODEL"] = str(fetch_whisper(default_cache()))
        except RealModelUnavailable as unavailable:
            print(f"with the self-test's model: {unavailable}")
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        folder = Path(home) / "recordings"
        folder.mkdir()
        short, long = recordings_in(folder)
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=sandbox)
        with running_up(Path(home), **settings) as up:
            eventually(lambda: answers(up.gateway_port), timeout_seconds=60, what="the gateway")
            take_all(Studio(up, short, long, browser))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

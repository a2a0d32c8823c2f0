"""The page in a real browser: a person uploads, presses, reads; and what goes wrong is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from emospeech_hf import EmoSpeechForEmotionClassification, EmoSpeechProcessor
from emospeech_hf.hub import build_release

from ..conftest import tone


BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")


@pytest.fixture
def server(
    request: pytest.FixtureRequest,
    model: EmoSpeechForEmotionClassification,
    processor: EmoSpeechProcessor,
    tmp_path: Path,
) -> Iterator[str]:
    model.config.missing_modalities = getattr(request, "param", False)
    release = build_release(model, processor, tmp_path / "release")
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "uploads"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "emospeech_hf.cli", "demo", "--model", str(release)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            break
    else:
        raise AssertionError("".join(printed))
    threading.Thread(target=process.stdout.read, daemon=True).start()
    yield found.group()
    process.kill()
    process.wait()


@pytest.fixture
def page(server: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        page = browser.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(server)
        page.wait_for_selector("#button")
        yield page
        browser.close()


def test_upload_press_read(page: Any, server: str, wav: Path, tmp_path: Path) -> None:
    page.set_input_files("#audio input[type=file]", str(wav))
    page.wait_for_selector("#audio button[aria-label='Play']", timeout=30_000)  # it can be heard back
    page.fill("#transcript textarea", "qué alegría verte")
    page.click("#button")
    page.wait_for_selector("#certainty strong", timeout=60_000)
    label = page.inner_text("#certainty strong")
    assert label in {"ira", "asco", "miedo", "alegría", "neutral", "tristeza"}
    bars = page.inner_text("#answer")
    assert bars.count("%") == 6
    assert bars.split()[1] == label

    page.click("text=English")
    page.wait_for_selector("text=What it cannot tell")
    page.click("#button")
    page.wait_for_selector("#certainty strong", timeout=60_000)
    assert page.inner_text("#certainty strong") in {"anger", "disgust", "fear", "joy", "neutral", "sadness"}
    # Nothing of it went anywhere else.
    assert all(url.startswith((server, f"blob:{server}", "data:")) for url in page.asked), page.asked


def test_what_is_wrong_is_told_and_the_server_goes_on(page: Any, wav: Path, tmp_path: Path) -> None:
    page.fill("#transcript textarea", "hola")
    page.click("#button")
    page.wait_for_selector("text=Falta la grabación")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF" + b"x" * 100)
    page.set_input_files("#audio input[type=file]", str(broken))
    time.sleep(1)
    page.click("#button")
    page.wait_for_selector("text=No se ha podido usar la grabación", timeout=30_000)
    page.click("#audio button[aria-label='Clear']")
    large = tmp_path / "large.wav"
    large.write_bytes(b"\0" * 21_000_000)
    page.set_input_files("#audio input[type=file]", str(large))
    page.wait_for_selector("text=/exceeds|maximum|too large/i", timeout=30_000)
    page.reload()
    page.wait_for_selector("#button")
    page.set_input_files("#audio input[type=file]", str(wav))
    page.wait_for_selector("#audio button[aria-label='Play']", timeout=30_000)
    page.fill("#transcript textarea", "hola")
    page.click("#button")
    page.wait_for_selector("#certainty strong", timeout=60_000)


@pytest.mark.parametrize("server", [True], indirect=True)
def test_a_long_recording(page: Any, server: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", tone(20.0, 8_000), 8_000)
    page.click("button[role=tab]:has-text('Una grabación larga')")
    page.set_input_files("#long_audio input[type=file]", str(tmp_path / "long.wav"))
    page.wait_for_selector("#long_audio button[aria-label='Play']", timeout=30_000)
    # A table without rows would show numbers for its columns' names.
    assert not page.is_visible("#table")
    page.click("#long_button")
    page.wait_for_selector("#plot canvas, #plot svg", timeout=60_000)
    page.wait_for_selector("#table:has-text('20')", timeout=30_000)
    words = page.text_content("#table")
    assert any(label in words for label in ("ira", "asco", "miedo", "alegría", "neutral", "tristeza"))
    assert all(url.startswith((server, f"blob:{server}", "data:")) for url in page.asked), page.asked
    if picture := os.environ.get("LONG_PAGE_PICTURE"):
        page.set_viewport_size({"width": 1100, "height": 1100})
        page.screenshot(path=picture)

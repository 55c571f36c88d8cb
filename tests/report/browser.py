"""A real Chromium for the tests of the page, and what it says: errors, requests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SKIP = "no Chromium here: scripts/install_chromium.sh installs it, POSELINE_CHROMIUM names another"


def chromium_path() -> str:
    """The browser's path. Where there is none the test is skipped, or fails where POSELINE_BROWSER=required says so."""
    named = os.environ.get("POSELINE_CHROMIUM")
    path = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if path and Path(path).exists():
        return path
    if os.environ.get("POSELINE_BROWSER") == "required":
        pytest.fail(SKIP)
    pytest.skip(SKIP)


class Said:
    """What a page wrote to its console, which errors it threw, and which requests left the machine or failed."""

    def __init__(self, page: Any):
        self.lines: list[str] = []
        page.on("console", lambda m: self.lines.append(f"{m.type}: {m.text}") if m.type != "debug" else None)
        page.on("pageerror", lambda e: self.lines.append(f"thrown: {e}"))
        page.on("request", self._request)
        page.on(
            "requestfailed",
            lambda r: self.lines.append(f"failed: {r.url}") if "ABORTED" not in str(r.failure) else None,
        )

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.lines.append(f"request: {request.url}")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # root in a container
        yield browser
        browser.close()


def open_report(browser: Any, path: Path, width: int = 1440, height: int = 900, **context: Any) -> tuple[Any, Said]:
    """The page, once it says that it is ready, and what it said until then and says later."""
    page = browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
    said = Said(page)
    page.goto(path.resolve().as_uri())
    page.wait_for_function("document.documentElement.dataset.ready || document.documentElement.dataset.failed")
    assert page.evaluate("document.documentElement.dataset.failed") is None
    return page, said

"""Debian's Chromium, for tests of what a person sees."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)"
)


def start_browser(*words: str) -> Any:
    """Return a browser without a window that reaches this machine alone, started with further options."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    # Nothing outside of the machine can be reached, and root is not refused.
    nowhere = "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", nowhere, *words):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))

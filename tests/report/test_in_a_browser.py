"""The report as a person sees it: in a real browser, wide and narrow, light and dark, on screen and on paper."""

from __future__ import annotations

import base64

import pytest

from browser import needs_browser, start_browser

pytest.importorskip("selenium.webdriver")
pytestmark = needs_browser

CONTRAST = """
const lightness = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map(value => value / 255).map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + [0.2126, 0.7152, 0.0722][index] * value, 0.05);
const [text, ground] = ['color', 'background-color'].map(name =>
    lightness(getComputedStyle(name === 'color' ? arguments[0] : document.body)[name]));
return Math.max(text, ground) / Math.min(text, ground);
"""
"""Contrast of an element's text with the page, as the Web Content Accessibility Guidelines define it."""


@pytest.fixture(scope="module")
def browser():
    driver = start_browser()
    yield driver
    driver.quit()


@pytest.fixture
def show(browser, full_report, tmp_path):
    """Return a function that opens the report in a window of so many pixels, with the colours that the user prefers."""
    (tmp_path / "report.html").write_text(full_report, encoding="utf-8")

    def open_page(width, scheme="light"):
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        preferred = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", preferred)
        browser.get((tmp_path / "report.html").as_uri())
        return browser

    return open_page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_all_is_shown_and_nothing_is_wider_than_the_window(show, width, scheme):
    browser = show(width, scheme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    shown = browser.execute_script(
        "return [...document.images].map(one => one.complete && one.naturalWidth > 0 && one.clientWidth > 300)"
    )
    assert len(shown) > 4
    assert all(shown)
    for place in ("h1", "p", "a", "figcaption", "td"):
        (element, *_) = browser.find_elements("css selector", place)
        assert browser.execute_script(CONTRAST, element) >= 4.5
    assert browser.get_log("browser") == []


def test_links_lead_to_their_sections_and_settings_open(show):
    browser = show(1280)
    for link in browser.find_elements("css selector", "nav a"):
        link.click()
        section = browser.find_element("id", link.get_attribute("href").partition("#")[2])
        top = browser.execute_script("return arguments[0].getBoundingClientRect().top", section)
        end = browser.execute_script("return scrollY + innerHeight >= document.documentElement.scrollHeight - 1")
        assert abs(top) < 2 or end
    (details, *_) = browser.find_elements("css selector", "details")
    assert not details.find_element("css selector", "table").is_displayed()
    details.find_element("css selector", "summary").click()
    assert details.find_element("css selector", "table").is_displayed()


def test_it_prints(show):
    printed = base64.b64decode(show(1280).print_page())
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") > 2

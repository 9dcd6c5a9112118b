"""The page of a run in a real Chromium: how it looks, that it sounds, and who can use it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from exporter.cli.html import write_latency
from exporter.evidence.kept import KeptCall
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.call_figures import CallReport, LatencyReport
from tests.browser.opening import Scheme, opened
from tests.browser.site import Running, make_sound
from tests.unit.calls import WHEN
from tests.unit.web.kept_calls import RUN_ID, kept_call, long_call, save

CALL = kept_call(words=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with one call."""
    sound = make_sound(CALL, tmp_path_factory.mktemp("sound") / "sound.flac")
    with Running(CALL, sound) as found:
        yield found


def page_of(running: Running) -> str:
    """Return the URL of the run's page."""
    return f"{running.url}/runs/{RUN_ID}"


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.long),
        pytest.param(390, "light", marks=pytest.mark.long),
    ],
)
def test_it_looks_right(browser: Browser, running: Running, width: int, scheme: Scheme) -> None:
    """No error, no request elsewhere, nothing wider than the screen, no serious finding by axe."""
    with opened(browser, page_of(running), width, scheme) as found:
        found.wait("audio.readyState >= 1")
        assert found.findings() == []
        assert found.console == []
        assert found.elsewhere(running.url) == []
        assert found.value("document.documentElement.scrollWidth") <= width
        light = found.value("getComputedStyle(document.body).backgroundColor")
        assert (light == "rgb(255, 255, 255)") == (scheme == "light")


def test_an_alert_leads_to_the_sound(browser: Browser, running: Running) -> None:
    """By the labels of the alert to the page, and the space bar plays; the cursor follows."""
    way = "/runs/last?agent_name=shop&call_type=default&scenario=default&failed=true"
    with opened(browser, f"{running.url}{way}") as found:
        expect(found.page).to_have_url(page_of(running))
        found.page.locator(".scroll.time").focus()
        found.page.keyboard.press("Space")
        found.wait("audio.currentTime > 0.5")
        found.page.keyboard.press("Space")
        found.wait("audio.paused && !audio.seeking")
        found.page.keyboard.press("ArrowRight")
        found.wait("!audio.seeking")
        offset, second = found.value(
            "[new DOMMatrix(getComputedStyle(document.querySelector('.cursor')).transform).e"
            " / document.querySelector('.call-picture').dataset.pxPerS,"
            " document.querySelector('audio').currentTime]"
        )
        assert second > 1.4
        assert offset == pytest.approx(second, abs=0.02)
        assert found.console == []


def test_it_says_when_by_the_clock_of_who_reads(browser: Browser, running: Running) -> None:
    """Beside UTC, in which the log and the dashboards are."""
    with opened(browser, page_of(running), zone="Asia/Kolkata") as found:
        there = (CALL.outcome.started_at + timedelta(hours=5, minutes=30)).strftime("%H:%M:%S")
        expect(found.page.locator("dd:has(time)")).to_contain_text(f"Z ({there} your time)")


def test_the_keyboard_moves_in_the_call(browser: Browser, running: Running) -> None:
    """Arrow keys by a second, with Shift by a tenth; Home and End."""
    with opened(browser, page_of(running)) as found:
        found.wait("audio.readyState >= 1")
        found.page.locator(".scroll.time").focus()
        for key, second in (
            ("ArrowRight", 1.0),
            ("Shift+ArrowRight", 1.1),
            ("ArrowLeft", 0.1),
            ("End", CALL.length_s),
            ("Home", 0.0),
        ):
            found.page.keyboard.press(key)
            found.wait_for(second)


def test_a_click_on_the_picture_goes_there(browser: Browser, running: Running) -> None:
    """Also where the picture is scrolled."""
    with opened(browser, page_of(running)) as found:
        found.wait("audio.readyState >= 1")
        mark = found.page.locator(".t_end").nth(2).bounding_box()
        assert mark is not None
        found.page.mouse.click(mark["x"], mark["y"] + 30)
        found.wait_for(CALL.marks[2].ended_at)


@pytest.mark.parametrize(
    ("width", "scripts"),
    [
        (1280, True),
        (390, False),
        pytest.param(1280, False, marks=pytest.mark.long),
        pytest.param(390, True, marks=pytest.mark.long),
    ],
)
def test_a_turn_of_the_table_leads_to_its_place(
    browser: Browser, running: Running, width: int, scripts: bool
) -> None:
    """The picture scrolls to it, with a script and without; with one the sound goes there."""
    with opened(browser, page_of(running), width, scripts=scripts) as found:
        found.page.locator("a.turn-link").nth(1).click()
        expect(found.page.locator(f"#turn-2-{RUN_ID} .t_end")).to_be_in_viewport()
        if scripts:
            found.wait_for(CALL.marks[1].spoke_at)


def test_the_worst_turn_is_in_view_at_first(browser: Browser, running: Running) -> None:
    """On a phone, the third turn is two screens to the right."""
    with opened(browser, page_of(running), 390) as found:
        expect(found.page.locator(f"#turn-3-{RUN_ID} .t_end")).to_be_in_viewport()


def test_without_a_script_picture_and_player_are_there(browser: Browser, running: Running) -> None:
    """The browser's own controls play."""
    with opened(browser, page_of(running), scripts=False) as found:
        expect(found.page.locator("audio[controls]")).to_be_visible()
        expect(found.page.locator(".call-picture")).to_be_visible()
        expect(found.page.locator(".cursor")).to_be_hidden()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(CALL, id="usual"),
        pytest.param(long_call(), id="long", marks=pytest.mark.long),
    ],
)
def test_marks_are_drawn_within_10_ms(browser: Browser, call: KeptCall, tmp_path: Path) -> None:
    """As the browser lays them out, read by the ticks of the axis."""
    with (
        Running(call, make_sound(call, tmp_path / "sound.flac")) as server,
        opened(browser, page_of(server)) as found,
    ):
        script = (
            "name => [...document.querySelectorAll(name)]"
            ".map(e => { const r = e.getBoundingClientRect(); return r.x + r.width / 2; })"
        )
        ticks, ends, replies = (
            found.page.evaluate(script, name) for name in (".tick", ".t_end", ".t_reply")
        )
        scale = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
        for drawn, told in (
            (ends, [mark.ended_at for mark in call.marks]),
            (replies, [mark.replied_at for mark in call.marks if mark.replied_at is not None]),
        ):
            assert [(x - ticks[0]) / scale for x in drawn] == pytest.approx(told, abs=0.01)


def test_a_report_plays_from_its_file(browser: Browser, running: Running, tmp_path: Path) -> None:
    """One file, opened from the disk: its picture, its sound, no request, no error."""
    file = tmp_path / "report.html"
    calls = (CallReport(LatencyConfig(agent_name="shop"), CALL.outcome),)
    save(CALL, tmp_path, running.sound.read_bytes())
    write_latency(file, LatencyReport(WHEN, "here", calls), tmp_path)
    with opened(browser, file.as_uri()) as found:
        found.page.locator(".scroll.time").focus()
        found.page.keyboard.press("Space")
        found.wait("audio.currentTime > 0.3")
        assert found.console == []
        elsewhere = [url for url in found.requests if not url.startswith(("file:", "data:"))]
        assert elsewhere == []

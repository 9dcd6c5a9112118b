"""Break the demo's agent with one command, and mend it with another."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from exporter.cli import main
from exporter.demo.breaking import CONFIG, FAULTS, FOLDER
from exporter.demo.providers import Providers
from exporter.demo.settings import DemoSettings
from exporter.demo.speech import Sound, Voice, speak
from exporter.rtc.sound import reply_sound

URL = "http://demo"
ROOT = Path(__file__).parents[2]


async def _deaf(_sound: Sound) -> str:
    return ""


@pytest.fixture(name="demo")
def _demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Providers]:
    """The providers of a demo of this user, whose language model was slow from the start."""
    folder = tmp_path / f"{FOLDER}x"
    folder.mkdir()
    (folder / "providers.url").write_text(URL)
    gone = tmp_path / f"{FOLDER}gone"
    gone.mkdir()
    (gone / "providers.url").write_text("http://nobody")
    os.utime(gone / "providers.url", (2e9, 2e9))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    providers = Providers(DemoSettings().changed({"llm": {"delay_s": 0.7}}), _deaf)
    with TestClient(providers.app(), base_url=URL) as client:

        def there(method: str) -> object:
            def ask(url: str, **given: object) -> httpx.Response:
                if not url.startswith(URL):
                    raise httpx.ConnectError("refused")
                answer = client.request(method, url, json=given.get("json"))
                request = httpx.Request(method, url)
                return httpx.Response(answer.status_code, content=answer.content, request=request)

            return ask

        monkeypatch.setattr(httpx, "put", there("PUT"))
        monkeypatch.setattr(httpx, "delete", there("DELETE"))
        yield providers


@pytest.mark.parametrize("name", FAULTS)
def test_break_and_mend(
    name: str, demo: Providers, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The settings are those of the fault alone; mending brings those of the start back.

    Where it shows is said so that a command can be run as it stands there.
    """
    first = demo.settings
    assert main(["demo", "break", "deaf" if name != "deaf" else "slow"]) == 0
    assert main(["demo", "break", name]) == 0
    assert demo.settings == first.changed(FAULTS[name].change)
    out = capsys.readouterr().out
    shown = FAULTS[name].shown_by(tmp_path / f"{FOLDER}x" / CONFIG)
    assert f"shown by {shown}\n" in out
    assert (f"--config {tmp_path}/" in shown) == ("voice-exporter latency" in shown)
    assert "demo mend" in out
    assert main(["demo", "mend"]) == 0
    assert demo.settings == first


def test_what_cannot_be_broken(
    demo: Providers, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An unknown fault, and no demo that runs, are one line each and status 2."""
    before = demo.settings
    assert main(["demo", "break", "slwo"]) == 2
    assert main(["demo", "mend", "--providers", "http://nowhere"]) == 2
    (tmp_path / f"{FOLDER}x" / "providers.url").unlink()
    assert main(["demo", "break", "slow"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        (
            "voice-exporter: slwo: is no fault; expected one of slow, deaf, rude, dead, noisy; "
            "did you mean slow?"
        ),
        (
            "voice-exporter: http://nowhere does not answer; expected one that was started by "
            "voice-exporter demo"
        ),
        "voice-exporter: no demo runs here; expected one that was started by voice-exporter demo",
    ]
    assert demo.settings == before


def test_a_noisy_voice_is_clipped_and_a_good_one_is_not() -> None:
    """The demo's threshold lies between both."""
    voice = speak("Your order left the house this morning.", Voice("en-us", 170)).at_peak(0.6)
    gain = DemoSettings().changed(FAULTS["noisy"].change).tts.gain
    good, noisy = (_clipped(sound) for sound in (voice, voice.louder(gain)))
    assert good < 0.005
    assert noisy > 0.05


def _clipped(sound: Sound) -> float:
    found = asyncio.run(reply_sound(sound.resampled(48_000).samples))
    assert found is not None
    return found.clipped_ratio


def test_the_page_of_the_demo_has_every_fault() -> None:
    """docs/demo.md has the command, what it does and where it shows, as the demo says it."""
    page = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    for name, fault in FAULTS.items():
        assert f"| `voice-exporter demo break {name}` | {fault.about} |" in page
        assert fault.shown.split(":")[0] in page

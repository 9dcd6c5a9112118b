"""The flags of a ramp: what they mean together, and the document of one vantage."""

import json

import pytest

from exporter.cli import main
from tests.unit.ramp.test_prober import answering


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a server that nobody asks."""
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "s" * 32)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--load", "--preflight"], "--load and --preflight cannot be combined"),
        (
            ["--coordinator", "--expect", "1", "--report-to", "http://127.0.0.1:1"],
            "--coordinator and --report-to cannot be combined",
        ),
        (["--ramp", "2,4"], "--ramp and --duration need --load or --coordinator"),
        (["--duration", "5s", "--preflight"], "--ramp and --duration need --load or --coordinator"),
        (["--collector", "http://127.0.0.1:1"], "--collector needs --load or --coordinator"),
        (["--load", "--expect", "3"], "--expect needs --coordinator"),
        (["--report-to", "http://127.0.0.1:x"], "'http://127.0.0.1:x' is not a URL"),
        (["--report-to", "http://[::1"], "'http://[::1' is not a URL"),
        (["--report-to", "127.0.0.1:8787"], "'127.0.0.1:8787' is not a URL"),
    ],
)
def test_flags_that_would_do_nothing(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are refused in one line, before anything is asked or loaded."""
    assert main(["sfu", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert why in err


def test_document_of_a_vantage(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one document and nothing else, also where nothing was measured."""
    with answering(500, b"") as url:
        assert main(["sfu", "--report-to", url, "--vantage", "iad", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "vantage": "iad",
        "ramp": [],
        "error": "api_failed: the coordinator refused: HTTP 500",
    }

"""The result of a ramp, from the command that made it to a running exporter."""

import pytest

from exporter.commands.load import send_figures
from exporter.roster.collector import CollectorConfig
from exporter.settings.settings import Settings
from tests.integration.serving import Serving
from tests.unit.ramp.test_figures import figures

pytestmark = pytest.mark.integration
TOKEN = "correct-horse-battery"  # noqa: S105 - of a server that lives as long as the test


def settings(serving: Serving, token: str) -> Settings:
    """Return those of a command that knows the exporter."""
    collector = CollectorConfig.model_validate({"url": serving.url(), "token": token})
    return Settings(collector=collector)


def test_what_is_sent_arrives_whole_and_only_with_the_token() -> None:
    """The exporter has the same figures; a refusal is one line."""
    with Serving(token=TOKEN) as serving:
        assert send_figures(settings(serving, TOKEN), figures()) == ""
        assert serving.behind.ramps == [figures()]
        assert "refused the token" in send_figures(settings(serving, "wrong"), figures())
        assert "answered 409: too many" in send_figures(
            settings(serving, TOKEN), figures("refused")
        )
    assert send_figures(Settings(), None) == "no tier was measured"


def test_nothing_else_is_taken() -> None:
    """A vantage that is no label, an unknown key and a ramp without tiers are refused."""
    whole = figures()
    with Serving(token=TOKEN) as serving:
        for change in ({"vantage": "a\x00b"}, {"tiers": ()}):
            answer = send_figures(settings(serving, TOKEN), whole.model_copy(update=change))
            assert "answered 422" in answer
        assert serving.behind.ramps == []

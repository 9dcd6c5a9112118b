"""Events of a session become reports of its turns, without a word."""

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from exporter.calls.turns import TurnBatch
from voice_exporter_agent.turns import Report, SessionTurns, Usage

WORDS = "my card number is 4111"
FIRST = Report("demo", "order")
ASKED = {"stopped_speaking_at": 100.0, "end_of_turn_delay": 0.6, "transcription_delay": 0.25}
SAID = {
    "e2e_latency": 1.5,
    "llm_node_ttft": 0.4,
    "tts_node_ttfb": 0.2,
    "started_speaking_at": 101.5,
}


class Session:
    """Reports of a session whose events a test makes."""

    def __init__(self, *, is_probe: bool = False) -> None:
        self.reports: list[Report] = []
        self.turns = SessionTurns(FIRST, self.reports.append, lambda: is_probe)

    def user(self, **figures: float) -> None:
        """Let a turn of the caller end."""
        self._item("user", figures or ASKED, interrupted=False)

    def agent(self, *, interrupted: bool = False, **figures: float) -> None:
        """Let a message of the agent have been said."""
        self._item("assistant", figures or SAID, interrupted=interrupted)

    def state(self, new: str) -> None:
        """Let the agent be in another state."""
        self.turns.on_state(SimpleNamespace(old_state="speaking", new_state=new))

    def tool(self, begin: float, end: float, *, fails: bool = False) -> None:
        """Let a tool have run."""
        call = SimpleNamespace(created_at=begin, name=WORDS, arguments=WORDS)
        output = SimpleNamespace(created_at=end, is_error=fails, output=WORDS)
        both = SimpleNamespace(function_calls=[call], function_call_outputs=[output])
        self.turns.on_tools(both)

    def usage(self, tokens: int) -> None:
        """Let the session have used so many tokens up to now."""
        models = [
            SimpleNamespace(
                type="llm_usage",
                model="m",
                input_tokens=tokens,
                input_cached_tokens=0,
                output_tokens=1,
            ),
            SimpleNamespace(type="eot_usage", model="detector"),
        ]
        self.turns.on_usage(SimpleNamespace(usage=SimpleNamespace(model_usage=models)))

    def close(self) -> list[Report]:
        """End the session; return the reports behind the first, which announces it."""
        self.turns.on_close(None)
        return self.reports[1:]

    def _item(self, role: str, metrics: dict[str, float], *, interrupted: bool) -> None:
        item = SimpleNamespace(
            role=role, metrics=metrics, interrupted=interrupted, text_content=WORDS, content=[WORDS]
        )
        self.turns.on_item(SimpleNamespace(item=item, created_at=100.6))


def test_turn_has_its_figures_and_no_words() -> None:
    """A session is announced; its turn is reported when the agent listens again."""
    session = Session()
    assert session.reports == [FIRST]
    session.user()
    session.agent()
    assert len(session.reports) == 1
    session.state("listening")
    turn = session.reports[1]

    assert (turn.outcome, turn.e2e_s) == ("answered", 1.5)
    assert (turn.transcription_delay_s, turn.end_of_turn_delay_s) == (0.25, 0.6)
    assert (turn.llm_ttft_s, turn.tts_ttfb_s) == (0.4, 0.2)
    assert (turn.llm_ttfs_s, turn.tools_s, turn.on_user_turn_completed_s) == (None, None, None)
    assert len(session.close()) == 1
    sent = b"".join(report.encode() for report in session.reports).decode()
    assert "4111" not in sent
    assert '"e2e_s":1.5' in sent


def test_outcomes() -> None:
    """Interrupted where the answer was cut short; unanswered where none came before the next."""
    session = Session()
    session.user()
    session.agent(interrupted=True)
    session.user()
    session.user()
    session.agent()
    session.user()

    outcomes = [report.outcome for report in session.close()]
    assert outcomes == ["interrupted", "unanswered", "answered", "unanswered"]


def test_what_is_no_turn_opens_none() -> None:
    """A greeting, typed text and a filler are no turn, and no answer to one."""
    session = Session()
    session.agent(tts_node_ttfb=0.1)
    session.user(confidence=1.0)
    session.user()
    session.agent(tts_node_ttfb=0.1)
    session.state("listening")
    assert len(session.reports) == 1
    session.agent()
    assert [report.outcome for report in session.close()] == ["answered"]


def test_realtime_model_has_turns_by_its_answers() -> None:
    """Its callers' messages have no figures, and come late."""
    session = Session()
    session.agent(e2e_latency=0.9)
    session.state("listening")
    session.user(confidence=1.0)
    assert [report.e2e_s for report in session.close()] == [0.9]


def test_time_of_tools_is_that_before_the_answer() -> None:
    """Requests and tools follow one another; one that ends during the answer is only counted."""
    session = Session()
    session.user()
    session.tool(100.8, 101.0)
    session.tool(100.9, 101.2, fails=True)
    session.tool(101.3, 102.0)
    session.agent()
    [turn] = session.close()

    assert turn.tools_s is not None
    assert turn.tool_requests_s is not None
    assert (round(turn.tools_s, 6), round(turn.tool_requests_s, 6)) == (0.4, 0.2)
    assert (turn.tools_ok, turn.tools_failed) == (2, 1)


def test_usage_is_counted_once() -> None:
    """A session reports sums; a turn has what came since the report before, the end the rest."""
    session = Session()
    for tokens in (10, 30):
        session.user()
        session.agent()
        session.usage(tokens)
        session.state("listening")
    session.usage(35)

    reports = session.close()
    used = [sum(each.llm_input for each in report.usage) for report in reports]
    assert used == [10, 20, 5]
    assert [report.outcome for report in reports] == ["answered", "answered", None]
    assert asdict(reports[0].usage[0]) == asdict(Usage("m", llm_input=10, llm_output=1))


def test_models_that_an_exporter_would_refuse_cost_no_batch() -> None:
    """Names are cut and printable, and of more models than a report may have the first ones go."""
    session = Session()
    models = [
        SimpleNamespace(type="tts_usage", model=f"{number}\n" + "m" * 300, characters_count=1)
        for number in range(60)
    ]
    session.turns.on_usage(SimpleNamespace(usage=SimpleNamespace(model_usage=models)))
    (report,) = session.close()
    batch = TurnBatch.model_validate_json(f'{{"id": "a", "turns": [{report.encode().decode()}]}}')
    assert len(batch.turns[0].usage) == 50


def test_probe_is_not_reported() -> None:
    """Its turns are measured already, and are no real ones."""
    session = Session(is_probe=True)
    session.user()
    session.agent()
    assert [*session.reports, *session.close()] == []


def test_figures_that_are_no_numbers_are_unknown() -> None:
    """Whatever a release of the session puts there."""
    session = Session()
    odd: dict[str, Any] = {"llm_node_ttft": 0.3, "e2e_latency": float("nan"), "tts_node_ttfb": "x"}
    session.user()
    session.agent(**odd)
    [turn] = session.close()
    assert (turn.e2e_s, turn.llm_ttft_s, turn.tts_ttfb_s) == (None, 0.3, None)

"""/runs/ID and /runs/last: the page of a run with and without evidence, and the way to it."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from exporter.evidence.kept import KeptCall
from exporter.outcome import (
    AnswerOutcome,
    Backchannel,
    BackchannelOutcome,
    CallerToken,
    CallReconnect,
    CallResult,
    Components,
    InnerPause,
    Interruption,
    InterruptionOutcome,
    LineCounts,
    LineDirection,
    Media,
    MediaDirection,
    Outcome,
    PauseOutcome,
    Reason,
    ReplySound,
    Sending,
    SilentStage,
    TokenDanger,
    TokenFailure,
    Transcription,
    Turn,
    Verdict,
    WordErrors,
)
from exporter.outcome.network import broke
from exporter.probes.latency.spec import PROBE, LatencyConfig
from exporter.store.records import EvidencePlace, RunQuery, RunRecord
from exporter.store.sqlite import SqliteStore
from exporter.web.advice import advice
from exporter.web.run_page import run_page
from tests.unit.calls import WHEN, broken, call, replied
from tests.unit.web.asking import ELSEWHERE, Site, sources
from tests.unit.web.kept_calls import RUN_ID, kept_call, long_call, unheard

RUNBOOKS = Path(__file__).parents[3] / "alerts" / "runbooks"


@dataclass
class History:
    """Runs in the memory of a store."""

    store: SqliteStore

    async def runs(self, query: RunQuery) -> Sequence[RunRecord]:
        """Return runs, the newest first."""
        return self.store.runs(query)

    async def run(self, run_id: str) -> RunRecord | None:
        """Return one run."""
        return self.store.run(run_id)


@dataclass
class Calls:
    """Kept calls in memory."""

    calls: dict[str, KeptCall]

    async def read(self, run_id: str) -> KeptCall | None:
        """Return one."""
        return self.calls.get(run_id)


def site(*records: RunRecord, kept: KeptCall | None = None) -> Site:
    """Return a site with these runs and at most one kept call."""
    store = SqliteStore()
    for record in records:
        store.end(record)
    calls = Calls({kept.outcome.run_id: kept} if kept else {})
    return Site(
        sources(history=History(store), kept=calls, runbooks=lambda: "https://git/runbooks/")
    )


def record_of(outcome: Outcome, run_id: str, minutes: int = 0) -> RunRecord:
    """Return what the ledger has of a run so many minutes later."""
    began = WHEN + timedelta(minutes=minutes)
    return RunRecord.of(replace(outcome, run_id=run_id, started_at=began))


def shown(kept: KeptCall) -> str:
    """Return the page of a kept call."""
    answer = site(RunRecord.of(kept.outcome), kept=kept).ask("GET", f"/runs/{RUN_ID}")
    assert answer.status_code == 200
    return answer.text


def test_the_page_says_why_and_what_next() -> None:
    """Verdict, reason, detail, the next look with its runbook, turns, log, picture and sound."""
    page = shown(kept_call())

    assert '<span class="tag FAIL">FAIL</span>' in page
    assert "<strong>no_reply</strong>: no reply within 5 s: it heard no voice" in page
    assert 'href="https://git/runbooks/VoiceAgentFailing.md"' in page
    assert f'src="../api/v1/runs/{RUN_ID}/sound"' in page
    assert f'<a class="turn-link" href="#turn-3-{RUN_ID}">3</a>' in page
    assert f'id="turn-3-{RUN_ID}"' in page
    assert "llm 0.93" in page
    assert "   0.100 room made" in page
    assert "no_reply: no reply within 5 s</li>" in page


def test_its_policy_allows_our_own_script_alone() -> None:
    """Another nonce in each answer, nothing inline without it, nothing from elsewhere."""
    asked = site(RunRecord.of(kept_call().outcome), kept=kept_call())
    answers = [asked.ask("GET", f"/runs/{RUN_ID}") for _ in range(2)]
    policies = [each.headers["content-security-policy"] for each in answers]
    nonces = [re.findall(r"'nonce-([^']+)'", each) for each in policies]

    assert nonces[0] != nonces[1]
    for answer, policy, found in zip(answers, policies, nonces, strict=True):
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert set(re.findall(r"<(?:script|style)([^>]*)>", answer.text)) == {
            f' nonce="{found[0]}"'
        }
        assert not re.search(
            r"\son\w+=|\sstyle=|(?:src|href)=\"(?!\.\./|#|https://git/)", answer.text
        )
        assert answer.headers["cache-control"] == "no-store"


def test_a_call_that_another_exporter_keeps_is_linked() -> None:
    """The page names that exporter and links to the run there; JSON has both."""
    record = RunRecord.of(kept_call().outcome)
    store = SqliteStore()
    store.end(record)

    async def elsewhere(run_id: str) -> EvidencePlace | None:
        return EvidencePlace("vm-2", "http://vm-2:9479") if run_id == RUN_ID else None

    asked = Site(sources(history=History(store), kept=Calls({}), elsewhere=elsewhere))
    page = asked.ask("GET", f"/runs/{RUN_ID}").text
    assert "This call is kept by vm-2:" in page
    assert f'<a href="http://vm-2:9479/runs/{RUN_ID}">' in page
    found = asked.ask("GET", f"/api/v1/runs/{RUN_ID}").json()
    assert found["evidence"] is None
    assert found["evidence_at"] == {"exporter": "vm-2", "url": "http://vm-2:9479"}


@pytest.mark.parametrize("kept", [None, unheard(kept_call())])
def test_what_is_not_kept_is_said(kept: KeptCall | None) -> None:
    """No evidence: the run from the ledger, and why there is no picture. No sound: no player."""
    record = RunRecord.of(kept_call().outcome)
    page = site(record, kept=kept).ask("GET", f"/runs/{RUN_ID}").text

    assert "<audio" not in page
    assert "no_reply" in page
    assert ("setting evidence.keep" in page) == (kept is None)
    assert ("<svg xmlns" in page) == (kept is not None)


def test_a_run_that_is_no_call_has_a_page() -> None:
    """It has no picture, and says so."""
    record = record_of(broken(Reason.API_FAILED, "HTTP 500", "agents"), "run1")
    page = site(record).ask("GET", "/runs/run1").text
    assert "calls no agent" in page
    assert "HTTP 500" in page


def test_evidence_outlives_the_ledger() -> None:
    """What is kept is shown although the history has forgotten the run."""
    assert "no_reply" in site(kept=kept_call()).ask("GET", f"/runs/{RUN_ID}").text


@pytest.mark.parametrize("run_id", ["unknown", "a.b", "%2e%2e", "a%20b", "x" * 65, "a/b", ""])
def test_what_is_no_run_is_404(run_id: str) -> None:
    """Neither a wrong id nor a trick reaches a file."""
    assert site(kept=kept_call()).ask("GET", f"/runs/{run_id}").status_code == 404


def test_no_history_is_said() -> None:
    """The same words as on the API."""
    answer = Site().ask("GET", "/runs/run1")
    assert (answer.status_code, answer.text) == (503, "this exporter has no run history\n")


def test_the_page_needs_a_password_as_others_do(tmp_path: Path) -> None:
    """It is a page like any other for the gate."""
    file = tmp_path / "web.yml"
    file.write_text("basic_auth_users:\n  reader: $2b$04$" + "a" * 53 + "\n", "utf-8")
    made = Site(sources(history=History(SqliteStore())), file=file)
    assert made.ask("GET", "/runs/run1", client=ELSEWHERE).status_code == 401


def test_who_may_not_hear_sees_no_words() -> None:
    """Neither sound nor transcripts, and the page says who gets them; the rest is there."""
    kept = kept_call(words=True)
    record = RunRecord.of(kept.outcome)
    pages = {hears: run_page(record, kept, hears=hears) for hears in (True, False)}
    assert ["where is my order" in page for page in pages.values()] == [True, False]
    assert ["<audio" in page for page in pages.values()] == [True, False]
    assert ["who log in" in page for page in pages.values()] == [False, True]
    assert "tool look_up" in pages[False]


def runs() -> list[RunRecord]:
    """Return good, slow and failed runs of two targets of one agent and of another."""
    good, slow = call(replied(0.9), replied(1.0)), call(replied(2.5), replied(2.6))
    bad = call(reason=Reason.NO_WORKER, detail="nobody came")
    other = CallResult("demo", "refund", "noise")
    return [
        record_of(bad, "bad", 1),
        record_of(slow, "slow", 2),
        record_of(replace(bad, result=other), "refund", 3),
        record_of(good, "good", 4),
        record_of(broken(Reason.API_FAILED, "HTTP 500", "agents"), "listing", 5),
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("agent_name=demo&call_type=default&scenario=default&failed=true", "slow"),
        ("agent_name=demo&call_type=refund&scenario=noise&failed=true", "refund"),
        ("agent_name=demo&failed=true", "refund"),
        ("agent_name=demo", "good"),
        ("", "good"),
    ],
)
def test_the_way_from_an_alert_leads_to_the_last_call(query: str, found: str) -> None:
    """By the labels of the alert; FAIL and SLOW both page."""
    answer = site(*runs()).ask("GET", f"/runs/last?{query}")
    assert (answer.status_code, answer.headers["location"]) == (302, f"./{found}")


def test_where_there_is_none_it_says_so() -> None:
    """A line, and no error of the server."""
    answer = site(*runs()).ask("GET", "/runs/last?agent_name=ghost&failed=true")
    assert answer.status_code == 404
    assert answer.text == "no call that was FAIL or SLOW to ghost in the history\n"


def test_a_failure_behind_many_good_runs_is_found() -> None:
    """The ledger looks for it, however far back it is."""
    good = call(replied(0.9))
    many = [record_of(good, f"good{n}", n + 10) for n in range(1200)]
    answer = site(*runs(), *many).ask("GET", "/runs/last?agent_name=demo&failed=true")
    assert answer.headers["location"] == "./refund"


def test_every_reason_has_advice_with_a_runbook() -> None:
    """Also SLOW and an agent that came twice; what passed has none."""
    record = RunRecord.of(call(replied(0.9)))
    assert advice(record) is None
    named = [advice(replace(record, reason=reason)) for reason in Reason]
    named += [advice(replace(record, verdict=Verdict.SLOW)), advice(replace(record, agents=2))]
    missing = [
        each for each in named if each is None or not (RUNBOOKS / f"{each.runbook}.md").is_file()
    ]
    assert missing == []


def test_a_call_without_a_token_points_to_the_endpoint() -> None:
    """Whatever the reason of the run: neither the exporter's own key nor the server is to blame."""
    token = CallerToken(failure=TokenFailure.REFUSED)
    said = advice(replace(RunRecord.of(call()), reason=Reason.AUTH_FAILED, token=token))
    assert said is not None
    assert "endpoint" in said.text


@pytest.mark.parametrize(
    ("found", "runbook"),
    [
        (
            {"interruptions": (Interruption(InterruptionOutcome.TALKED_ON),)},
            "VoiceAgentIgnoresInterruptions",
        ),
        (
            {
                "interruptions": (
                    Interruption(InterruptionOutcome.YIELDED, 0.4, AnswerOutcome.UNANSWERED),
                )
            },
            "VoiceAgentIgnoresInterruptions",
        ),
        (
            {"backchannels": (Backchannel(BackchannelOutcome.STOPPED),)},
            "VoiceAgentStopsAtBackchannels",
        ),
        ({"pauses": (InnerPause(PauseOutcome.CUT_IN),)}, "VoiceAgentCutsIn"),
        ({"pauses": (InnerPause(PauseOutcome.WAITED),)}, "VoiceAgentSlow"),
    ],
)
def test_an_agent_that_takes_no_turns_is_not_called_slow(
    found: dict[str, Any], runbook: str
) -> None:
    """SLOW is also the verdict on who talks on: its components say nothing about that."""
    record = replace(RunRecord.of(call(replied(0.9))), verdict=Verdict.SLOW, **found)
    said = advice(record)
    assert said is not None
    assert said.runbook == runbook
    assert (RUNBOOKS / f"{runbook}.md").is_file()


@pytest.mark.parametrize("stage", SilentStage)
def test_a_silent_agent_is_looked_at_where_it_broke(stage: SilentStage) -> None:
    """Each stage has words of its own; what is not known is left to the picture."""
    turn = replace(Turn.without_reply(Reason.NO_REPLY, "silence"), silent_stage=stage)
    said = advice(RunRecord.of(call(turn, reason=Reason.NO_REPLY)))
    plain = advice(RunRecord.of(call(reason=Reason.NO_REPLY)))
    assert said is not None
    assert plain is not None
    assert said.runbook == plain.runbook
    assert (said.text == plain.text) == (stage is SilentStage.UNKNOWN)


@pytest.mark.parametrize(
    ("limits", "heard", "runbook"),
    [
        ({}, 2.0, "VoiceAgentSlow"),
        ({"max_wer": 0.1}, 0.9, "VoiceAgentMishears"),
        ({"max_wer": 0.1}, 2.0, "VoiceAgentSlow"),
        ({"sound": {"max_gap_ms": 500}}, 0.9, "VoiceAgentDeadAir"),
        ({"sound": {"max_loss_ratio": 0.01}}, 0.9, "VoiceSfuPacketLoss"),
    ],
)
def test_what_made_a_call_slow_chooses_the_runbook(
    limits: dict[str, Any], heard: float, runbook: str
) -> None:
    """Its latency, the words that were understood, a silence in a reply, or lost packets."""
    turn = replace(
        replied(heard),
        transcription=Transcription(10, 5, raw=WordErrors(10, 5)),
        reply=ReplySound(-20.0, 0.0, 8000.0, longest_gap_s=1.0),
    )
    media = Media(MediaDirection(1000, 50), MediaDirection(1000, 0))
    config = LatencyConfig(agent_name="demo", **limits)
    made = replace(CallResult("demo", "default", "default"), turns=(turn,), media=media)
    judged = PROBE.judged(config, replace(call(), result=made))
    assert judged.verdict is Verdict.SLOW
    said = advice(RunRecord.of(judged))
    assert said is not None
    assert said.runbook == runbook
    assert (RUNBOOKS / f"{runbook}.md").is_file()


def test_a_slow_call_names_its_longest_component() -> None:
    """Nobody has to compare bars; where the agent reports none, the page says where to look."""
    split = Components(llm_s=2.5, tts_s=0.2)
    made = replace(CallResult("demo", "default", "default"), turns=(replied(3.0, split=split),))
    for result, words in (
        (made, "LLM, 2.50 s on average: the longest component"),
        (replace(made, turns=(replied(3.0),)), "The widest part of the slow turns"),
    ):
        judged = PROBE.judged(LatencyConfig(agent_name="demo"), replace(call(), result=result))
        said = advice(RunRecord.of(judged))
        assert said is not None
        assert said.text.startswith(words)


def test_a_connection_that_is_not_back_is_no_slow_component() -> None:
    """Its turns were answered: what took longest in them has nothing to do with it."""
    split = Components(llm_s=0.5, tts_s=0.2)
    lost = (CallReconnect("full", answered=True),)
    record = RunRecord.of(call(replied(0.9, split=split)))
    said = advice(replace(record, verdict=Verdict.FAIL, reconnects=lost))
    assert said is not None
    assert said.runbook == "VoiceSfuReconnects"


def test_only_unusual_names_follow_the_agent() -> None:
    """`default` says nothing, twice."""
    plain = record_of(call(), "plain")
    scenario = replace(plain, run_id="other", scenario="barge_in")
    there = site(plain, scenario)
    assert '<small class="faint"></small>' in there.ask("GET", "/runs/plain").text
    assert '<small class="faint">barge_in</small>' in there.ask("GET", "/runs/other").text


def test_the_ledger_alone_says_what_made_a_call_slow() -> None:
    """1. No turn was slow, words were wrong. 2. The call is not kept. Result: its page says so."""
    turn = replace(replied(0.5), transcription=Transcription(10, 5, raw=WordErrors(10, 5)))
    made = replace(CallResult("demo", "default", "default"), turns=(turn,))
    config = LatencyConfig(agent_name="demo", max_wer=0.2)
    judged = PROBE.judged(config, replace(call(), result=made))
    there = site(record_of(judged, "quiet"))
    page = there.ask("GET", "/runs/quiet").text
    assert '<span class="tag SLOW">SLOW</span>' in page
    assert "<li>50% of the words are wrong" in page
    assert "VoiceAgentMishears.md" in page
    document = there.ask("GET", "/api/v1/runs/quiet").json()
    assert [each["cause"] for each in document["findings"]] == ["words"]


def test_a_page_escapes_every_text() -> None:
    """Names, details and log lines come from elsewhere."""
    evil = "<script>alert('x')</script>\"'"
    kept = kept_call()
    outcome = replace(kept.outcome, agent_name=evil, detail=evil, log=(evil,))
    page = run_page(RunRecord.of(outcome), replace(kept, outcome=outcome), nonce="n")
    assert page.count("<script") == 1
    assert page.count("&lt;script&gt;") >= 4


def test_a_long_call_is_quick() -> None:
    """90 s of sound and twelve turns, in less than 300 ms of this process."""
    kept = long_call()
    record = RunRecord.of(kept.outcome)
    run_page(record, kept)  # reads the template
    took = []
    for _ in range(3):
        began = time.process_time()
        run_page(record, kept, nonce="n")
        took.append(time.process_time() - began)
    assert min(took) < 0.3


def test_facts_have_the_line_and_turn_taking() -> None:
    """How the voice was sent, what the relay did, broken connections, and who yielded to whom."""
    way = LineDirection(100, 95, 5, 0, 0, delay_p95_s=0.08)
    kept = kept_call()
    result = replace(
        kept.outcome.result,  # type: ignore[type-var] # it is a CallResult
        sending=Sending(noise="babble", snr_db=10),
        line=LineCounts(way, way),
        reconnects=(CallReconnect("full", 1.25, answered=True),),
        interruptions=(Interruption(InterruptionOutcome.YIELDED, 0.412),),
        token=CallerToken(0.25, (TokenDanger.ROOM_LIST,)),
    )
    page = shown(replace(kept, outcome=replace(kept.outcome, result=result)))
    for name, text in (
        ("Sent as", "babble at 10 dB"),
        ("Relay down", "100 packets, 5 dropped, p95 held for 80 ms"),
        ("Broken on purpose", f"{broke('full')}: back after 1.25 s, the next turn was answered"),
        ("Turn-taking", "interruption yielded after 0.412 s"),
        ("Token", "fetched in 0.250 s; dangerous: room_list (may list all rooms)"),
    ):
        assert f"<dt>{name}</dt><dd>{text}</dd>" in page


def test_links_hold_below_any_prefix() -> None:
    """Those of the status page, of the page of a run, and the way from an alert."""
    record = RunRecord.of(kept_call().outcome)
    store = SqliteStore()
    store.end(record)
    calls = Calls({RUN_ID: kept_call()})
    there = Site(
        sources(history=History(store), kept=calls), external_url="https://v.example/voice"
    )
    assert there.ask("GET", f"/runs/{RUN_ID}").status_code == 404
    last = there.ask("GET", "/voice/runs/last?agent_name=shop&failed=true")
    page = urljoin("/voice/runs/last", last.headers["location"])
    assert page == f"/voice/runs/{RUN_ID}"
    links = re.findall(r'(?:src|href)="(\.[^"]+)"', there.ask("GET", page).text)
    assert len(links) == 3
    for link in links:
        path = urljoin(page, link)
        assert path.startswith("/voice/")
        if not path.endswith("/sound"):  # these calls have no file
            assert there.ask("GET", path).status_code == 200, path

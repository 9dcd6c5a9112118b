"""The page of a run: why it failed, the call as a picture and as sound, its turns, its log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from exporter.colors import AGENT, CALLER, COMPONENTS
from exporter.evidence.kept import KeptCall
from exporter.outcome import (
    Components,
    ExpectationOutcome,
    LineCounts,
    Turn,
    tokens,
)
from exporter.store.records import EvidencePlace, RunRecord
from exporter.web.advice import Advice, advice
from exporter.web.picture import line_text, picture, turn_id
from exporter.web.rendering import template

_NOT_KEPT = (
    "There is neither sound nor timeline of this call: only some calls are kept "
    "(setting evidence.keep), and the oldest make room (evidence.days, evidence.max_mb)."
)
_NO_CALL = "A run of this probe calls no agent, so there is no picture of it."


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn, as the template has it."""

    place: int
    anchor: str
    """Of the turn in the picture; "" where it is in none."""
    bad: bool
    result: str
    parts: tuple[tuple[str, str], ...]
    """Name and time of each component."""
    reported: str
    detail: str


@dataclass(frozen=True, slots=True)
class CallView:
    """One run as it is shown, on its page and in a report."""

    record: RunRecord
    findings: tuple[str, ...]
    advice: Advice | None
    picture: str
    """The SVG; "" for none."""
    why_no_picture: str
    sound: str
    """URL of the sound; "" for none."""
    turns: tuple[TurnRow, ...]
    facts: tuple[tuple[str, str], ...]
    log: tuple[str, ...]
    elsewhere: str = ""
    """URL of its page on the exporter that keeps the call; "" where none is known."""

    @classmethod
    def of(
        cls,
        record: RunRecord,
        kept: KeptCall | None,
        sound: str = "",
        *,
        with_words: bool = True,
        missing: str = _NOT_KEPT,
    ) -> Self:
        """Return what is shown.

        Args:
            record: Of the ledger.
            kept: What is kept of the call, if anything is.
            sound: URL of its sound, where there is one.
            with_words: Show what was said, where that is kept.
            missing: Why nothing is kept of a call, where that is so.
        """
        return cls(
            record=record,
            findings=tuple(each.text for each in record.further_findings),
            advice=advice(record),
            picture=picture(kept, with_words=with_words) if kept else "",
            why_no_picture="" if kept else missing if record.probe == "latency" else _NO_CALL,
            sound=sound if kept and kept.sound else "",
            turns=_rows(record, kept),
            facts=tuple(_facts(record, kept)),
            log=record.log or (kept.outcome.log if kept else ()),
        )

    @property
    def title(self) -> str:
        """What was run, and what came of it."""
        subject = self.record.agent_name or self.record.probe
        return f"{self.record.verdict} {subject} {moment(self.record.started_at)}"


def moment(when: datetime) -> str:
    """Write a moment, to the second."""
    return f"{when:%Y-%m-%d %H:%M:%S}Z"


def run_page(
    record: RunRecord,
    kept: KeptCall | None,
    elsewhere: EvidencePlace | None = None,
    *,
    runbooks: str = "",
    nonce: str = "",
    hears: bool = True,
) -> str:
    """Return the page of a run.

    Args:
        record: The run, as the ledger has it.
        kept: What is kept of the call; None where nothing is.
        elsewhere: The exporter that keeps it, where another one does.
        runbooks: URL of the folder with the runbooks; they are only named where it is "".
        nonce: Of its styles and its script; see `policy`.
        hears: Whether the client may hear calls and read what was said.
    """
    sound = f"../api/v1/runs/{record.run_id}/sound" if hears else ""
    missing = _NOT_KEPT if elsewhere is None else f"This call is kept by {elsewhere.exporter}:"
    view = CallView.of(record, kept, sound, with_words=hears, missing=missing)
    link = f"{elsewhere.url}/runs/{record.run_id}" if elsewhere else ""
    view = replace(view, elsewhere=link)
    return template("run.html").render(view=view, hears=hears, **common(runbooks, nonce))


def common(runbooks: str, nonce: str) -> dict[str, object]:
    """Return what every page with pictures is rendered with."""
    return {
        "runbooks": runbooks,
        "nonce": nonce,
        "colors": {"caller": CALLER, "agent": AGENT},
        "components": COMPONENTS,
    }


def _rows(record: RunRecord, kept: KeptCall | None) -> tuple[TurnRow, ...]:
    marked = len(kept.marks) if kept else 0
    return tuple(
        TurnRow(
            place=place,
            anchor=turn_id(kept, place) if kept and place <= marked else "",
            bad=turn.e2e_s is None,
            result=_result(turn),
            parts=_parts(turn.components),
            reported=_seconds(turn.reported_e2e_s),
            detail=_detail(turn),
        )
        for place, turn in enumerate(record.turns, 1)
    )


def _result(turn: Turn) -> str:
    warmup = " (warm-up)" if turn.warmup else ""
    if turn.e2e_s is None:
        return f"{turn.reason or turn.outcome}{warmup}"
    filler = f", a filler after {turn.e2e_s:.2f} s" if turn.time_to_answer_s is not None else ""
    return f"{_seconds(turn.answered_s)}{filler}{warmup}"


def _parts(split: Components) -> tuple[tuple[str, str], ...]:
    values = ((name, getattr(split, f"{name}_s")) for name in COMPONENTS)
    return tuple((name, f"{value:.2f}") for name, value in values if value is not None)


def _detail(turn: Turn) -> str:
    heard, said = turn.transcription, [turn.detail] if turn.detail else []
    if heard is not None:
        said.append(f"{heard.hit} of {heard.words} words understood")
    if turn.reply is not None:
        said.append(f"reply at {turn.reply.level_dbfs:.0f} dBFS")
        if turn.reply.longest_gap_s >= _LONG_GAP_S:
            said.append(f"longest gap {turn.reply.longest_gap_s:.1f} s")
    return "; ".join(said)


_LONG_GAP_S = 1.0


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _facts(record: RunRecord, kept: KeptCall | None) -> Sequence[tuple[str, str]]:
    known: list[tuple[str, str | None]] = [
        ("Started", moment(record.started_at)),
        ("Took", f"{record.duration_s:.1f} s"),
        ("Target", _optional(kept.target_s if kept else None)),
        ("Token", str(record.token).removeprefix("token ") if record.token else None),
        ("Agent in the room after", _optional(record.time_to_agent_s)),
        ("Greeting after", _optional(record.time_to_greeting_s)),
        ("No components", record.split_absent or None),
        ("Both spoke at once for", _optional(record.overlap_s)),
        ("Spoke", _spoke(record)),
        ("RTP", line_text(record.media).removeprefix("RTP: ") if record.media else None),
        ("Sent as", str(record.sending) if record.sending else None),
        *_line(record.line),
        *(("Broken on purpose", str(each)) for each in record.reconnects),
        *(
            ("Turn-taking", str(each))
            for each in (*record.interruptions, *record.backchannels, *record.pauses)
        ),
        ("Prober late by", _optional(record.loop_lag_s, 3)),
        ("Tokens", str(tokens(record.usage)) if record.usage else None),
        ("Expectations", _expectations(record)),
        ("Run", record.run_id),
    ]
    return [(name, text) for name, text in known if text is not None]


def _optional(value: float | None, digits: int = 2) -> str | None:
    return None if value is None else f"{value:.{digits}f} s"


def _spoke(record: RunRecord) -> str | None:
    spoke = record.speech_s
    return None if spoke is None else f"caller {spoke.caller:.1f} s, agent {spoke.agent:.1f} s"


def _line(line: LineCounts | None) -> Iterator[tuple[str, str]]:
    """Yield what the relay of a bad line did."""
    for way, done in (("up", line.up), ("down", line.down)) if line else ():
        parts = [f"{done.packets} packets", f"{done.dropped} dropped"]
        if done.delay_p95_s is not None:
            parts.append(f"p95 held for {done.delay_p95_s * 1000:.0f} ms")
        yield f"Relay {way}", ", ".join(parts)


def _expectations(record: RunRecord) -> str | None:
    met = sum(each.outcome is ExpectationOutcome.MET for each in record.expectations)
    return f"{met} of {len(record.expectations)} met" if record.expectations else None

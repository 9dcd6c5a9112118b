"""The one table of colours: what a word looks like, on every board and in every picture.

Components are those of the pages and of docs/pictures. A word that is not here has no meaning by
colour, and is drawn in grey or in neutral ink.
"""

from collections.abc import Mapping

from exporter.colors import AGENT, CALLER, COMPONENTS

GOOD, WARN, BAD, PLAIN, DIM = "green", "orange", "red", "text", "blue"
"""Grafana's own names, which follow its light and dark theme."""
GREY = "#8e959c"

VERDICTS = {"PASS": GOOD, "SLOW": WARN, "FAIL": BAD, "UNKNOWN": DIM}
SEVERITIES = {"page": BAD, "warning": WARN, "ticket": DIM}
OUTCOMES = {
    "replied": GOOD,
    "failed": BAD,
    "void": GREY,
    "completed": GOOD,
    "met": GOOD,
    "missed": BAD,
    "answered": GOOD,
    "unanswered": BAD,
    "lost": BAD,
    "yielded": GOOD,
    "talked_on": BAD,
    "resumed": WARN,
    "finished_first": GREY,
    "ignored": GOOD,
    "paused": WARN,
    "stopped": BAD,
    "waited": GOOD,
    "cut_in": BAD,
}
"""Of turns, dialogues, messages, interruptions, backchannels and pauses."""
KINDS = {"hit": GOOD, "substituted": WARN, "deleted": BAD, "inserted": "purple"}
"""Of words of a transcript."""
STATUSES = {"idle": GREY, "busy": DIM, "draining": "purple", "full": WARN, "offline": BAD}
STATES = {
    "initializing": "yellow",
    "idle": GREY,
    "listening": DIM,
    "thinking": "purple",
    "speaking": GOOD,
    "stuck": BAD,
}
_WORKERS = ("no_worker", "dispatch_failed", "join_timeout", "agent_left")
_AGENT = ("no_reply", "agent_error", "greeting_timeout", "no_audio_track", "unexpected_answer")
_SERVER = (
    *("connect_failed", "auth_failed", "quota_exceeded", "api_failed"),
    *("room_closed", "encrypted"),
)
_PROBER = ("deadline", "probe_crashed", "void")
REASONS = {
    **dict.fromkeys(_WORKERS, BAD),
    **dict.fromkeys(_AGENT, "dark-red"),
    **dict.fromkeys(_SERVER, "purple"),
    **dict.fromkeys(_PROBER, GREY),
}
"""By whose fault it is: the workers', the agent's, the server's, the prober's own."""
STAGES = {
    "not_heard": AGENT,
    "not_transcribed": COMPONENTS["transcription"],
    "turn_not_ended": COMPONENTS["end_of_turn"],
    "no_answer": COMPONENTS["llm"],
    "not_spoken": COMPONENTS["tts"],
    "unknown": GREY,
}
"""As the component in which a turn broke."""
SKIPS = {"overlap": BAD, "missed": WARN, "budget": "yellow", "window": GREY}
SPEAKERS = {"caller": CALLER, "agent": AGENT, "both": BAD}

OF_LABELS: Mapping[str, Mapping[str, str]] = {
    "verdict": VERDICTS,
    "severity": SEVERITIES,
    "outcome": OUTCOMES,
    "status": STATUSES,
    "state": STATES,
    "kind": KINDS,
    "component": COMPONENTS,
    "reason": REASONS | SKIPS,
    "stage": STAGES,
    "speaker": SPEAKERS,
}
"""The colours of the values of a label, wherever a panel shows it."""

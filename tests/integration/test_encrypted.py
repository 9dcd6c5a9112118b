"""Calls to an agent that encrypts end to end: a participant of the real SDK, on a real server."""

from dataclasses import replace

import pytest

from exporter.outcome import CallResult, Reason, TurnOutcome
from exporter.server_api import Server
from tests.integration.own_agent import DELAY_S, call, target
from tests.integration.voids import measured

pytestmark = pytest.mark.integration

KEY = "a-key-of-the-test"


@pytest.mark.parametrize(
    ("ours", "agents", "words"),
    [
        pytest.param(
            *("", KEY, "is encrypted, but the call is not"),
            id="no key",
            marks=pytest.mark.long,  # unit/call/test_place.py has it with a fake agent
        ),
        pytest.param(
            *("another-key", KEY, "cannot be decrypted with the key"),
            id="another key",
            marks=pytest.mark.long,  # as above
        ),
        pytest.param(
            *(KEY, "", "is not encrypted, but the call is"),
            id="no encryption",
            marks=pytest.mark.long,  # as above
        ),
    ],
)
def test_what_cannot_be_decrypted_is_never_timed(
    ours: str, agents: str, words: str, livekit: Server
) -> None:
    """Cipher noise is as loud as speech: no turn of it is measured, and the reason says why."""
    outcome = call(replace(livekit, e2ee_key=ours), target("encrypted"), e2ee_key=agents)
    assert outcome.reason is Reason.ENCRYPTED, outcome
    assert words in outcome.detail
    assert isinstance(outcome.result, CallResult)
    assert TurnOutcome.REPLIED not in {turn.outcome for turn in outcome.result.turns}


@pytest.mark.parametrize(
    ("e2ee", "agents"),
    [
        pytest.param(True, KEY, id="with its key"),
        # Nearly every other test of a call is without.
        pytest.param(False, "", id="without encryption", marks=pytest.mark.long),
    ],
)
def test_what_can_be_decrypted_is_measured(e2ee: bool, agents: str, livekit: Server) -> None:
    """With the key of the agent, and without encryption where the target has none."""
    outcome = call(replace(livekit, e2ee_key=KEY), target("decrypted", e2ee=e2ee), e2ee_key=agents)
    assert isinstance(outcome.result, CallResult)
    assert outcome.result.turns
    for turn in measured(outcome.result.turns):
        assert turn.e2e_s is not None
        assert turn.e2e_s > DELAY_S

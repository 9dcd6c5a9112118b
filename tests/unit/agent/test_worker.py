"""The state of a worker, from its `AgentServer` or from its own page."""

import json
from contextlib import suppress

import pytest

from tests.unit.agent.collector import Handler, agent_server, serving
from voice_exporter_agent.worker import PageSource, ServerSource

PAGE = json.dumps({"agent_name": "demo", "active_jobs": 1.0, "sdk_version": "1.8.9"})


@pytest.mark.parametrize(
    ("shape", "status"),
    [
        ({}, "idle"),
        ({"active_jobs": [1]}, "busy"),
        ({"_worker_load": 0.7}, "full"),
        ({"_worker_load": 0.7, "_devmode": True}, "idle"),
        ({"_worker_load": 0.7, "_load_threshold": 0.9}, "idle"),
        ({"_worker_load": 0.9, "draining": True}, "draining"),
        ({"_worker_load": float("nan")}, "idle"),
    ],
)
def test_status_follows_from_the_server(shape: dict[str, object], status: str) -> None:
    """As the worker itself decides whether it takes jobs."""
    state = ServerSource("demo", agent_server(**shape)).state()
    assert state is not None
    assert state.status == status


class Page(Handler):
    """A worker's page."""

    def do_GET(self) -> None:  # noqa: N802 - as inherited
        """Answer as livekit-agents does."""
        assert self.path == "/worker"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE.encode())


class Endless(Handler):
    """Another page of the process, which never ends."""

    def do_GET(self) -> None:  # noqa: N802 - as inherited
        """Answer for ever."""
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(1000))


def test_without_the_server_the_worker_s_own_page_is_found() -> None:
    """The page is among the ports of the process; its id is the worker's own."""
    with serving(Page) as port:
        state = PageSource("demo").state()
        assert PageSource("other").state() is None
    assert state is not None
    assert (state.agent_name, state.status, state.active_jobs) == ("demo", "busy", 1)
    assert (state.http_port, state.sdk_version) == (port, "1.8.9")
    assert not state.worker_id.startswith("AW_")


def test_a_page_that_is_gone_is_looked_for_again() -> None:
    """Its last address is tried first; where it no longer answers, all ports are searched."""
    source = PageSource("demo")
    with serving(Page):
        first = source.state()
    assert source.state() is None
    with serving(Page) as port:
        again = source.state()
    assert first is not None
    assert again is not None
    assert (again.worker_id, again.http_port) == (first.worker_id, port)


def test_a_page_without_an_end_holds_nothing_up() -> None:
    """Other ports of the process may answer anything at /worker, for ever."""
    with serving(Endless):
        assert PageSource("demo").state() is None

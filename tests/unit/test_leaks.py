"""The search for secrets finds them."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.leaks import Leaks, _tapped

SECRET = "planted-" + "word"  # in no other file


def test_secret_in_a_text_is_found_and_not_repeated() -> None:
    """The finding names the place, not the secret."""
    leaks = Leaks((SECRET,))

    leaks.look("page", f"key={SECRET} and more")
    leaks.look("page", "nothing here")

    [finding] = leaks.found
    assert finding == "page: a secret after 'key='"


def test_signed_token_is_found() -> None:
    """A token is as good as the secret that signed it."""
    leaks = Leaks(())

    leaks.look("log", "Authorization: eyJhbGciOiJI.eyJpc3MiOiJB.c2lnbmF0dXJl")

    assert len(leaks.found) == 1


def test_processes_pages_and_logs_are_searched(tmp_path: Path) -> None:
    """A secret that a process prints, a page shows or a log keeps is found."""
    leaks = Leaks((SECRET,))
    program = f"print({SECRET[:4]!r} + {SECRET[4:]!r})"
    (tmp_path / "run.log").write_text(f"a line\n{SECRET}\n")

    with _tapped(leaks.look, leaks.secrets.add):
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        transport = httpx.MockTransport(lambda _: httpx.Response(200, text=SECRET))
        httpx.Client(transport=transport).get("http://page")
    leaks.look_at_files(tmp_path)

    assert len(leaks.found) == 3


def test_a_token_that_the_server_refused_opens_nothing(tmp_path: Path) -> None:
    """livekit-server repeats such a token in its log; any other in there is found."""
    leaks, token = Leaks(()), "eyJhbGciOiJI.eyJpc3MiOiJB.c2lnbmF0dXJl"
    log = tmp_path / "livekit.log"
    log.write_text(f'{{"error": "invalid token: {token}, error: signature is invalid"}}\n')
    leaks.look_at_files(tmp_path)
    assert not leaks.found

    log.write_text(f"joined with {token}\n")
    leaks.look_at_files(tmp_path)
    log.unlink()  # or this run's own search finds it
    assert len(leaks.found) == 1


def test_the_search_is_on(request: pytest.FixtureRequest) -> None:
    """This run itself is searched."""
    assert isinstance(request.config.pluginmanager.get_plugin("leaks"), Leaks)

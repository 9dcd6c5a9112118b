"""Who may hear a call and read what was said, and how its sound is sent."""

from pathlib import Path
from typing import Any

import pytest

from exporter.evidence.config import EvidenceConfig
from exporter.evidence.journal import Entry
from exporter.evidence.keeper import Keeper
from exporter.evidence.reading import SEAL_NAME, Seal, to_seal
from exporter.evidence.sound import SOUND_NAME
from exporter.outcome.timeline import Transcript
from exporter.store.records import RunQuery, RunRecord
from tests.unit.evidence.calls import outcome, write
from tests.unit.web.asking import ELSEWHERE, Site, sources
from tests.unit.web.test_access import BEARER, TOKEN, basic, hashed

SOUND, DETAIL = "/api/v1/runs/a1/sound", "/api/v1/runs/a1"
WORDS = "swordfish"


class Ledger:
    """Knows the same run."""

    async def runs(self, _query: RunQuery) -> tuple[RunRecord, ...]:
        """Return it."""
        return (RunRecord.of(outcome("a1")),)

    async def run(self, run_id: str) -> RunRecord | None:
        """Return it."""
        return RunRecord.of(outcome("a1")) if run_id == "a1" else None


def site(folder: Path, file: Path | None = None, **settings: Any) -> Site:
    """Return a site with one kept call."""
    kept = folder / "evidence"
    if not kept.exists():
        write(kept / "a1", Entry(event=Transcript(at=1.0, text=WORDS, final=True)))
        (kept / "a1" / SEAL_NAME).write_bytes(to_seal(Seal(outcome("a1"), 1.5)))
    keeper = Keeper(kept, EvidenceConfig())
    return Site(sources(kept=keeper, history=Ledger()), file, **settings)


CASES = [
    pytest.param({}, {}, 200, id="from here"),
    pytest.param({"client": ELSEWHERE}, {}, 403, id="from elsewhere"),
    pytest.param({"headers": {"X-Forwarded-For": "127.0.0.1"}}, {}, 403, id="by a proxy"),
    pytest.param({"host": "evil.example"}, {}, 403, id="by a rebound name"),
    pytest.param({"headers": {"Sec-Fetch-Site": "cross-site"}}, {}, 403, id="for another site"),
    pytest.param({"headers": {"Sec-Fetch-Site": "same-origin"}}, {}, 200, id="for our page"),
    pytest.param(
        {"client": ELSEWHERE, "headers": BEARER}, {"token": TOKEN}, 200, id="with the token"
    ),
    pytest.param(
        {"client": ELSEWHERE, "headers": {"Authorization": "Bearer no"}},
        {"token": TOKEN},
        403,
        id="with another token",
    ),
]


@pytest.mark.parametrize(("asked", "settings", "status"), CASES)
def test_who_may_hear(
    asked: dict[str, Any], settings: dict[str, Any], status: int, tmp_path: Path
) -> None:
    """The page is open to all of them; its words only to whom may hear the sound."""
    there = site(tmp_path, **settings)
    assert there.ask("GET", SOUND, **asked).status_code == status
    assert there.ask("HEAD", SOUND, **asked).status_code == status
    for path in (DETAIL, "/runs/a1"):
        page = there.ask("GET", path, **asked)
        assert page.status_code == 200
        assert (WORDS in page.text) == (status == 200), path
    assert ("<audio" in page.text) == (status == 200)


def test_a_login_is_enough_and_needed(tmp_path: Path) -> None:
    """With basic auth on, whoever reads pages hears calls, from anywhere."""
    file = tmp_path / "web.yaml"
    file.write_text(f"basic_auth_users: {{ali: {hashed(b'sesame')}}}")
    there = site(tmp_path, file)
    good = basic("ali", "sesame")
    assert there.ask("GET", SOUND, client=ELSEWHERE).status_code == 401
    assert there.ask("GET", SOUND, client=ELSEWHERE, headers=good).status_code == 200
    assert there.ask("GET", "/runs/a1", client=ELSEWHERE).status_code == 401
    assert WORDS in there.ask("GET", "/runs/a1", client=ELSEWHERE, headers=good).text


def test_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    """And is counted as every other."""
    there = site(tmp_path)
    answer = there.ask("GET", SOUND, client=ELSEWHERE)
    assert "calls can be heard from this host only" in answer.json()["error"]
    assert there.refused("not_loopback") == 1


def test_sound_is_sent_whole_and_in_parts_and_never_cached(tmp_path: Path) -> None:
    """Players ask for parts when somebody moves in it."""
    there = site(tmp_path)
    true = (tmp_path / "evidence" / "a1" / SOUND_NAME).read_bytes()
    whole = there.ask("GET", SOUND)
    assert whole.content == true
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.headers["accept-ranges"] == "bytes"
    part = there.ask("GET", SOUND, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, true[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(true)}"
    for answer in (whole, part, there.ask("GET", DETAIL)):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/runs/../sound",
        "/api/v1/runs/..%2fa1/sound",
        "/api/v1/runs/%2e%2e/sound",
        "/api/v1/runs/a1%00/sound",
        "/api/v1/runs/b2/sound",
        "/api/v1/runs/.../sound",
        "/api/v1/runs/b2",
    ],
)
def test_a_path_trick_finds_nothing(path: str, tmp_path: Path) -> None:
    """404, as for a run that is not there."""
    assert site(tmp_path).ask("GET", path).status_code == 404


def test_a_run_has_its_evidence(tmp_path: Path) -> None:
    """Links are relative: they work behind every proxy."""
    evidence = site(tmp_path).ask("GET", DETAIL).json()["evidence"]
    assert evidence["sound"] == "a1/sound"
    assert evidence["length_s"] == pytest.approx(1.0)
    assert evidence["target_s"] == pytest.approx(1.5)
    assert [each["kind"] for each in evidence["events"]] == ["transcript"]

"""Who may do what: every rule of the gate, by requests that keep and break it."""

import base64
import hmac
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from exporter.web.app import OPENAPI, make_pages
from exporter.web.gate import Access
from tests.certificates import Certificates
from tests.unit.web.asking import ELSEWHERE, Site, sources

TOKEN = "a-token-of-the-test"  # noqa: S105 - made up
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Reloads:
    """Counts reloads, and refuses them if told so."""

    def __init__(self, why_not: str = "") -> None:
        self.count = 0
        self.why_not = why_not

    async def __call__(self) -> str:
        """Read nothing."""
        self.count += 1
        return self.why_not


def site(file: Path | None = None, **settings: Any) -> tuple[Site, Reloads]:
    """Return a site and its count of reloads."""
    reloads = Reloads()
    return Site(sources(reload=reloads), file, **settings), reloads


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        pytest.param({}, 200, "", id="from here"),
        pytest.param({"client": ("::1", 1)}, 200, "", id="from here by IPv6"),
        pytest.param({"client": ("::ffff:127.0.0.1", 1)}, 200, "", id="from here by both"),
        pytest.param({"client": ELSEWHERE}, 403, "not_loopback", id="from elsewhere"),
        pytest.param({"client": ("::ffff:10.0.0.1", 1)}, 403, "not_loopback", id="mapped"),
        pytest.param({"host": "localhost:1"}, 200, "", id="as localhost"),
        pytest.param({"host": "[::1]:9465"}, 200, "", id="as ::1"),
        pytest.param({"host": "evil.example"}, 403, "host", id="by a rebound name"),
        pytest.param({"host": "127.0.0.1.evil.example"}, 403, "host", id="by a name like ours"),
        pytest.param(
            {"client": ELSEWHERE, "headers": {"X-Forwarded-For": "127.0.0.1"}},
            403, "not_loopback", id="pretending to be here",
        ),
        pytest.param(
            {"headers": {"Forwarded": "for=192.0.2.7"}}, 403, "not_loopback", id="by our proxy"
        ),
        pytest.param(
            {"headers": {"Origin": "http://127.0.0.1:9465"}}, 200, "", id="from our own page"
        ),
        pytest.param(
            {"headers": {"Origin": "https://127.0.0.1:9465"}}, 403, "origin", id="other scheme"
        ),
        pytest.param({"headers": {"Origin": "http://a.example"}}, 403, "origin", id="other site"),
        pytest.param(
            {"headers": {"Sec-Fetch-Site": "same-site"}}, 403, "origin", id="neighbour site"
        ),
    ],
)  # fmt: skip
def test_writes_without_a_token(options: dict[str, Any], status: int, reason: str) -> None:
    """Accepted from this host, for itself; refused and counted otherwise."""
    asked, reloads = site()
    assert asked.ask("POST", "/-/reload", **options).status_code == status
    assert reloads.count == (status == 200)
    if reason:
        assert asked.refused(reason) == 1


def test_the_refusal_says_what_to_set() -> None:
    """Who is refused for want of a token learns which setting it is."""
    asked, _ = site()
    answer = asked.ask("POST", "/api/v1/workers/AW_1/heartbeat", client=ELSEWHERE)
    assert "set web.token or web.token_file" in answer.json()["error"]


@pytest.mark.parametrize(("settings", "status"), [({}, 403), ({"token": TOKEN}, 401)])
def test_every_write_is_guarded(settings: dict[str, Any], status: int) -> None:
    """From elsewhere each needs the token, and without one none is accepted at all."""
    paths = make_pages(sources()).openapi()["paths"]
    writes = {path for path, operations in paths.items() if "post" in operations}
    asked, _ = site(**settings)
    open_ones = {
        path
        for path in writes
        if asked.ask("POST", path.format(worker_id="AW_1"), client=ELSEWHERE).status_code != status
    }
    assert open_ones == {"/webhook/livekit"}  # whose page asks for a signature
    assert "/api/v1/turns" in writes


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN.upper()}", 401),
        (f"Token {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer \N{LATIN SMALL LETTER E WITH ACUTE}", 401),
    ],
)
def test_writes_with_a_token(authorization: str, status: int) -> None:
    """With a token configured nobody writes without it, not even from this host."""
    asked, reloads = site(token=TOKEN)
    headers = {"Authorization": authorization.encode("latin-1")}
    answer = asked.ask("POST", "/-/reload", headers=headers)
    assert (answer.status_code, reloads.count) == (status, status == 200)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert asked.ask("GET", "/metrics", client=ELSEWHERE).status_code == 200


def test_the_token_follows_a_reload() -> None:
    """A new token is good at once, and the old one is not."""
    asked, _ = site(token=TOKEN)
    asked.use(token="another-token")  # noqa: S106 - made up
    assert asked.ask("POST", "/-/reload", headers=BEARER).status_code == 401
    new = {"Authorization": "Bearer another-token"}
    assert asked.ask("POST", "/-/reload", headers=new).status_code == 200


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is the one of `hmac`, of whole tokens."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    asked, _ = site(token=TOKEN)
    asked.ask("POST", "/-/reload", headers=BEARER)
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


def hashed(password: bytes) -> str:
    """Return a hash that is quick to check."""
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of basic auth."""
    coded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {coded}"}


def test_passwords_guard_reads_and_writes(tmp_path: Path) -> None:
    """With basic auth on, users may read, and the token may write; neither may do the other's."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{ali: {hashed(b'sesame')}}}")
    asked, reloads = site(file, token=TOKEN)

    def statuses(headers: dict[str, str]) -> tuple[int, int]:
        read = asked.ask("GET", "/metrics", headers=headers, client=ELSEWHERE)
        write = asked.ask("POST", "/-/reload", headers=headers, client=ELSEWHERE)
        return read.status_code, write.status_code

    assert statuses(basic("ali", "sesame")) == (200, 401)
    assert statuses(BEARER) == (401, 200)
    for headers in ({}, basic("ali", "wrong"), basic("", ""), {"Authorization": "Basic !"}):
        assert statuses(headers) == (401, 401)
    assert reloads.count == 1
    assert (asked.refused("password"), asked.refused("token")) == (5, 5)


def test_passwords_guard_writes_where_there_is_no_token(tmp_path: Path) -> None:
    """From this host a user may write; nobody else may, nor may a user from elsewhere."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{ali: {hashed(b'sesame')}}}")
    asked, reloads = site(file)
    good = basic("ali", "sesame")
    assert asked.ask("POST", "/-/reload", headers=good).status_code == 200
    assert asked.ask("POST", "/-/reload", headers=good, client=ELSEWHERE).status_code == 403
    assert asked.ask("POST", "/-/reload").status_code == 401
    assert reloads.count == 1


@pytest.mark.parametrize(
    ("path", "word", "detail"),
    [
        ("/-/healthy", "healthy", "healthy\nthe store cannot be written\n"),
        ("/-/ready", "unready", "not ready: nothing listed yet\n"),
    ],
)
def test_supervisors_need_no_password(tmp_path: Path, path: str, word: str, detail: str) -> None:
    """One word is for everybody, the detail for users; a wrong password is refused and counted."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{ali: {hashed(b'sesame')}}}")
    source = sources(
        not_ready=lambda: "nothing listed yet", notes=lambda: ("the store cannot be written",)
    )
    asked, status = Site(source, file), 503 if word.startswith("un") else 200

    answer = asked.ask("GET", path, client=ELSEWHERE)
    assert (answer.status_code, answer.text) == (status, f"{word}\n")
    known = asked.ask("GET", path, client=ELSEWHERE, headers=basic("ali", "sesame"))
    assert (known.status_code, known.text) == (status, detail)
    wrong = asked.ask("GET", path, client=ELSEWHERE, headers=basic("ali", "wrong"))
    assert (wrong.status_code, asked.refused("password")) == (401, 1)


def test_nothing_else_is_open_without_a_certificate(
    certificates: Certificates, tmp_path: Path
) -> None:
    """Where client certificates are needed, every other path refuses a client without one."""
    cert, key = certificates.issue("server")
    file = tmp_path / "web.yml"
    file.write_text(
        f"tls_server_config: {{cert_file: {cert}, key_file: {key}, client_ca_file: "
        f"{certificates.ca}, client_auth_type: RequireAndVerifyClientCert}}"
    )
    asked, reloads = site(file, token=TOKEN)
    paths = {*make_pages(sources()).openapi()["paths"], OPENAPI}
    answers = {
        (method, path): asked.ask(method, path, headers=BEARER).status_code
        for path in (*paths, "/nothing", "/-/healthy/", "/-/Healthy")
        for method in ("GET", "HEAD", "POST", "OPTIONS")
    }
    reads = {at for at, status in answers.items() if status not in (403, 404)}
    health = {(m, p) for p in ("/-/healthy", "/-/ready") for m in ("GET", "HEAD", "OPTIONS")}
    assert reads == health | {("POST", "/webhook/livekit")}  # whose page asks for a signature
    assert reloads.count == 0
    assert asked.refused("certificate") > len(paths)


def test_no_host_is_called_everywhere() -> None:
    """An exporter that listens on every address does not take that for its name."""
    asked, reloads = site(listen_address=":9465")
    answer = asked.ask("GET", "/probe?target=demo", host="0.0.0.0:9465")
    assert (answer.status_code, asked.refused("host"), reloads.count) == (403, 1, 0)


def test_a_failed_reload_says_why() -> None:
    """500 with the reason, as Prometheus answers."""
    asked = Site(sources(reload=Reloads("voice-exporter.yaml: targets: is empty")))
    answer = asked.ask("POST", "/-/reload")
    assert answer.status_code == 500
    assert answer.text == (
        "failed to reload the configuration: voice-exporter.yaml: targets: is empty\n"
    )


def test_no_secret_is_shown() -> None:
    """Neither the rules nor the settings show the token."""
    asked, _ = site(token=TOKEN)
    assert TOKEN not in repr(Access(lambda: TOKEN, "127.0.0.1")) + repr(asked._settings)

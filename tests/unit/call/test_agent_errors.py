"""Errors of agents, made by livekit-agents itself, in words."""

from exporter.rtc.agent_errors import in_words
from tests.offenders import every

_BODY = """Error code: 503 - {'error': {'message': "It's too\\nbusy", 'type': 'server_error'}}"""


def errors() -> tuple[tuple[object, str], ...]:
    """Return what agents send, and the words that it is to become.

    The import takes seconds: only the process that runs the test needs it, not all that collect.
    """
    from livekit.agents import APIConnectionError, APIError, APIStatusError  # noqa: PLC0415
    from livekit.agents.llm import LLMError, RealtimeModelError  # noqa: PLC0415
    from livekit.agents.stt import STTError  # noqa: PLC0415
    from livekit.agents.tts import TTSError  # noqa: PLC0415

    return (
        (
            LLMError(
                timestamp=1.5,
                label="livekit.plugins.openai.llm.LLM",
                error=APIStatusError(_BODY, status_code=503, request_id="r", body={"a": "b" * 500}),
                recoverable=False,
            ),
            "llm: HTTP 503: It's too busy",
        ),
        (
            TTSError(
                timestamp=1.5,
                label="tts",
                error=APIStatusError("Too Many Requests (429)", status_code=429),
                recoverable=True,
            ),
            "tts: HTTP 429: Too Many Requests (429)",
        ),
        (
            STTError(timestamp=1.5, label="stt", error=APIConnectionError(), recoverable=True),
            "stt: APIConnectionError: Connection error.",
        ),
        (
            STTError(timestamp=1.5, label="stt", error=TimeoutError(), recoverable=True),
            "stt: TimeoutError",
        ),
        (
            RealtimeModelError(
                timestamp=1.5, label="r", error=ValueError("a \"b\" 'c'"), recoverable=True
            ),
            "realtime: ValueError: a",
        ),
        (
            TTSError(
                timestamp=1.5,
                label="tts",
                error=APIError("no audio frames were pushed for text: my secret is 'swordfish'"),
                recoverable=False,
            ),
            "tts: APIError: no audio frames were pushed for text",
        ),
        ("synthesis failed, text='swordfish'", "synthesis failed, text"),
        (
            'TTS returned error: {"code": 4, "transcript": "swordfish"}',
            "TTS returned error",
        ),
        ("[{'msg': 'Too long', 'input': 'swordfish'}]", "an error without a message"),
        ("bad float [input_value='swordfish', input_type=str]", "bad float [input_value"),
        ("bad JSON in function_arguments = {swordfish}", "bad JSON in function_arguments"),
        ("Content-Type: text/html; no context", "Content-Type"),
        ("Invalid value: swordfish", "Invalid value"),
        ('failed to synthesize "swordfish"', "failed to synthesize"),
        ("it's too busy", "it's too busy"),
        ("the model is down", "the model is down"),
        ("", "an error without a message"),
    )


def test_an_error_is_told_in_words() -> None:
    """Which part, with what status and message: not the representation of a Python object."""

    @every(errors(), lambda row: row[1])
    def rule(row: tuple[object, str]) -> None:
        sent, words = row
        assert in_words(str(sent)) == words  # by str, as livekit-agents does

    rule()


def test_what_is_cut_or_odd_is_still_one_line() -> None:
    """Whatever an agent sends, there is one short line, and the part where it is known."""
    from livekit.agents.llm import LLMError  # noqa: PLC0415 - as above

    for length, words in ((9000, "llm: ValueError: xxx"), (30_000, "llm: ValueError")):
        error = ValueError("x" * length)
        whole = str(LLMError(timestamp=1, label="l", error=error, recoverable=True))
        assert in_words(whole).startswith(words)
        assert len(in_words(whole)) <= 240
    assert len(in_words("y" * 9000)) <= 240
    odd = "type='llm_error' timestamp=1 error=A('{}')"
    assert in_words(odd.format(r"\N{no such}")) == r"llm: A: \N{no such}"
    assert in_words(odd.format(r"\ud800")) == "llm: A: ?"

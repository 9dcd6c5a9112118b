"""Whatever a file says, the answer is a configuration, or lines that name file and key."""

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.settings.load import load_settings
from exporter.settings.settings import Settings
from exporter.web.config_file import WebConfigFile, read_web_config

LINE = re.compile(r"(:\d+)?( \S.*)?: .+")
FUZZ = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# What people write by mistake, beside what nobody would.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["5m", "-1s", "1e400", "${HOME}", "${", "$${x}", "127.0.0.1:0", ":99999", "on", "\0", "1_0"]
    )
)


def keys(model: Any) -> list[str]:
    """Return every key that stands anywhere in the model."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for part in parts for key in part.get("properties", {})})


def near(schema: Any, part: Any) -> st.SearchStrategy[Any]:
    """Return values that fit a part of a schema in shape, with nonsense here and there."""
    if "$ref" in part:
        return near(schema, schema["$defs"][part["$ref"].rpartition("/")[2]])
    if "anyOf" in part:
        return st.one_of(*(near(schema, each) for each in part["anyOf"]))
    if "enum" in part:
        return st.sampled_from(part["enum"]) | SCALARS
    if part.get("type") == "array":
        return st.lists(near(schema, part.get("items", {})), max_size=3) | SCALARS
    if part.get("type") == "object":
        known = {key: near(schema, each) for key, each in part.get("properties", {}).items()}
        open_ended = st.dictionaries(st.text(max_size=5), SCALARS, max_size=2)
        return (st.fixed_dictionaries({}, optional=known) if known else open_ended) | SCALARS
    return SCALARS


def documents(model: Any) -> st.SearchStrategy[Any]:
    """Return documents that are nearly right, and such with real keys at wrong places."""
    schema = model.model_json_schema()
    return near(schema, schema) | jumbled(model)


def jumbled(model: Any) -> st.SearchStrategy[Any]:
    """Return documents that have real keys anywhere."""
    names = st.sampled_from(keys(model)) | st.text(max_size=8)
    inner = st.recursive(
        SCALARS,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=4),
        max_leaves=12,
    )
    top = st.sampled_from(sorted(model.model_fields))
    return st.dictionaries(top | names, inner, max_size=4) | inner


def problems(load: Callable[[], object]) -> list[str]:
    """Return the lines that loading ends with, none if it succeeds."""
    try:
        load()
    except ConfigError as error:
        return str(error).splitlines()
    return []


def check(text: str, load: Any) -> None:
    """Load this text; every line must name the file, and say what is wrong there."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "file.yaml")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        for line in problems(lambda: load(path)):
            assert line.startswith(str(path)), line
            assert LINE.fullmatch(line.removeprefix(str(path))), line
            assert line.isprintable(), line


def load_main(path: Path) -> None:
    """Load as `serve` does."""
    assert isinstance(load_settings(path, {}, {"HOME": "/nowhere"}), Settings)


def load_web(path: Path) -> None:
    """Load a web configuration file."""
    assert isinstance(read_web_config(path), WebConfigFile)


@FUZZ
@given(documents(Settings))
def test_any_document(document: Any) -> None:
    """The configuration file, as any YAML document."""
    check(yaml.safe_dump(document, allow_unicode=True), load_main)


@FUZZ
@given(documents(WebConfigFile))
def test_any_web_document(document: Any) -> None:
    """The web configuration file, as any YAML document."""
    check(yaml.safe_dump(document, allow_unicode=True), load_web)


@pytest.mark.parametrize("load", [load_main, load_web])
@FUZZ
@given(text=st.text(alphabet=st.sampled_from("ab:-{}[]&*!|>'\"%@`#?,\n\t \0é\ud800"), max_size=40))
def test_any_text(load: Any, text: str) -> None:
    """What is hardly YAML at all."""
    check(text, load)


@FUZZ
@given(
    st.dictionaries(st.text(alphabet="ABWEUGTI_0", max_size=20), st.text(max_size=10), max_size=4)
)
def test_any_variables(environ: dict[str, str]) -> None:
    """Variables of our prefix."""
    named = {f"VOICE_EXPORTER_{name}": text for name, text in environ.items()}
    lines = problems(lambda: load_settings(None, {}, named))
    assert all(line.startswith("VOICE_EXPORTER_") for line in lines)

"""Run the command of voicegateway unchanged, and write down what it measured.

Runs inside voicegateway's own environment, where this project is not installed. The command
prints seconds with two decimals and no single turns; the numbers behind them are taken where
it hands them to its own printing.

Usage: voicegateway_driver.py RESULT_FILE [arguments of voicegw]
"""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(result_file: Path, arguments: list[str]) -> None:
    """Run `voicegw` with these arguments; write the results of `livekit latency` as JSON."""
    commands: Any = importlib.import_module("voicegateway.cli.livekit_cli")
    rendered = commands.render_latency

    def render_and_keep(
        results: list[Any], target_ms: float, summarize: Callable[[Any], dict[str, float]]
    ) -> object:
        told = [
            {"samples_s": each.e2e_samples, "stats": summarize(each), "error": each.error or ""}
            for each in results
        ]
        result_file.write_text(json.dumps(told), encoding="utf-8")
        return rendered(results, target_ms, summarize)

    commands.render_latency = render_and_keep
    sys.argv = ["voicegw", *arguments]
    importlib.import_module("voicegateway.cli").app()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

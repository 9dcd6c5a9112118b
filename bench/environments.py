"""An environment for another tool: its dependencies and ours do not meet."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from exporter.demo.go_build import cache_folder
from exporter.server_api import Server


def install(name: str, requirements: Path, folder: Path | None = None) -> Path:
    """Return the Python of a tool's environment, which is made with pip if it is not there.

    Args:
        name: Of the environment's folder: the tool and its version.
        requirements: What is to be in it.
        folder: Where the environment is or shall be; in the user's cache folder if not given.

    Raises:
        subprocess.CalledProcessError: pip could not install it; what it said is on stderr.
    """
    target = folder or cache_folder(os.environ) / name
    python = target / "bin" / "python"
    done = target / "installed.txt"
    if done.exists() and done.read_bytes() == requirements.read_bytes():
        return python
    # Half an environment, or one of other versions, is worth nothing.
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(target)], check=True, stdout=sys.stderr)
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)],
        check=True,
        stdout=sys.stderr,
    )
    shutil.copyfile(requirements, done)
    return python


def variables(server: Server, home: Path) -> dict[str, str]:
    """Return all variables of a tool: no settings of the user's, no line broken, no colour."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "COLUMNS": "400",
        "NO_COLOR": "1",
    }

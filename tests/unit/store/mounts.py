"""File systems that are full or read-only; only root can mount, so elsewhere tests are skipped."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tiny_filesystem(folder: Path, size: str = "512k") -> Iterator[Path]:
    """Mount a file system of that size; yields its folder."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "voice-exporter-test", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """Change how it is mounted: `ro` or `rw`, `size=1m`."""
    _mount("-o", f"remount,{options}", folder)


def fill(folder: Path) -> Path:
    """Write until nothing is left, and return the file that takes the room."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(b"\0" * 4096):
                pass
        except OSError:
            return file
    raise AssertionError("the file system has no end")


def _mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a file system: {done.stderr.strip()}")

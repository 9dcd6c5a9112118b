"""What is installed: by pip, and so in the image."""

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_every_file_of_the_package(tmp_path: Path) -> None:
    """Templates and clips as well as modules: what is missing fails at its first use only."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    with zipfile.ZipFile(wheel) as built:
        packed = set(built.namelist())
    files = (path for path in (ROOT / "exporter").rglob("*") if path.is_file())
    source = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    assert source - packed == set()
    assert any(name.endswith("templates/status.html") for name in source)

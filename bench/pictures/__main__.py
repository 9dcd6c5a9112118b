"""Draw all pictures: `python -m bench.pictures`."""

from bench.pictures import FOLDER, PICTURES, drawn

for name in PICTURES:
    (FOLDER / f"{name}.svg").write_text(drawn(name), encoding="utf-8")

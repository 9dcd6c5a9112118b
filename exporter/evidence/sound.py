"""The file with the sound of a call."""

from contextlib import suppress
from pathlib import Path

SOUND_NAME = "sound.flac"
SOUND_TYPE = "audio/flac"

_MAGIC = b"fLaC"
_BLOCK_AT, _COUNT_AT = 10, 21
"""Where the stream's own head, which is always first, has the largest block and the count."""
_HEAD = 42


def mend(file: Path, samples: int) -> None:
    """Write into the head of a sound whose writer was killed how long it is.

    Players cannot tell its length and move in it otherwise. Does nothing to one that was closed.

    Args:
        file: Of FLAC.
        samples: That were handed to the writer, at least; it had written all whole blocks but
            one that nothing came after.
    """
    with suppress(OSError), file.open("r+b") as sound:
        head = bytearray(sound.read(_HEAD))
        if len(head) < _HEAD or not head.startswith(_MAGIC):
            return
        count = int.from_bytes(head[_COUNT_AT : _COUNT_AT + 5], "big") & (1 << 36) - 1
        block = int.from_bytes(head[_BLOCK_AT : _BLOCK_AT + 2], "big")
        if count or not block:
            return
        # The encoder holds a whole block back until there is a sample after it.
        whole = max(0, samples - 1) // block * block
        # 36 bits; the upper half of their first byte belongs to what comes before.
        sound.seek(_COUNT_AT)
        sound.write(bytes([head[_COUNT_AT] & 0xF0 | whole >> 32]))
        sound.write((whole & 0xFFFFFFFF).to_bytes(4, "big"))

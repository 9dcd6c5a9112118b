"""What stays is left out of collections; what comes later is not."""

import subprocess
import sys

_SCRIPT = """
import gc, weakref
from exporter.garbage import leave_out_what_is_there

class Node:
    pass

def ring():
    node = Node()
    node.itself = node
    return node

stays = ring()
before = len(gc.get_objects())
leave_out_what_is_there()
assert len(gc.get_objects()) < before / 100, "a full collection still goes through it"
gone = weakref.ref(ring())
gc.collect()
assert gone() is None, "what came later is not collected"
"""


def test_what_is_there_is_left_out_of_collections() -> None:
    """1. Take it out. 2. Make garbage. Result: only the garbage is looked at, and it goes."""
    subprocess.run([sys.executable, "-c", _SCRIPT], check=True, timeout=60)

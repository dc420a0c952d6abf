"""How much memory a test takes."""

import ctypes
import re
from pathlib import Path


def peak_kb(*, forget: bool = False) -> int:
    """The most memory that this process had, since it was last told to forget; 0 where the system does not say.

    Without forgetting, what an earlier test took would hide what this one takes.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if forget:
        # What was freed and kept for reuse would be taken again without a trace: hand it back first (glibc).
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1])

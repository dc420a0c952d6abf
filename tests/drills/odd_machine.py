"""A clock that jumps and a disk that is slow, for the processes that are started with a small library preloaded."""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("odd_machine.c")


class OddMachine:
    """The two numbers that the preloaded library looks at.

    Raises:
        FileNotFoundError: there is no C compiler.

    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise FileNotFoundError("there is no C compiler (cc), which makes the library that is preloaded")
        library, numbers = folder / "odd_machine.so", folder / "odd_machine.numbers"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl"], check=True)
        numbers.write_bytes(struct.pack("qq", 0, 0))
        for one in (library, numbers):
            one.chmod(0o644)
        self.environment = {"LD_PRELOAD": str(library), "ODD_MACHINE": str(numbers)}
        with numbers.open("r+b") as file:
            self._numbers = mmap.mmap(file.fileno(), 16)

    def be(self, *, ahead_seconds: int = 0, flush_ms: int = 0) -> None:
        """Let the clock be ahead by so much, and each flush to the disk take so much longer."""
        self._numbers[:] = struct.pack("qq", ahead_seconds, flush_ms)

"""How many requests a second Python's interpreter lock lets through, by processes and cores: a simulation.

Run by itself: `python -m tests.bench.lock [HELD_MS] [FREE_MS]`, with what `tests.bench.several` measured.

Assumptions: a request holds the lock of its process for HELD_MS of one core, in pieces of a millisecond at most (the
server's switch interval), and needs FREE_MS of a core without it (PostgreSQL, resizing, the model). Cores are shared by
all and have no other work; memory, network and PostgreSQL's own locks cost nothing; clients ask again at once. Each
process has the same number of clients. The times of both kinds are spread exponentially, so that requests queue.
"""

import heapq
import itertools
import random
import sys
from collections import deque
from dataclasses import dataclass, field

import click

CORES = (8, 16, 32)
_PIECE_MS = 1.0
_CLIENTS = 64
_SIMULATED_MS = 10_000.0


@dataclass
class _Process:
    """One process: who holds its lock, and who waits for it."""

    held: bool = False
    waiting: "deque[_Request]" = field(default_factory=deque)


@dataclass
class _Request:
    process: _Process
    held_ms: float
    free_ms: float


class _Machine:
    """Cores on which requests run, each in pieces; one that needs its process's lock waits for it first."""

    def __init__(self, cores: int, held_ms: float, free_ms: float, seed: int) -> None:
        self._chance = random.Random(seed)
        self._means = held_ms, free_ms
        self._ready: deque[tuple[_Request, bool]] = deque()  # for a core; whether with the lock
        self._running: list[tuple[float, int, _Request, bool, float]] = []
        self._order = itertools.count()
        self._idle = cores
        self.now = 0.0
        self.done = 0

    def begin(self, process: _Process) -> None:
        held, free = (self._chance.expovariate(1 / mean) for mean in self._means)
        self._ask_lock(_Request(process, held, free))

    def _ask_lock(self, request: _Request) -> None:
        if request.process.held:
            request.process.waiting.append(request)
        else:
            request.process.held = True
            self._ready.append((request, True))

    def step(self) -> None:
        """Give free cores to those that wait for one, and go on to the next end of a piece."""
        while self._idle and self._ready:
            request, locked = self._ready.popleft()
            piece = min(_PIECE_MS, request.held_ms if locked else request.free_ms)
            heapq.heappush(self._running, (self.now + piece, next(self._order), request, locked, piece))
            self._idle -= 1
        self.now, _, request, locked, piece = heapq.heappop(self._running)
        self._idle += 1
        if locked:
            self._give_lock(request, piece)
        else:
            self._go_on(request, piece)

    def _give_lock(self, request: _Request, piece: float) -> None:
        request.held_ms -= piece
        process = request.process
        process.held = bool(process.waiting)
        if process.waiting:
            self._ready.append((process.waiting.popleft(), True))
        if request.held_ms > 0:
            self._ask_lock(request)
        else:
            self._ready.append((request, False))

    def _go_on(self, request: _Request, piece: float) -> None:
        request.free_ms -= piece
        if request.free_ms > 0:
            self._ready.append((request, False))
        else:
            self.done += 1
            self.begin(request.process)


def rate(
    cores: int, processes: int, held_ms: float, free_ms: float, *, clients: int = _CLIENTS, seed: int = 7
) -> float:
    """Return the requests a second that so many clients get answered."""
    machine = _Machine(cores, held_ms, free_ms, seed)
    servers = [_Process() for _ in range(processes)]
    for number in range(clients):
        machine.begin(servers[number % processes])
    while machine.now < _SIMULATED_MS:
        machine.step()
    return machine.done / _SIMULATED_MS * 1000


def main() -> None:
    held, free = (float(one) for one in (sys.argv[1:3] or ("1.5", "1.5")))
    click.echo(f"{held:g} ms of a request with the lock, {free:g} ms without; requests a second")
    for cores in CORES:
        counts = sorted({1, 2, cores // 4, cores // 2, cores})
        told = ", ".join(f"{number} processes {rate(cores, number, held, free):.0f}" for number in counts)
        click.echo(f"{cores} cores ({cores / (held + free) * 1000:.0f} at most): {told}")


if __name__ == "__main__":
    main()

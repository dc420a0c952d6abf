"""PostgreSQL settings of the embedded server, fitted to the machine."""

import os
import sys
from pathlib import Path


def memory_bytes() -> int:
    """Return the memory this process may use: the machine's, or the container's limit where that is lower."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        return min(machine, int(text))
    return machine


def fitted(memory: int, cores: int) -> dict[str, str]:
    """Return PostgreSQL settings fitted to a machine of so much memory, in bytes, that also runs a model.

    An eighth of the memory for shared buffers (at most 8 GB), as much again for building an index: an HNSW graph that
    does not fit is built far more slowly. Durability is PostgreSQL's default: fsync on, synchronous_commit on. After a
    crash the file system is synced as a whole: file by file is slower even where it is nearly empty.
    """
    megabytes = memory // 2**20
    shared = max(128, min(8192, megabytes // 8))
    return {
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(256, megabytes // 2)}MB",
        "maintenance_work_mem": f"{max(64, min(8192, megabytes // 8))}MB",
        "work_mem": "32MB",
        "max_wal_size": "4GB",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_connections": "100",
        "max_parallel_maintenance_workers": str(max(1, cores - 1)),
        "autovacuum_vacuum_scale_factor": "0.1",
        "log_min_messages": "warning",
    } | ({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {})

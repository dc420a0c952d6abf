"""Identifiers that are made here: UUIDv7 (RFC 9562), so that new records lie together in the primary key's B-tree."""

import secrets
import time
import uuid


def new_id() -> str:
    """Return a UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)  # version 7
    value = (value & ~(0x3 << 62)) | (0x2 << 62)  # variant of RFC 9562
    return str(uuid.UUID(int=value))

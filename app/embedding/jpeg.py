"""What a JPEG file says of itself is looked over before any of it is decoded."""

import re

from app.domain.errors import ImageError

START = b"\xff\xd8\xff"

# A progressive JPEG has some ten scans. Each costs a pass over all pixels and may be but some bytes long: without a
# limit, a file of 20 MB keeps a core busy for hours.
_MAX_SCANS = 100
# Pillow reads segments, and what fills the space between them, step by step in Python: 20 MB of them keep all threads
# waiting for seconds. Cameras write some dozens of segments, a few hundred with large metadata, and nothing between.
_MAX_SEGMENTS = 5000
_MAX_GAP = 1000

# A code that has a meaning of its own: not a 0xFF among the pixels (00), filling (FF), or one without a body
# (TEM, RSTn).
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA


def check(data: bytes) -> None:
    """Refuse a JPEG file that is cheap to write and dear to read.

    Walks from marker to marker as libjpeg does, and stops where it does, at the end of the first picture. Searching the
    whole file for a marker would count what is none: telephones write a short film behind the photo.

    Raises:
        ImageError: it has too many scans or segments, or none that holds pixels.

    """
    place = 2  # behind the start of the picture
    scans = segments = 0
    while match := _MARKER.search(data, place):
        code = match[1][0]
        length = int.from_bytes(data[match.end() : match.end() + 2])
        lost = not scans and match.start() - place > _MAX_GAP
        if code in {_START, _END} or length < 2 or lost:
            break
        segments += 1
        scans += code == _SCAN
        if scans > _MAX_SCANS:
            raise ImageError(f"the JPEG picture has more than {_MAX_SCANS} scans")
        if segments > _MAX_SEGMENTS:
            raise ImageError(f"the JPEG picture has more than {_MAX_SEGMENTS} segments")
        place = match.end() + length
    if not scans:
        raise ImageError("the picture is damaged or not complete, and cannot be decoded")

"""What the files of pictures begin with."""

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

HEAD_BYTES = 16


def looks_like_a_picture(head: bytes) -> bool:
    """Say whether bytes begin as a PNG, JPEG, TIFF, WebP, GIF, BMP, HEIC, AVIF or JPEG XL file does.

    Args:
        head: the first `HEAD_BYTES` bytes of a file, or more.

    """
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    boxes = head[4:8] == b"ftyp" or head[4:8] == b"JXL "
    return head.startswith(_STARTS) or webp or boxes or head.startswith(b"\xff\x0a")

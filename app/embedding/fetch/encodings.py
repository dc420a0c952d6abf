"""Content-Encoding of downloads: gzip and deflate are undone within a bound, other names are not believed.

The request asks for no encoding, and a picture is compressed already. Hosts still send gzip, or name an encoding that
is none (`UTF-8`, `binary`, `aws-chunked`, which S3 keeps from an upload) over the plain bytes of a picture.
"""

import zlib

from app.domain.errors import ImageError
from app.embedding.pictures.formats import looks_like_a_picture

_GZIP = b"\x1f\x8b\x08"
_WITH_HEADER = 47  # zlib: 32 + 15, a gzip or zlib header is found by itself
_RAW = -15
_ROUNDS = 3  # a compressed file that a proxy compressed once more, and one more
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"})


def plain(body: bytes, header: str, max_bytes: int) -> bytes:
    """Return a body as it was before its Content-Encoding.

    Args:
        body: what the host sent.
        header: the value of Content-Encoding, empty where there is none.
        max_bytes: of the result.

    Raises:
        ImageError: it is damaged, compressed in a way that is not undone, or larger than `max_bytes`.

    """
    names = {name.strip().lower() for name in header.split(",")} & _COMPRESSED
    for _ in range(_ROUNDS):
        if body.startswith(_GZIP):
            names -= {"gzip", "x-gzip"}
        elif "deflate" in names and not looks_like_a_picture(body):
            names.remove("deflate")
        else:
            break
        body = _inflated(body, max_bytes)
    if names and not looks_like_a_picture(body):
        raise ImageError(f"the host sends what it calls compressed by {min(names)}, and was asked not to do so")
    return body


def _inflated(body: bytes, max_bytes: int) -> bytes:
    whole = bytearray()
    # Of deflate there are two kinds in use: with zlib's header, as it is defined, and without.
    zlib_header = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    window = _WITH_HEADER if zlib_header or body.startswith(_GZIP) else _RAW
    try:
        while True:
            decoder = zlib.decompressobj(window)
            whole += decoder.decompress(body, max_bytes + 1 - len(whole))
            if len(whole) > max_bytes:
                raise ImageError(f"the picture has more than the {max_bytes} bytes that are allowed")
            if not decoder.eof:
                raise ImageError("the host sends the picture compressed, and not to its end")
            body = decoder.unused_data
            if not body.startswith(_GZIP):  # gzip may have several members, one after the other
                return bytes(whole)
    except zlib.error:
        raise ImageError("the host sends the picture compressed, and damaged") from None

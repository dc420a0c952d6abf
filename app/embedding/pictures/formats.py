"""The formats of pictures that are read, and what bytes that are none of them look like."""

import functools
import importlib.util
import re
from dataclasses import dataclass

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

HEIC_INSTALLED = importlib.util.find_spec("pillow_heif") is not None


@dataclass(frozen=True, slots=True)
class Format:
    """A format: `plugin` is its name in Pillow, `suffixes` the ends of file names, the usual one first."""

    name: str
    plugin: str
    media_type: str
    suffixes: tuple[str, ...]


_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo")
FORMATS = (
    Format("PNG", PngImagePlugin.PngImageFile.format, "image/png", (".png", ".apng")),
    Format("JPEG", JpegImagePlugin.JpegImageFile.format, "image/jpeg", _JPEG_SUFFIXES),
    Format("TIFF", TiffImagePlugin.TiffImageFile.format, "image/tiff", (".tif", ".tiff")),
    Format("WebP", WebPImagePlugin.WebPImageFile.format, "image/webp", (".webp",)),
    Format("GIF", GifImagePlugin.GifImageFile.format, "image/gif", (".gif",)),
    Format("BMP", BmpImagePlugin.BmpImageFile.format, "image/bmp", (".bmp", ".dib")),
    Format("AVIF", AvifImagePlugin.AvifImageFile.format, "image/avif", (".avif", ".avifs")),
    Format("HEIC", "HEIF", "image/heic", (".heic", ".heif", ".hif")),
)
NAMES = ", ".join(one.name for one in FORMATS)
_PLUGINS = tuple(one.plugin for one in FORMATS if one.plugin != "HEIF")
MEDIA_TYPES = {suffix: one.media_type for one in FORMATS for suffix in one.suffixes}
"""The suffix of a file's name, in small letters and with its dot, to the media type: all that are read."""

_HEIC = re.compile(rb"....ftyp(hei[cxms]|hev[cxms])|....ftyp(mif1|msf1).{4}(....)*?hei[cx]", re.DOTALL)
_READ = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"BM.{8}....[\x0c-\x80]\0\0\0", re.DOTALL), "BMP"),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), "AVIF"),
    (_HEIC, "HEIC"),
)
_LEAD = rb"(\xef\xbb\xbf)?\s*"
_OTHER = (
    (re.compile(rb"%PDF-"), "a PDF document"),
    (
        re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", re.DOTALL),
        "an SVG drawing",
    ),
    (re.compile(_LEAD + rb"<(!doctype html|html|head|body)", re.IGNORECASE), "a page of HTML"),
    (re.compile(rb"8BPS"), "a Photoshop document"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL picture"),
    (re.compile(rb"\0\0[\x01\x02]\0.\0", re.DOTALL), "an icon"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "a PostScript file"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive"),
    (re.compile(rb"\x1f\x8b"), "a gzip file"),
    (re.compile(rb"....ftypcrx |FUJIFILMCCD-RAW|IIRO|IIU\0", re.DOTALL), "a raw file of a camera"),
    (re.compile(rb"....ftyp(isom|iso\d|mp4\d|qt  |M4V |3gp\d)|\x1a\x45\xdf\xa3|RIFF....AVI ", re.DOTALL), "a film"),
)
_LOOKED_AT = 2000
HEAD_BYTES = 16
_HEAD = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8|BM|II[*+]\0|MM\0[*+]|RIFF....WEBP|....ftyp|....JXL |\xff\x0a", re.DOTALL
)


def looks_like_a_picture(head: bytes) -> bool:
    """Say whether bytes begin as a PNG, JPEG, TIFF, WebP, GIF, BMP, HEIC, AVIF or JPEG XL file does.

    Args:
        head: the first `HEAD_BYTES` bytes of a file, or more.

    """
    return _HEAD.match(head) is not None


def suffix_of(data: bytes) -> str:
    """Return the usual end of the name of a picture's file, with its dot; `.bin` where the format is not known."""
    start = data[:_LOOKED_AT]
    name = next((name for pattern, name in _READ if pattern.match(start)), None)
    return next((one.suffixes[0] for one in FORMATS if one.name == name), ".bin")


def plugins(data: bytes) -> tuple[str, ...]:
    """Return Pillow's names of the formats to try bytes in."""
    if HEIC_INSTALLED and _HEIC.match(data[:_LOOKED_AT]):
        _add_heic()
        return ("HEIF",)
    return _PLUGINS


@functools.cache
def _add_heic() -> None:
    """Add HEIC to Pillow; not sooner, as its libraries have 27 MB."""
    from pillow_heif import register_heif_opener  # noqa: PLC0415

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def refusal(data: bytes) -> str:
    """Return what bytes are that no decoder took for a picture, as the sentence of a refusal."""
    start = data[:_LOOKED_AT]
    name = next((name for pattern, name in _READ if pattern.match(start)), None)
    if name == "HEIC" and not HEIC_INSTALLED:
        return "this is a HEIC picture; reading it takes the extra `heic` (pillow-heif), which is not installed"
    if name is not None:
        return f"the {name} picture is damaged or of a kind that is not supported, and cannot be decoded"
    other = next((other for pattern, other in _OTHER if pattern.match(start)), None)
    found = "this" if other is None else f"this is {other}; it"
    return f"{found} is not a picture in one of the formats {NAMES}"

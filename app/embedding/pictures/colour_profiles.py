"""Colours as an ICC profile means them become sRGB.

A profile comes from anyone, too: one that is broken, too large, or for another kind of picture spoils none, the picture
is taken as if it had no profile. Without one, grey and RGB are sRGB, and what the inks of CMYK let through is
multiplied, as PostScript does: red is (1 - cyan) x (1 - black), and so on.
"""

import hashlib
import io
import struct
import threading
from collections.abc import Iterable, Sequence

import numpy as np
from cachetools import LRUCache, cached
from PIL import Image, ImageCms

MAX_PROFILE_BYTES = 4 * 2**20
"""More than any profile has: those of printing presses have some 2 MiB."""

_SPACES = {"L": "GRAY", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK"}
_CLASSES = frozenset({"scnr", "mntr", "prtr", "spac"})  # of devices and spaces; not of links, named colours, effects
_SAME = 3  # of 255: the many versions of sRGB's own profile differ by less
_INTENT = ImageCms.Intent.PERCEPTUAL
# A transform from CMYK takes some 2 MB.
_REMEMBERED = 32
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])

D65 = (0.3127, 0.3290)


def to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a picture in sRGB: RGB, or RGBA where it has an alpha channel; itself, where it is that already.

    Safe to call from several threads at once.

    Args:
        picture: loaded, of mode L, LA, RGB, RGBA, CMYK or LAB.
        profile: an ICC profile, or what claims to be one.

    """
    if profile and len(profile) <= MAX_PROFILE_BYTES and picture.mode != "LAB":
        shown = _converted(picture, profile)
        if shown is not None:
            return shown
    mode = "RGBA" if picture.mode.endswith("A") else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _converted(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """Return the picture as its profile means it; None where the profile says nothing of it."""
    if picture.mode == "LA":
        shown = _converted(picture.getchannel("L"), profile)
        if shown is not None:
            shown.putalpha(picture.getchannel("A"))
        return shown
    transform = _transform(profile, picture.mode)
    if transform is None and picture.mode == "L":  # many programs make a picture grey and keep the profile it had
        picture = picture.convert("RGB")
        transform = _transform(profile, picture.mode)
    if transform is None:
        return None
    try:
        return transform.apply(picture)
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None


def _digest(profile: bytes, mode: str) -> tuple[bytes, str]:
    return hashlib.blake2b(profile, digest_size=16).digest(), mode


@cached(LRUCache(_REMEMBERED), key=_digest, lock=threading.Lock())
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform of pictures of a mode to sRGB; None where the profile is broken, of others, or is sRGB's."""
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        facts = space.profile
        if facts.device_class.strip() not in _CLASSES or facts.xcolor_space.strip() != _SPACES[mode]:
            return None
        shown = "RGBA" if mode == "RGBA" else "RGB"
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.ImageCmsTransform(space, srgb, mode, shown, _INTENT)
        return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Say whether every colour stays what it is, as nearly as versions of sRGB's profile differ."""
    ramp = np.linspace(0, 255, 256 if mode == "L" else 17).astype(np.uint8)
    if mode == "L":
        before = Image.fromarray(ramp[None])
    else:
        before = Image.fromarray(np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(17, -1, 3)).convert(mode)
    after = transform.apply(before)
    apart = np.abs(np.asarray(after.convert("RGB"), np.int16) - np.asarray(before.convert("RGB"), np.int16))
    return int(apart.max()) <= _SAME


def matrix_profile(primaries: Sequence[float], white: tuple[float, float], exponent: float | None) -> bytes | None:
    """Return an ICC profile of an RGB space.

    Args:
        primaries: chromaticities x, y of red, green and blue.
        white: chromaticity of white.
        exponent: light is the value to this power; None: by sRGB's curve.

    Returns:
        None where such primaries make no space.

    """
    corners = np.array([*primaries, *white], np.float64).reshape(4, 2)
    if (corners[:, 1] < 1e-4).any():
        return None
    columns = np.stack([corners[:, 0], corners[:, 1], 1 - corners.sum(axis=1)]) / corners[:, 1]
    if abs(np.linalg.det(columns[:, :3])) < 1e-6:
        return None
    to_xyz = columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
    adapted = np.linalg.solve(_BRADFORD, np.diag(_BRADFORD @ _D50 / (_BRADFORD @ columns[:, 3])) @ _BRADFORD) @ to_xyz
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 100:
        return None
    curve = (0, exponent) if exponent else (3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    drawn = b"para\0\0\0\0" + struct.pack(">HH", curve[0], 0) + _fixed(curve[1:])
    tags = {b"wtpt": _D50, b"rXYZ": adapted[:, 0], b"gXYZ": adapted[:, 1], b"bXYZ": adapted[:, 2]}
    bodies = {name: b"XYZ \0\0\0\0" + _fixed(values) for name, values in tags.items()}
    return _assembled(bodies | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), drawn))


def _fixed(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _assembled(bodies: dict[bytes, bytes]) -> bytes:
    """Return a profile of a display, version 4.3, made of these tags."""
    place = 128 + 4 + 12 * len(bodies)
    table = struct.pack(">I", len(bodies))
    for name, body in bodies.items():
        table += name + struct.pack(">II", place, len(body))
        place += len(body)
    head = struct.pack(">I4sI", place, bytes(4), 0x04300000) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    return head + _fixed(_D50) + bytes(48) + table + b"".join(bodies.values())

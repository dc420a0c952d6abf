"""Colours as they are perceived: sRGB to CIELAB, and CIELAB to a space in which equal steps look equal.

Sources: sRGB, IEC 61966-2-1:1999 (transfer function and the matrix to XYZ, white D65); CIELAB, CIE 15:2004, 8.2.1;
the even space, DIN 6176:2001 ("DIN99", k_E = k_CH = 1), in which the Euclidean distance comes close to CIEDE2000: it
takes back CIELAB's overrating of differences between vivid colours.
"""

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float32]

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)  # of RGB (1, 1, 1), so that greys have a = b = 0 exactly
_TO_WHITE = (_TO_XYZ / _WHITE[:, None]).astype(np.float32)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27
_COS_16, _SIN_16 = np.cos(np.radians(16)), np.sin(np.radians(16))


def _linear(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear(np.arange(256) / 255).astype(np.float32)


def lab(rgb: NDArray[np.uint8]) -> Colours:
    """Return CIELAB (D65) of sRGB values: (..., 3) uint8 to (..., 3) float32, L in 0 to 100."""
    # Not `@`: BLAS would start threads of its own.
    relative = np.einsum("...c,xc->...x", _LINEAR[rgb], _TO_WHITE)
    f = np.where(relative > _EPSILON, np.cbrt(relative), (_KAPPA * relative + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def even(colours: Colours) -> Colours:
    """Return DIN99 coordinates (L99, a99, b99) of CIELAB ones: (..., 3) float32 both."""
    lightness, a, b = colours[..., 0], colours[..., 1], colours[..., 2]
    e = a * _COS_16 + b * _SIN_16
    f = 0.7 * (b * _COS_16 - a * _SIN_16)
    vividness = np.hypot(e, f)
    shrunk = np.log1p(0.045 * vividness) / 0.045 / np.maximum(vividness, 1e-6)
    return np.stack([105.51 * np.log1p(0.0158 * lightness), e * shrunk, f * shrunk], axis=-1).astype(np.float32)

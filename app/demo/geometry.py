"""Outlines: lists of points on a page of 100 x 100 units, x to the right and y down, the middle at (50, 50)."""

from math import cos, hypot, pi, radians, sin

Point = tuple[float, float]
Outline = list[Point]

MIDDLE = 50.0


def curve(*points: Point, steps: int = 8) -> Outline:
    """Return a smooth line through the points (Catmull-Rom); it ends in a corner where it is joined to another."""
    padded = (points[0], *points, points[-1])
    line: Outline = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        line += [_between(a, b, c, d, step / steps) for step in range(steps)]
    return [*line, points[-1]]


def _between(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    x, y = (
        0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2 + (3 * q - p - 3 * r + s) * t**3)
        for p, q, r, s in zip(a, b, c, d, strict=True)
    )
    return x, y


def loop(*points: Point, steps: int = 8) -> Outline:
    """Return a closed smooth outline through the points."""
    ring = (points[-1], *points, points[0], points[1])
    return [
        _between(a, b, c, d, step / steps)
        for a, b, c, d in zip(ring, ring[1:], ring[2:], ring[3:], strict=False)
        for step in range(steps)
    ]


def ellipse(centre: Point, rx: float, ry: float, start: float = 0, end: float = 360, *, steps: int = 48) -> Outline:
    """Return an ellipse, or the part of it between two angles in degrees (0 is to the right, 90 is down)."""
    angles = [radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(centre[0] + rx * cos(angle), centre[1] + ry * sin(angle)) for angle in angles]


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> Outline:
    """Return a rectangle with round corners."""
    r = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    corners = [((x1 - r, y1 - r), 0), ((x0 + r, y1 - r), 90), ((x0 + r, y0 + r), 180), ((x1 - r, y0 + r), 270)]
    return [point for centre, start in corners for point in ellipse(centre, r, r, start, start + 90, steps=8)]


def flip(outline: Outline, axis: float = MIDDLE) -> Outline:
    """Return the mirror image, left for right."""
    return [(2 * axis - x, y) for x, y in outline]


def mirrored(half: Outline, axis: float = MIDDLE) -> Outline:
    """Return the whole of a symmetric outline whose left half is given."""
    return half + flip(half, axis)[::-1]


def moved(outline: Outline, dx: float, dy: float) -> Outline:
    """Return the outline somewhere else."""
    return [(x + dx, y + dy) for x, y in outline]


def turned(outline: Outline, degrees: float, around: Point) -> Outline:
    """Return the outline turned clockwise around a point."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    cx, cy = around
    return [(cx + (x - cx) * c - (y - cy) * s, cy + (x - cx) * s + (y - cy) * c) for x, y in outline]


def mix(a: Point, b: Point, share: float) -> Point:
    """Return the point that lies a share of the way from `a` to `b`."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def band(path: Outline, widths: tuple[float, float]) -> Outline:
    """Return the outline of a ribbon along a path, as wide as said at its start and at its end."""
    left: Outline = []
    right: Outline = []
    last = len(path) - 1
    for at, (x, y) in enumerate(path):
        (px, py), (nx, ny) = path[max(0, at - 1)], path[min(last, at + 1)]
        length = hypot(nx - px, ny - py) or 1.0
        half = (widths[0] + (widths[1] - widths[0]) * at / last) / 2
        ox, oy = -(ny - py) / length * half, (nx - px) / length * half
        left.append((x + ox, y + oy))
        right.append((x - ox, y - oy))
    return left + right[::-1]


def petals(centre: Point, radius: float, count: int, turn: float = 0) -> list[Point]:
    """Return points around a centre, evenly spread."""
    angles = [turn + 2 * pi * index / count for index in range(count)]
    return [(centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)) for angle in angles]


def both(outline: Outline) -> tuple[Outline, Outline]:
    """Return an outline and its mirror image: what is left is on the right too."""
    return outline, flip(outline)

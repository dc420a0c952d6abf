"""Vases: bodies of revolution, by the names of their profiles."""

from types import MappingProxyType

from app.demo.canvas import Canvas, Region
from app.demo.geometry import Outline, curve, ellipse, mirrored
from app.demo.light import CHINA, FLAT
from app.demo.look import Look
from app.demo.palette import WHITE, blend, darker, lighter

# Left profiles of vases: half width at a height, from the rim down (0) to the foot (1).
PROFILES: MappingProxyType[str, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
        "bottle": ((5.5, 0), (4.6, 0.18), (6, 0.36), (17, 0.62), (18, 0.8), (11, 1)),
        "amphora": ((9, 0), (7, 0.1), (19, 0.3), (21, 0.48), (13, 0.82), (9.5, 1)),
        "cylinder": ((14, 0), (14.3, 0.3), (14.3, 0.7), (13.4, 1)),
        "bulb": ((8, 0), (10, 0.2), (21, 0.5), (22, 0.68), (14, 1)),
        "flared": ((18, 0), (11, 0.3), (9, 0.55), (13, 0.82), (13.5, 1)),
        "gourd": ((6.5, 0), (5.6, 0.12), (12, 0.3), (7.5, 0.46), (19, 0.74), (12, 1)),
    }
)


def revolved(profile: str, top: float, low: float, stretch: float = 1, x: float = 50) -> Outline:
    """Return the outline of a round body by the name of its profile, without the rim."""
    half = curve(*((x - width * stretch, top + (low - top) * share) for width, share in PROFILES[profile]), steps=10)
    foot = half[-1]
    return mirrored([*half, *curve(foot, (x - (x - foot[0]) * 0.6, low + 1.7), (x, low + 2.2))], x)


def vase(canvas: Canvas, look: Look) -> None:
    """Draw a vase, empty or with a few stems."""
    form = str(look.shape["form"])
    low = 84.0
    top = low - look.measure("height")
    stretch = look.measure("width")
    if look.has("stems", "dried"):
        _stems(canvas, look, top)
    body = canvas.fill(revolved(form, top, low, stretch), look.paint, CHINA)
    rim = PROFILES[form][0][0] * stretch
    if look.has("ring", "bands") and look.pattern == "plain":
        _rings(canvas, look, body, top, low)
    canvas.fill(ellipse((50, top), rim, max(1.2, rim * 0.17)), lighter(look.base, 0.25), FLAT)
    if look.has("stems", "none"):
        canvas.fill(ellipse((50, top + 0.2), rim - 1, max(0.7, rim * 0.17 - 0.6)), darker(look.base, 0.6), FLAT)
    shine = [
        (50 - (50 - x) * 0.55, y)
        for x, y in curve(*((50 - width * stretch, top + (low - top) * share) for width, share in PROFILES[form]))
    ]
    canvas.line(shine[4:-5], WHITE, 2, within=body, strength=0.4, blur=1)


def _rings(canvas: Canvas, look: Look, body: Region, top: float, low: float) -> None:
    for share, width in ((0.55, 1.0), (0.61, 2.4), (0.69, 1.0)):
        y = top + (low - top) * share
        canvas.line(curve((20, y - 1), (50, y + 2.4), (80, y - 1)), look.trim, width, within=body, strength=0.92)


def _stems(canvas: Canvas, look: Look, top: float) -> None:
    chance = look.chance("stems")
    tone = chance.choice([(196, 164, 116), (150, 160, 110), (206, 150, 140)])
    for index in range(7):
        lean = (index - 3) * 4.2 + chance.uniform(-1, 1)
        tip = (50 + lean, top - 17 - chance.uniform(0, 6) + abs(index - 3) * 2)
        path = curve((50 + lean * 0.1, top + 3), (50 + lean * 0.4, top - 7), tip)
        canvas.line(path, darker(tone, 0.3), 0.6)
        for step in range(7):
            at = path[-1 - step]
            canvas.fill(
                ellipse((at[0] + (0.9 if step % 2 else -0.9), at[1] + step * 0.5), 1.0, 1.5),
                blend(tone, WHITE, 0.1 * (step % 3)),
                FLAT,
            )

"""Jumpers: with a round neck, a roll neck or a hood."""

from app.demo.canvas import Canvas, Region
from app.demo.geometry import both, curve, mirrored, rounded
from app.demo.light import FLAT, KNIT
from app.demo.look import Look
from app.demo.palette import darker, lighter, thread
from app.demo.patterns import Paint
from app.demo.sewing import collar_rib, ribbed, ribbed_cuffs
from app.demo.torso import Cut, torso


def jumper(canvas: Canvas, look: Look) -> None:
    """Draw a jumper with a round or roll neck, or a hooded one."""
    hooded, rolled = look.has("neck", "hood"), look.has("neck", "roll")
    cut = Cut(
        top=20 if hooded else 15,
        neck=9 if not rolled else 7.5,
        drop=8.5 if not rolled else 5,
        shoulder=23.5,
        chest=24,
        waist=24.5,
        hem=23,
        length=62 if hooded else 66,
    )
    if hooded:
        _hood_behind(canvas, look, cut)
    front = torso(canvas, look, cut, "long", KNIT)
    rib = Paint(look.trim if look.has("rib", "trim") else darker(look.base, 0.12), look.trim)
    ribbed(canvas, rounded(50 - cut.hem - 0.3, cut.bottom - 5.5, 50 + cut.hem + 0.3, cut.bottom + 1.4, 1.2), rib)
    ribbed_cuffs(canvas, cut, rib)
    if rolled:
        ribbed(
            canvas,
            mirrored(
                [
                    *curve((50, 24), (44, 23), (41.8, 20)),
                    *curve((41.8, 20), (42.5, 15), (41.8, 10)),
                    *curve((41.8, 10), (50, 8.8)),
                ]
            ),
            rib,
        )
    elif hooded:
        _hood_front(canvas, look, cut, front)
    else:
        collar_rib(canvas, cut, rib, 3)


def _hood_behind(canvas: Canvas, look: Look, cut: Cut) -> None:
    top = cut.top
    outer = mirrored([*curve((50, top + 4), (38, top + 8), (36, top + 1), (39, top - 7), (50, top - 10))])
    canvas.fill(outer, look.paint.without_pattern(), KNIT)
    canvas.shade(
        mirrored(curve((50, top + 3), (42, top + 3), (41, top - 1), (43.5, top - 5), (50, top - 7))),
        None,
        0.5,
        blur=0.8,
    )


def _hood_front(canvas: Canvas, look: Look, cut: Cut, front: Region) -> None:
    top = cut.top
    flap = [
        *curve((50, top + 12), (43, top + 9.5), (38.5, top + 2)),
        *curve((38.5, top + 2), (40, top - 4), (42, top - 6)),
        *curve((42, top - 6), (43.5, top + 2), (50, top + 8.5)),
    ]
    for side in both(flap):
        canvas.fill(side, look.paint.without_pattern(), KNIT)
    for cord in both(curve((47, top + 9), (46.4, top + 18), (46.8, top + 25))):
        canvas.line(cord, lighter(look.trim, 0.1), 0.9)
    pocket = mirrored([(50, 58), (40, 58), *curve((40, 58), (35.5, 64), (33, 70)), (33, 76), (50, 76)])
    canvas.fill(pocket, look.paint, FLAT)
    canvas.line([(40, 58), (60, 58)], thread(look.base), 0.3, within=front, strength=0.6)

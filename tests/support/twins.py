"""Near duplicates: edited copies of the sample photographs, among them a chain whose ends do not look alike."""

import base64
import io

from PIL import Image, ImageEnhance

from app.demo.catalogue import catalogue
from app.demo.planted import CHAINED, chain
from app.domain.records import Json


def twins(hostile: str) -> list[Json]:
    """Return three pairs, a group of four (one with a hostile id and name), a chain, and a record by itself."""
    products = catalogue(60)
    shown = [one.picture(400) for one in products[:5]]
    width, height = shown[3].size
    four = "four-a", "four-b", "four-c", hostile
    pictures = {f"pair-{n}": shown[n] for n in range(3)} | {"alone": shown[4], four[0]: shown[3]}
    pictures[four[1]] = shown[3].resize((width // 2, height // 2))
    pictures[four[2]] = ImageEnhance.Brightness(shown[3]).enhance(1.1)
    attributes: dict[str, dict[str, Json]] = {f"pair-{n}": {"price": 10 + n, "season": "summer"} for n in range(3)}
    attributes |= {four[0]: {"colour": "red"}, four[2]: {hostile: hostile}, hostile: {"name": hostile}}
    made = [_record(one, picture, 90, attributes.get(one, {})) for one, picture in pictures.items()]
    made += [_record(f"pair-{n}-copy", shown[n], 40, {"season": "summer", "tags": ["copy"]}) for n in range(3)]
    made += [_record(hostile, shown[3], 60, attributes[hostile])]
    chained = next(one for one in products if one.id == CHAINED)
    for one in (chained, *chain(chained)):
        made.append({**one.attributes, "_id": one.id, "_base64": base64.b64encode(one.data).decode()})
    return made


def _record(record_id: str, picture: Image.Image, quality: int, attributes: dict[str, Json]) -> Json:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return {"name": record_id, **attributes, "_id": record_id, "_base64": base64.b64encode(data.getvalue()).decode()}

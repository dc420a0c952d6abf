#!/usr/bin/env bash
# ximilar-client: a transparent PNG reaches the server with or without its transparency, by the size of the file.
#
# A `_file` below .1 MiB is sent as it lies on the disk. A larger one, and every `_base64`, goes through OpenCV, which drops
# the alpha channel, and is sent as a JPEG: what was transparent has the colour that is stored under it, black as most
# programs leave it. Product pictures are often cut out like this. Compressed harder, the same picture stands on another
# background, and gets another vector. `"noresize": True` in the record sends any `_file` as it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    ximilar-client==1.39.0 opencv-python-headless==5.0.0.93 pillow==13.0.0 numpy==2.4.6
cat >"$folder/transparency.py" <<'PYTHON'
import base64
import io
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

from PIL import Image, ImageDraw
from ximilar.client.search import SimilarityPhotosClient

received = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        body = b'{"status": {"code": 200, "text": "OK"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/similarity/photos/v2/"
client = SimilarityPhotosClient("a-token", "shop", endpoint=url, resource_name=None)

mask = Image.new("L", (300, 300), 0)
ImageDraw.Draw(mask).ellipse((60, 60, 240, 240), fill=255)
picture = Image.new("RGB", (300, 300))
picture.paste(Image.effect_noise((300, 300), 90).convert("RGB"), (0, 0), mask)
picture.putalpha(mask)
small, large = (Path(sys.argv[1]) / name for name in ("small.png", "large.png"))
picture.save(small, compress_level=9)
picture.save(large, compress_level=0)
assert Image.open(small).tobytes() == Image.open(large).tobytes()
records = {
    f"_file of {small.stat().st_size // 1024} KiB": {"_file": str(small)},
    f"_file of {large.stat().st_size // 1024} KiB": {"_file": str(large)},
    "_base64 of the small one": {"_base64": base64.b64encode(small.read_bytes()).decode()},
    "the larger _file, noresize": {"_file": str(large), "noresize": True},
}
print(f"ximilar-client {version('ximilar-client')}, opencv-python-headless {version('opencv-python-headless')}")
seen = []
for name, record in records.items():
    client.search(record, k=5)
    text = received[-1]["query_record"]["_base64"]
    arrived = Image.open(io.BytesIO(base64.b64decode(text.rpartition(",")[2])))
    seen.append((arrived.format, arrived.mode, arrived.getpixel((0, 0))))
    print(f"{name}: {seen[-1][0]} {seen[-1][1]}, its corner {seen[-1][2]}")
kept, lost = ("PNG", "RGBA", (0, 0, 0, 0)), ("JPEG", "RGB", (0, 0, 0))
sys.exit(seen != [kept, lost, lost, kept])
PYTHON
"$folder/venv/bin/python" "$folder/transparency.py" "$folder"

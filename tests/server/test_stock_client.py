"""The stock client of the service that people move over from, unmodified: only its endpoint is another."""

import inspect
import itertools
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ximilar.client import search as stock

from tests.api.conftest import drawing, encoded
from tests.server.conftest import Server
from tests.textmodels import save

_numbers = itertools.count()
CLIENTS = [
    ("photo", "photo/search", stock.SimilarityPhotosOldClient),
    ("photo", "similarity/photos", stock.SimilarityPhotosClient),
    ("products", "similarity/products", stock.SimilarityProductsOldClient),
    ("products", "similarity/products-new", stock.SimilarityProductsClient),
    ("custom", "similarity/custom", stock.SimilarityCustomClient),
    ("homedecor", "similarity/homedecor", stock.SimilarityHomeDecorClient),
]


@pytest.fixture(params=CLIENTS, ids=lambda client: client[1].replace("/", "-"))
def client(request: pytest.FixtureRequest, server: Server) -> Any:
    service, prefix, kind = request.param
    name = f"{prefix.replace('/', '-')}-{next(_numbers)}"
    server.json("collection", "create", name, "--service", service)
    token = server.json("token", "create", "--scope", "write", "--collection", name)["token"]
    return kind(token=token, collection_id=name, endpoint=f"{server.url}/{prefix}/v2/")


SERVICES = {
    stock.SimilarityPhotosClient: "photo",
    stock.SimilarityPhotosOldClient: "photo",
    stock.SimilarityProductsOldClient: "products",
    stock.SimilarityProductsClient: "products",
    stock.SimilarityCustomClient: "custom",
    stock.SimilarityColorsClient: "colors",
    stock.ImageMatchingSearchClient: "image_matching",
    stock.SimilarityHomeDecorClient: "homedecor",
    stock.SimilarityFashionClient: "fashion",
}


@pytest.fixture
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no host be asked but this one, whatever the client wants."""
    real = socket.getaddrinfo

    def here(host: Any, *more: Any, **options: Any) -> Any:
        assert host in {"127.0.0.1", "localhost"}, f"the client would ask {host}"
        return real(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", here)


def test_every_client_class_is_known() -> None:
    classes = {
        one for _, one in inspect.getmembers(stock, inspect.isclass) if one.__name__.startswith(("Simil", "Ima"))
    }
    assert classes == set(SERVICES)


@pytest.mark.usefixtures("nobody_else")
def test_without_a_resource_name_no_client_asks_its_vendor(server: Server, tmp_path: Path) -> None:
    """The server is called by another name than localhost; a large file goes through the client's own resizing."""
    token = server.json("token", "create", "--scope", "write")["token"]
    drawing(1, 300).save(tmp_path / "small.png")
    large = Image.effect_noise((700, 700), 60)
    large.save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size > 100 * 1024
    for number, (kind, service) in enumerate(SERVICES.items()):
        name = f"elsewhere-{number}"
        server.json("collection", "create", name, "--service", service)
        url = f"http://127.0.0.1:{server.port}/v2/"
        client = kind(token, name, endpoint=url, resource_name=None)
        records = [{"_id": file.stem, "_file": str(file)} for file in sorted(tmp_path.iterdir())]
        assert client.insert(records)["status"]["code"] == 210, kind
        assert client.search({"_file": str(tmp_path / "small.png")}, k=1)["answer_records"][0]["_id"] == "small"


@pytest.mark.usefixtures("nobody_else")
def test_with_its_default_resource_name_the_client_would_send_the_token_away(server: Server) -> None:
    """Why the documentation warns: where this fails, the client has changed, and the warning may go."""
    with pytest.raises(AssertionError, match=r"would ask api\.ximilar\.com"):
        stock.SimilarityPhotosClient("token", "c", endpoint=f"http://127.0.0.1:{server.port}/v2/")


def test_every_documented_client_is_made_without_a_resource_name() -> None:
    root = Path(__file__).resolve().parents[2]
    made = [
        (file.name, call)
        for file in (root / "README.md", *sorted((root / "docs").rglob("*.md")))
        for call in re.findall(r"\w+Client\([^)]*\)", file.read_text())
    ]
    assert {name for name, _ in made} >= {"README.md", "compatibility.md", "text-and-tags.md"}
    assert [(name, call) for name, call in made if "resource_name=None" not in call] == []


def test_insert_get_search_update_remove_ping(client: Any, pictures: tuple[Path, str]) -> None:
    folder, url = pictures
    for number in range(3):
        drawing(number, 300).save(folder / f"{number}.png")

    inserted = client.insert(
        [
            {"_id": "file", "_file": str(folder / "0.png"), "colour": "red"},
            {"_id": "url", "_url": f"{url}/1.png", "price": 12.5},
            {"_id": "base64", "_base64": encoded(drawing(2, 300))},
        ]
    )
    assert inserted["status"]["code"] == 210, inserted
    assert [record["_id"] for record in inserted["answer_records"]] == ["file", "url", "base64"]

    got = client.get_records([{"_id": "url"}, {"_id": "file"}], fields_to_return=["*"])
    assert got["status"]["code"] == 205
    assert got["answer_records"][0] == {"_id": "url", "_url": f"{url}/1.png", "price": 12.5}
    assert got["answer_records"][1]["colour"] == "red"

    found = client.search({"_id": "url"}, k=2)
    assert found["answer_records"][0] == {"_id": "url"}
    assert "ignored" not in found["statistics"]
    by_file = client.search({"_file": str(folder / "2.png")}, k=3)
    assert by_file["answer_records"][0] == {"_id": "base64"}
    by_url = client.search({"_url": f"{url}/0.png"}, k=3, fields_to_return=["colour"])
    assert by_url["answer_records"][0] == {"_id": "file", "colour": "red"}
    assert by_url["answer_distances"] == sorted(by_url["answer_distances"])

    updated = client.update([{"_id": "url", "price": None, "colour": "blue"}])
    assert updated["answer_records"] == [{"_id": "url", "_url": f"{url}/1.png", "colour": "blue"}]

    assert client.insert([{"_id": "url", "_url": f"{url}/1.png"}])["status"]["code"] == 411
    assert client.remove([{"_id": "file"}, {"_id": "nobody"}])["status"]["code"] == 206
    assert client.get_records([{"_id": "file"}])["status"]["code"] == 404
    assert client.ping()["status"]["code"] == 200


def test_refinements_pass_through_the_client(client: Any) -> None:
    """The client sends a dictionary as it is: what it does not know goes beside what it does."""
    records = [
        {"_id": f"r{number}", "_base64": encoded(drawing(number)), "brand": "ab"[number % 2], "price": number}
        for number in range(4)
    ]
    assert client.insert(records, request_fields={"mode": "upsert"})["status"]["code"] == 210
    asked = client.construct_data({"_id": "r1"}, k=4, fields_to_return=["price"])
    more = {"candidates": 4, "count": True, "facets": ["brand"], "sort": [{"price": -1}], "extract_colors": None}
    found = client.post("visualKNN", data={**asked, **more})
    assert found["status"]["code"] == 200, found
    assert [record["_id"] for record in found["answer_records"]] == ["r3", "r2", "r1", "r0"]
    assert found["total_count"] == 4
    assert [(one["value"], one["count"]) for one in found["facets"]["brand"]["values"]] == [("a", 2), ("b", 2)]
    refused = client.post("visualKNN", data={**asked, "sort": [{"price": 1}]})
    assert refused["status"]["code"] == 402
    assert "cutoff" in refused["status"]["error_description"]
    assert client.post("upsert", data={"records": [{**records[0], "price": 9}]})["status"]["code"] == 210


def test_lists_ranks_and_bulk_helpers(client: Any, pictures: tuple[Path, str]) -> None:
    folder, _ = pictures
    for number in range(5):
        drawing(number + 20, 200).save(folder / f"bulk{number}.png")
    records = [{"_id": f"bulk{number}", "_file": str(folder / f"bulk{number}.png")} for number in range(5)]
    results = client.parallel_records_processing(
        records, method=client.insert, max_workers=2, batch_size=2, output=True
    )
    assert len(results) in {3, 5}
    assert client.random(count=3, fields_to_return=["*"])["answer_count"] == 3

    everything = client.get_all_ids()
    assert everything["answer_count"] >= 5
    wanted = {record["_id"] for record in everything["answer_records"]}
    assert {f"bulk{number}" for number in range(5)} <= wanted
    iterated = [record["_id"] for record in client.all_records_iter(batch_size=2)]
    assert sorted(iterated) == sorted(wanted)
    batches = list(client.all_records_iter(batch_size=2, return_batch=True))
    assert sum(map(len, batches)) == len(wanted)

    ranked = client.search_and_rank({"_id": "bulk0"}, [{"_id": "bulk1"}, {"_id": "bulk0"}])
    assert ranked["status"]["code"] == 200
    assert ranked["answer_records"][0] == {"_id": "bulk0"}


def test_the_fashion_client_searches_by_looks_and_tags(server: Server) -> None:
    server.json("collection", "create", "fashion", "--service", "fashion")
    token = server.json("token", "create", "--scope", "write", "--collection", "fashion")["token"]
    client = stock.SimilarityFashionClient(
        token=token, collection_id="fashion", endpoint=f"{server.url}/similarity/fashion/v2/"
    )
    records = [
        {"_id": str(number), "_base64": encoded(drawing(number)), "_tags_simple": [["red", "blue"][number % 2]]}
        for number in range(6)
    ]
    assert client.insert(records)["status"]["code"] == 210
    found = client.search({"_id": "3"}, k=6, fields_to_return=["_tags_simple"])
    assert found["status"]["code"] == 200
    assert found["answer_records"][0] == {"_id": "3", "_tags_simple": ["blue"]}
    assert found["answer_count"] == 6


def test_the_stock_client_searches_by_words(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = save(tmp_path_factory.mktemp("model"), "clip")
    server.json("collection", "create", "worded", "--service", "photo", "--model", str(model))
    token = server.json("token", "create", "--scope", "write", "--collection", "worded")["token"]
    client = stock.SimilarityPhotosClient(
        token=token, collection_id="worded", endpoint=f"{server.url}/similarity/photos/v2/"
    )
    records = [{"_id": str(number), "_base64": encoded(drawing(number))} for number in range(4)]
    assert client.insert(records)["status"]["code"] == 210
    found = client.search({"_text_data": "a red dress"}, k=4)
    assert found["status"]["code"] == 200
    assert found["answer_count"] == 4
    assert found["answer_distances"] == sorted(found["answer_distances"])
    client.endpoint = f"{server.url}/similarity/text/photo/v2/"
    client.PREDICT_ENDPOINT = "text"
    assert client.search({"_text_data": "a red dress"}, k=4)["answer_records"] == found["answer_records"]
    ranked = client.search_and_rank({"_text_data": "a red dress"}, [{"_id": "1"}, {"_id": "2"}])
    assert ranked["answer_count"] == 2


def test_the_fashion_client_has_tags_and_colours_made(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = save(tmp_path_factory.mktemp("model"), "siglip")
    server.json("collection", "create", "tagged", "--service", "fashion", "--model", str(model))
    token = server.json("token", "create", "--scope", "write", "--collection", "tagged")["token"]
    client = stock.SimilarityFashionClient(
        token=token, collection_id="tagged", endpoint=f"{server.url}/similarity/fashion-new/v2/"
    )
    made = client.insert([{"_id": "both", "_base64": encoded(drawing(1))}], extract_colors=True, extract_tags=True)
    assert made["status"]["code"] == 210, made
    assert client.insert([{"_id": "tags", "_base64": encoded(drawing(2))}])["status"]["code"] == 210
    assert client.insert([{"_id": "none", "_base64": encoded(drawing(3))}], extract_tags=False)["status"]["code"] == 210
    got = client.get_records([{"_id": "both"}, {"_id": "tags"}, {"_id": "none"}], fields_to_return=["*"])
    both, tags, none = got["answer_records"]
    assert set(both) == {"_id", "_tags_simple", "_colors"}
    assert set(tags) == {"_id", "_tags_simple"}
    assert set(none) == {"_id"}
    assert client.search({"_base64": encoded(drawing(1))}, k=3)["answer_records"][0] == {"_id": "both"}

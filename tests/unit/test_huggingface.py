"""Models of transformers: small checkpoints of each family, made here, against calling transformers by hand.

torch and transformers are imported where they are used: each worker imports this module, and one runs it.
"""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import ConfigurationError, InvalidRequest, Unavailable
from app.domain.options import ModelOptions
from app.embedding.hub.quiet import quiet
from app.embedding.models import huggingface, registry
from app.embedding.models.batching import Models
from app.embedding.models.huggingface import HuggingFace, describe
from tests.pictures import photo
from tests.support.checkpoints import SMALL, WITH_TEXT, image_processor, save, with_own_code

FAMILIES = ("clip", "siglip", "siglip2", "dinov2", "vit", "convnext")
CPU = ModelOptions(device="cpu")
PICTURES = [photo(number, size) for number, size in enumerate([(160, 120), (90, 200), (64, 64)])]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            with quiet():
                made[family] = save(tmp_path_factory.mktemp(family), family)
        return made[family]

    return get


@pytest.fixture
def copy(checkpoints: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A checkpoint to be damaged."""
    return lambda family: Path(shutil.copytree(checkpoints(family), tmp_path / family))


def network_of(folder: Path) -> Any:
    import transformers

    with quiet():
        return transformers.AutoModel.from_pretrained(folder).eval()


def unit(rows: Any) -> np.ndarray:
    import torch

    return np.asarray(torch.nn.functional.normalize(rows.float(), dim=1).numpy())


def by_hand(folder: Path, family: str, pictures: list[Image.Image]) -> np.ndarray:
    import torch

    network = network_of(folder)
    given = image_processor(family)(images=pictures, return_tensors="pt")
    with torch.no_grad():
        if family in WITH_TEXT:
            return unit(network.get_image_features(**given).pooler_output)
        output = network(**given)
        return unit(output.pooler_output if family == "convnext" else output.last_hidden_state[:, 0])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_vectors_are_those_of_transformers_by_hand(family: str, checkpoints: Callable[[str], Path]) -> None:
    folder = checkpoints(family)
    model = HuggingFace(str(folder), CPU)
    rows = model.embed([model.prepare(picture) for picture in PICTURES])
    assert rows.dtype == np.float32
    assert rows == pytest.approx(by_hand(folder, family, PICTURES), abs=1e-4)
    alone = np.vstack([model.embed([model.prepare(picture)]) for picture in PICTURES])
    assert rows == pytest.approx(alone, abs=1e-5)
    assert model.embed([]).shape == (0, model.facts.dimensions)


@pytest.mark.parametrize("family", FAMILIES)
def test_facts_are_known_without_the_weights(
    family: str, copy: Callable[[str], Path], checkpoints: Callable[[str], Path]
) -> None:
    loaded = HuggingFace(str(checkpoints(family)), CPU).facts
    facts = describe(str(checkpoints(family)), CPU)
    assert facts == loaded
    expected = {"clip": (24, "projected"), "convnext": (20, "pooler"), "vit": (32, "cls"), "dinov2": (32, "cls")}
    dimensions, pooling = expected.get(family, (32, "projected"))
    assert facts.dimensions == dimensions
    assert facts.revision.endswith(f"-{pooling}")
    assert facts.licence == "unknown"
    bare = copy(family)
    (bare / "model.safetensors").unlink()
    assert describe(str(bare), CPU).dimensions == dimensions


def test_other_weights_are_another_revision_and_the_card_tells_the_licence(copy: Callable[[str], Path]) -> None:
    import torch

    folder = copy("vit")
    before = describe(str(folder), CPU)
    network = network_of(folder)
    with torch.no_grad():
        network.layernorm.bias += 1
    network.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    after = describe(str(folder), CPU)
    assert after.revision != before.revision
    assert after.licence == "apache-2.0"


@pytest.mark.parametrize("family", WITH_TEXT)
def test_texts_are_embedded_as_by_hand(family: str, checkpoints: Callable[[str], Path]) -> None:
    import torch
    import transformers

    texts = ["red dress", "a blue shoe", "a red red red red red red red red red dress"]
    model = HuggingFace(str(checkpoints(family)), CPU)
    assert model.knows_text
    rows = model.embed_text(texts)
    network = network_of(checkpoints(family))
    fill = {"padding": True} if family == "clip" else {"padding": "max_length"}
    words: Any = transformers.AutoTokenizer
    given = words.from_pretrained(checkpoints(family))(
        texts, truncation=True, max_length=8, return_tensors="pt", **fill
    )
    asked = ("input_ids", "attention_mask") if family == "clip" else ("input_ids",)
    with torch.no_grad():
        expected = network.get_text_features(**{name: given[name] for name in asked}).pooler_output
    assert rows == pytest.approx(unit(expected), abs=1e-4)
    assert rows.shape[1] == model.facts.dimensions
    assert not np.allclose(rows[0], rows[1], atol=1e-3)
    assert model.embed_text(["red dress"]) == pytest.approx(rows[:1], abs=1e-5)
    assert model.embed_text([]).shape == (0, model.facts.dimensions)
    assert model.embed_text([""]).shape == (1, model.facts.dimensions)


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_a_text_that_would_be_cut_is_told(family: str, checkpoints: Callable[[str], Path]) -> None:
    model = HuggingFace(str(checkpoints(family)), CPU)
    model.check_text("a red dress a red dress")  # eight tokens with the two around it
    with pytest.raises(InvalidRequest, match=r"has 9 tokens, and the model .* reads 8 at most"):
        model.check_text("a red dress a red dress a")
    with pytest.raises(InvalidRequest, match="has 2002 tokens"):
        model.check_text("red " * 2000)


def test_the_scoring_of_texts_is_the_network_s_own(checkpoints: Callable[[str], Path]) -> None:
    for family in WITH_TEXT:
        network = network_of(checkpoints(family))
        scoring = HuggingFace(str(checkpoints(family)), CPU).text_scoring
        assert scoring is not None
        assert scoring.scale == pytest.approx(network.logit_scale.exp().item())
        assert scoring.sigmoid == (family != "clip")
        assert scoring.bias == (network.logit_bias.item() if scoring.sigmoid else 0.0)
    assert HuggingFace(str(checkpoints("vit")), CPU).text_scoring is None


def test_siglip_reads_texts_in_lower_case(checkpoints: Callable[[str], Path]) -> None:
    model = HuggingFace(str(checkpoints("siglip")), CPU)
    assert np.array_equal(model.embed_text(["Red DRESS"]), model.embed_text(["red dress"]))


def test_a_text_for_a_model_of_pictures_is_refused(checkpoints: Callable[[str], Path]) -> None:
    model = HuggingFace(str(checkpoints("vit")), CPU)
    assert not model.knows_text
    assert huggingface.knows_text(str(checkpoints("clip")), ModelOptions())
    with pytest.raises(InvalidRequest, match="pictures only"):
        model.embed_text(["red dress"])


def test_a_text_without_a_tokenizer_is_a_clear_error(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="tokenizer"):
        HuggingFace(str(folder), CPU).embed_text(["red dress"])


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_gives_nearly_the_same_directions(dtype: str, checkpoints: Callable[[str], Path]) -> None:
    folder = str(checkpoints("dinov2"))
    exact, half = HuggingFace(folder, CPU), HuggingFace(folder, ModelOptions(device="cpu", dtype=dtype))
    prepared = [exact.prepare(picture) for picture in PICTURES]
    rows = half.embed(prepared)
    assert rows.dtype == np.float32
    assert (1 - (rows * exact.embed(prepared)).sum(axis=1)).max() < 1e-3


@pytest.mark.parametrize("family", ["clip", "siglip2", "convnext"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_pictures_of_any_size_are_taken(family: str, size: tuple[int, int], checkpoints: Callable[[str], Path]) -> None:
    model = HuggingFace(str(checkpoints(family)), CPU)
    prepared = model.prepare(Image.new("RGB", size, "teal"))
    assert prepared.shape == model.prepare(photo(0)).shape
    assert np.isfinite(model.embed([prepared])).all()


def test_loading_prints_nothing(checkpoints: Callable[[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    HuggingFace(str(checkpoints("vit")), CPU)
    assert capfd.readouterr() == ("", "")


def test_a_classifier_s_checkpoint_is_read_without_its_head(tmp_path: Path) -> None:
    import torch
    import transformers

    with quiet():
        classifier: Any = transformers.ViTForImageClassification
        network = classifier(transformers.ViTConfig(**SMALL)).eval()
        network.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(image_processor("vit").to_json_string())
    model = HuggingFace(str(tmp_path), CPU)
    given = image_processor("vit")(images=PICTURES, return_tensors="pt")
    with torch.no_grad():
        expected = unit(network.vit(**given).last_hidden_state[:, 0])
    assert model.embed([model.prepare(one) for one in PICTURES]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["dinov3_vit", "dinov3_convnext"])
def test_dinov3_is_prepared_without_torchvision(kind: str, tmp_path: Path) -> None:
    import torch
    import transformers

    configs: dict[str, Callable[[], Any]] = {
        "dinov3_vit": lambda: transformers.DINOv3ViTConfig(**SMALL),
        "dinov3_convnext": lambda: transformers.DINOv3ConvNextConfig(hidden_sizes=[8, 12, 16, 20], depths=[1] * 4),
    }
    torch.manual_seed(5)
    auto: Any = transformers.AutoModel
    network = auto.from_config(configs[kind]()).eval()
    with quiet():
        network.save_pretrained(tmp_path)
    settings = {"image_processor_type": "DINOv3ViTImageProcessorFast", "size": {"height": 32, "width": 32}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    model = HuggingFace(str(tmp_path), CPU)
    rows = []
    for picture in PICTURES:  # as transformers' class for torchvision does: scaled to 0 ... 1, resized, normalised
        pixels = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
        pixels = torch.nn.functional.interpolate(pixels, (32, 32), mode="bilinear", antialias=True)
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        with torch.no_grad():
            output = network((pixels - mean[:, None, None]) / deviation[:, None, None])
        rows.append(unit(output.last_hidden_state[:, 0])[0])
    assert (1 - (model.embed([model.prepare(one) for one in PICTURES]) * rows).sum(axis=1)).max() < 1e-4


# What is done to a good checkpoint, and what the error says.
def without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).rename(folder / "away")


def with_config(**changes: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def with_text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def with_weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def changed(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return changed


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (without("config.json"), "no config.json"),
    "configuration is no JSON": (with_text("config.json", '{"model_type"'), "damaged"),
    "configuration is a list": (with_text("config.json", "[]"), "names no kind"),
    "no kind": (with_text("config.json", '{"a": 1}'), "names no kind"),
    "unknown kind": (with_config(model_type="nobody-knows"), "does not know"),
    "code of its own": (
        with_config(model_type="nobody-knows", auto_map={"AutoModel": "modeling_own.Own"}),
        "not run here",
    ),
    "knows text only": (with_text("config.json", '{"model_type": "bert"}'), "not an image model"),
    "a kind nobody looked at": (with_text("config.json", '{"model_type": "beit"}'), "the kinds are"),
    "no processor": (without("preprocessor_config.json"), "image processor"),
    "processor is no JSON": (with_text("preprocessor_config.json", "{"), "image processor"),
    "unknown processor": (
        with_text("preprocessor_config.json", '{"image_processor_type": "NobodysImageProcessor"}'),
        "image processor",
    ),
    "pictures of their own size": (
        with_text("preprocessor_config.json", '{"image_processor_type": "ViTImageProcessor", "do_resize": false}'),
        "sizes|shape|size",
    ),
    "no weights": (without("model.safetensors"), "weights"),
    "weights are no weights": (with_text("model.safetensors", "nonsense"), "weights"),
    "weights are missing": (with_weights(lambda weights: weights.pop("layernorm.weight")), "incomplete"),
    "weights of another width": (with_config(hidden_size=64), "weights"),
    "weights are not numbers": (with_weights(lambda weights: weights["layernorm.bias"].fill_(float("nan"))), "NaN"),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_what_cannot_be_loaded_is_a_clear_error(damage: str, copy: Callable[[str], Path]) -> None:
    folder = copy("vit")
    change, message = DAMAGES[damage]
    change(folder)
    with pytest.raises(InvalidRequest, match=message) as caught:
        HuggingFace(str(folder), CPU)
    assert "Traceback" not in str(caught.value)
    assert "huggingface.co" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "nope",
        "/no/such/folder",
        "org/name/more",
        "../up",
        "a/..",
        "org/na me",
        "org/name@",
        "",
        "o/n\0",
        "o/" + 300 * "n",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="neither the id"):
        describe(name, CPU)


@pytest.mark.parametrize("name", ["o/n--m", "o/n.git", "o/-n", "o/n-", "o/n@-x"])
def test_names_that_the_hub_would_refuse_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"neither the id|not on this machine"):
        describe(name, CPU)


def test_the_registry_knows_them_by_id_and_folder(checkpoints: Callable[[str], Path]) -> None:
    folder = str(checkpoints("vit"))
    assert registry.describe(folder, ModelOptions()) == registry.load(folder, ModelOptions()).facts
    with pytest.raises(InvalidRequest, match="model pull nobody/nothing"):
        registry.load("nobody/nothing", ModelOptions())


def test_a_model_that_is_not_at_hand_says_how_to_fetch_it() -> None:
    with pytest.raises(InvalidRequest, match="lookalike model pull nobody/no-such-model@v1"):
        describe("nobody/no-such-model@v1", CPU)


def test_a_model_of_the_cache_is_found_by_its_id_and_revision(
    checkpoints: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "models--someone--small-vit"
    shutil.copytree(checkpoints("vit"), folder / "snapshots" / commit)
    (folder / "snapshots" / commit / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    for module in ("huggingface_hub.constants", "huggingface_hub.file_download"):
        monkeypatch.setattr(f"{module}.HF_HUB_CACHE", str(tmp_path), raising=False)
    for name in ("someone/small-vit", "someone/small-vit@main", f"someone/small-vit@{commit}"):
        facts = describe(name, CPU)
        assert facts.name == name
        assert facts.revision == f"{commit[:12]}-cls"
    assert describe("someone/small-vit", CPU).licence == "mit"
    (folder / "snapshots" / commit / "README.md").unlink()
    assert describe("someone/small-vit", CPU).licence == "unknown"
    model = HuggingFace("someone/small-vit", CPU)
    direct = HuggingFace(str(checkpoints("vit")), CPU)
    picture = model.prepare(PICTURES[0])
    assert np.array_equal(model.embed([picture]), direct.embed([picture]))
    with pytest.raises(InvalidRequest, match="model pull someone/small-vit@v2"):
        describe("someone/small-vit@v2", CPU)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "abacus"}, "no device"),
        ({"device": "cuda:99"}, "not there"),
        ({"device": "meta"}, "not there"),
        ({"dtype": "int8"}, "number type"),
    ],
)
def test_devices_and_number_types_that_are_not_there(
    options: dict[str, Any], message: str, checkpoints: Callable[[str], Path]
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        HuggingFace(str(checkpoints("vit")), ModelOptions(**options))


def test_a_full_gpu_gets_smaller_batches_and_then_a_clear_error(
    checkpoints: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = HuggingFace(str(checkpoints("vit")), CPU)
    prepared = [model.prepare(photo(number)) for number in range(11)]
    expected = model.embed(prepared)
    room, sizes, forward = 2, [], model._forward

    def tight(batch: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > room:
            raise torch.OutOfMemoryError
        return forward(batch)

    monkeypatch.setattr(model, "_forward", tight)
    assert model.embed(prepared) == pytest.approx(expected, abs=1e-5)
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    room = 0
    with pytest.raises(Unavailable, match="memory is full"):
        model.embed(prepared)


def test_code_of_its_own_is_run_only_where_it_is_allowed(tmp_path: Path, modules: None) -> None:
    folder = str(with_own_code(tmp_path / "owncode"))
    allowed = ModelOptions(device="cpu", remote_code=True)
    for _ in range(2):  # before and after the code was run: transformers remembers what it was taught
        with pytest.raises(InvalidRequest, match="LOOKALIKE_MODEL_REMOTE_CODE"):
            registry.load(folder, ModelOptions())
        with pytest.raises(InvalidRequest, match="LOOKALIKE_MODEL_REMOTE_CODE"):
            registry.describe(folder, ModelOptions())
        assert registry.describe(folder, allowed).dimensions == 12
        model = registry.load(folder, allowed)
        assert isinstance(model, HuggingFace)
        assert model.pooling == "own"
        assert not model.knows_text
        rows = model.embed([model.prepare(one) for one in PICTURES])
        assert rows.shape == (3, 12)


def test_code_of_its_own_that_gives_no_vectors_of_pictures_is_refused(tmp_path: Path, modules: None) -> None:
    folder = with_own_code(tmp_path / "noimages", method="get_sound_features")
    with pytest.raises(InvalidRequest, match="offers no get_image_features"):
        HuggingFace(str(folder), ModelOptions(device="cpu", remote_code=True))


def test_a_model_of_a_folder_of_models_is_found_there(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "models--someone--small-vit"
    shutil.copytree(checkpoints("vit"), folder / "snapshots" / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    options = ModelOptions(device="cpu", folder=tmp_path)
    assert registry.describe("someone/small-vit", options).revision.startswith(commit[:12])
    assert registry.load("someone/small-vit", options).facts.dimensions == 32
    with pytest.raises(InvalidRequest, match="model pull someone/small-vit"):
        registry.describe("someone/small-vit", ModelOptions())


def test_two_names_of_one_model_share_it(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkpoints("vit"))
    models = Models(CPU)
    assert models.get(str(checkpoints("vit"))) is models.get(str(link))
    models.close()


def test_quiet_is_put_back_by_the_last_of_many_threads() -> None:
    from transformers.utils import logging as remarks

    before = remarks.get_verbosity(), remarks.is_progress_bar_enabled()

    def work(_: int) -> None:
        for _ in range(200):
            with quiet():
                assert remarks.get_verbosity() > before[0]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert (remarks.get_verbosity(), remarks.is_progress_bar_enabled()) == before

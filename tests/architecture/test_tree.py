"""What must not stand in the tree: index hosts in locks, paths of somebody's machine, overgrown modules."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600
IMPORTS = {
    "prometheus-client": "prometheus_client",
    "argon2-cffi": "argon2",
    "python-multipart": "python_multipart",
}


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to it")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_lock_names_an_address() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "==" in text
        assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host", text)
        assert all("--hash=sha256:" in block for block in re.split(r"\n(?=\S)", text) if "==" in block), lock


def test_no_file_names_a_path_of_a_development_machine() -> None:
    places = [f"{ROOT}/", f"{Path.home()}/"]
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [path.name for place in places if place in text]
    assert not found


def test_no_module_is_overgrown() -> None:
    long = {p.name: n for p in (ROOT / "src").rglob("*.py") if (n := len(p.read_text().splitlines())) > LIMIT}
    assert not long


def test_every_dependency_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "src").rglob("*.py"))
    for requirement in project["dependencies"]:
        name = re.match(r"[A-Za-z0-9-]+", requirement)
        assert name is not None
        module = IMPORTS.get(name[0], name[0])
        used = re.search(rf"^\s*(?:import|from) {module}\b", source, re.M)
        # Starlette imports the form parser itself when a form is read
        assert used or module == "python_multipart", requirement


def test_ci_runs_the_command_of_the_readme() -> None:
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text()
    assert "./scripts/test" in (ROOT / "README.md").read_text()


def test_every_room_has_a_gate() -> None:
    rooms = {p.parent.name for p in (ROOT / "src" / "memcon").glob("*/__init__.py")}
    lines = re.findall(r"^gate \d+ (.+)$", (ROOT / "scripts" / "test").read_text(), re.M)
    assert sorted(room for line in lines for room in line.split()) == sorted(rooms)

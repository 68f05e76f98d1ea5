"""The documents say what the program does: every command, option, setting and finding code is in them."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from memcon.cli.main import COMMANDS, main
from memcon.intake.refusals import REFUSALS, REMARKS
from memcon.service.config import SETTINGS
from memcon.verify.findings import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EVERYWHERE = {"--home", "--json", "--help"}


def leaf_commands() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command: click.Command = importlib.import_module(f"memcon.cli.{name.replace('-', '_')}").command
        if isinstance(command, click.Group):
            for sub in command.commands.values():
                yield f"{name} {sub.name}", sub
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), [pytest.param(*c, id=c[0]) for c in leaf_commands()])
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    text = (DOCS / "CLI.md").read_text(encoding="utf-8")
    top = name.split()[0]
    section = re.search(rf"^## memcon {top}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section is not None
    assert f"memcon {name}" in section[0]
    options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")}
    for option in options - EVERYWHERE:
        assert option in section[1], f"{name}: {option}"
    if "--json" in options:
        assert "--json" in section[1], name


def test_every_setting_is_documented_with_its_default() -> None:
    text = (DOCS / "OPERATIONS.md").read_text(encoding="utf-8")
    for s in SETTINGS:
        name = f"`[[{s.table}]] {s.key}`" if s.table == "line" else f"`[{s.table}] {s.key}`"
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert s.expected in row
        default = row.split("|")[3].strip()
        if s.required:
            assert default == "required"
        elif s.default is None:
            assert default == "none"
        else:
            written = str(s.default).lower() if isinstance(s.default, bool) else str(s.default)
            assert default.strip("`").replace('"', "") == written.replace("'", "")


def test_every_finding_code_is_documented_as_it_is() -> None:
    rows = {}
    for line in (DOCS / "CODES.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            rows[cells[0].strip("`")] = cells
    assert set(rows) == set(CODES)
    for code, (severity, sentence, clause) in CODES.items():
        assert (rows[code][1], rows[code][2], rows[code][4]) == (severity, sentence, clause)
        assert len(rows[code][3]) > 20, f"{code}: say what to do"


def test_every_reason_for_refusing_a_file_is_documented_as_it_is() -> None:
    text = (DOCS / "CODES.md").read_text(encoding="utf-8")
    for code, row in (REFUSALS | REMARKS).items():
        assert f"| `{code}` | {row.sentence} | {row.cure} |" in text


def fenced(path: Path) -> Iterator[str]:
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S):
        yield from (line for line in block.splitlines() if line.strip())


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda p: p.name)
def test_commands_in_documents_are_commands(path: Path) -> None:
    for line in fenced(path):
        words = shlex.split(line)
        if words[0].startswith("./scripts/"):
            assert (ROOT / words[0]).exists(), line
        elif words[0] == ".venv/bin/memcon" or words[0] == "memcon":
            context = click.Context(main)
            command: click.Command | None = main.get_command(context, words[1])
            assert command is not None, line
            rest = words[2:]
            if isinstance(command, click.Group):
                command = command.get_command(context, rest[0])
                rest = rest[1:]
                assert command is not None, line
            known = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
            assert {word for word in rest if word.startswith("--")} <= known, line
        elif words[0] == "python3" and words[1].startswith("scripts/"):
            assert (ROOT / words[1]).exists(), line


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target

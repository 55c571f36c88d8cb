"""docs/commands.md names every command, and every option of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from pipeline.cli.app import app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
SAID_OF_ALL = {"--debug", "--quiet", "--help"}  # in a sentence behind the list
NETWORKS = {"--config", "--set", "--detector", "--pose", "--fetch", "--offline"}  # the sentence says what it stands for


def commands(group: Any, path: str = "") -> Iterator[tuple[str, set[str], set[str]]]:
    """Each command with the flags of which one must be on the page an option, and with all its flags."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
            continue
        flags = [{*option.opts, *option.secondary_opts} for option in command.params if option.opts[0].startswith("-")]
        # Of --render/--no-render, the page shows what changes something.
        shown = {(sorted(each & {f"--no-{f[2:]}" for f in each}) or [max(each, key=len)])[0] for each in flags}
        yield f"{path}{name}", shown, set().union(*flags)


COMMANDS = list(commands(get_command(app)))


@pytest.mark.parametrize(("name", "shown", "flags"), COMMANDS, ids=[name for name, _, _ in COMMANDS])
def test_the_page_of_commands_has_every_option(name: str, shown: set[str], flags: set[str]) -> None:
    words = name.replace(" list", r" \[list\]")
    found = re.search(rf"\bposeline {words}(?![\w-]).*?(?=\bposeline |```)", PAGE, re.DOTALL)
    assert found, f"docs/commands.md lacks poseline {name}"
    said = set(re.findall(r"--[a-z0-9][a-z0-9-]*", found[0]))
    if "NETWORKS" in found[0]:
        said |= NETWORKS
    assert shown - said - SAID_OF_ALL == set(), "docs/commands.md lacks these options"
    assert said - flags == set(), "docs/commands.md promises these options"

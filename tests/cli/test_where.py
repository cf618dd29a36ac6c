"""Which file of cli/ holds a command."""

from __future__ import annotations

import re
from pathlib import Path

import looptool_kit.cli as cli


def test_the_package_lists_the_file_of_each_command() -> None:
    listed = dict(re.findall(r"^    (\w+)\.py +(.+)$", cli.__doc__ or "", re.MULTILINE))
    file_of = {name: file for file, names in listed.items() for name in names.split(", ")}
    found = {}
    for command in cli.app.registered_commands:
        assert command.callback
        name = command.name or command.callback.__name__.replace("_", "-")
        found[name] = Path(command.callback.__code__.co_filename).stem
    for group in cli.app.registered_groups:
        first = group.typer_instance.registered_commands[0].callback  # type: ignore[union-attr]
        assert first
        found[str(group.name)] = Path(first.__code__.co_filename).stem
    assert file_of == found

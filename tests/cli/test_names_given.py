"""Names by which somebody else is meant already."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.later import _check_names
from pipeline.core.errors import PoselineError
from pipeline.store.folder import RunFolder
from pipeline.store.people_table import write_people


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run of the people 1 called Ann, 2 and 4."""
    folder = RunFolder(tmp_path)
    write_people(folder, [{"person_id": i, "name": name} for i, name in ((1, "Ann"), (2, ""), (4, ""))])
    return folder


@pytest.mark.parametrize("given", [{2: "Ben"}, {1: "Ann"}, {2: "Ann", 1: "Ben"}, {4: "4"}, {2: "7"}, {}])
def test_names_that_mean_one_person(folder: RunFolder, given: dict[int, str]) -> None:
    _check_names(folder, given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({2: "4"}, "--name 2=4: 4 is another person's number"),
        ({2: "Ann"}, "--name 2=Ann: person 1 is called Ann"),
        ({2: "Ben", 4: "Ben"}, "--name 2=Ben: person 4 is called Ben"),
    ],
)
def test_names_that_mean_two(folder: RunFolder, given: dict[int, str], said: str) -> None:
    with pytest.raises(PoselineError, match=said):
        _check_names(folder, given)

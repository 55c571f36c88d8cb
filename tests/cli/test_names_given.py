"""Names by which somebody else is meant already."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.later import _check_names, _first_id, _id_of
from pipeline.core.errors import PoselineError
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from pipeline.store.people_table import write_people


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run of the people 1 called Ann, 2 and 4."""
    folder = RunFolder(tmp_path)
    write_people(folder, [{"person_id": i, "name": name} for i, name in ((1, "Ann"), (2, ""), (4, ""))])
    folder.write_manifest(Manifest({"names": {"1": "Ann", "2": "Jo@n Lee"}}))
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


def test_people_are_meant_by_their_names_too(folder: RunFolder) -> None:
    assert [_id_of(folder, who, "--merge") for who in ("Ann", "4", "77", "")] == ["1", "4", "77", ""]
    assert _first_id(folder, "Jo@n Lee@12.4", "@", "--split") == "2@12.4"
    assert _first_id(folder, "3", "@", "--split") == "3"
    with pytest.raises(PoselineError, match="--drop Ben: 'Ben' is no person"):
        _id_of(folder, "Ben", "--drop")

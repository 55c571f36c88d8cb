"""Names by which somebody else is meant already."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.later import BETWEEN, Several, _check_names, _first_id, _id_of, _of_assign, _of_name, _of_swap
from pipeline.core.errors import PoselineError
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from pipeline.store.people_table import write_people


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run of the people 1 called Ann, 2 and 4."""
    folder = RunFolder(tmp_path)
    write_people(folder, [{"person_id": i, "name": name} for i, name in ((1, "Ann"), (2, ""), (4, ""))])
    folder.write_manifest(Manifest({"names": {"1": "Ann", "2": "Jo@n Lee", "4": "Lee, Bo"}}))
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


def test_people_of_corrections_are_meant_by_their_names_too(folder: RunFolder) -> None:
    assert _of_swap(folder, f"Ann{BETWEEN}Jo@n Lee@12.4") == "1 2@12.4"
    assert _of_swap(folder, f"Ann{BETWEEN}2") == "Ann 2"  # without a time: refused by who reads it
    assert _of_assign(folder, "Jo@n Lee@1.5-20=Lee, Bo") == "2@1.5-20=4"
    assert _of_assign(folder, "1@3=2") == "1@3=2"
    assert _of_name(folder, "Ann=Bea = B") == "1=Bea = B"
    assert _of_name(folder, "Ann") == "Ann"
    with pytest.raises(PoselineError, match="--assign Ben: 'Ben' is no person"):
        _of_assign(folder, "Ann@1-2=Ben")


def test_a_list_is_not_one_person_and_a_comma_in_a_name_makes_no_list(folder: RunFolder) -> None:
    assert _id_of(folder, "Lee, Bo", "--drop") == "4"
    with pytest.raises(PoselineError, match="--drop 1,4: takes one person; give --drop once for each"):
        _id_of(folder, "1,4", "--drop")


def test_join_takes_all_values_up_to_the_next_option(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(Several.__mro__[1], "parse_args", lambda self, ctx, args: seen.extend(args))
    given = ["RUN", "--join", "1", "Ann Lee", "3", "--merge", "4", "5", "--swap", "6", "7@1", "--join", "8", "9", "-q"]
    Several(name="people").parse_args(None, given)
    joined = [BETWEEN.join(each) for each in (("1", "Ann Lee", "3"), ("4", "5"), ("6", "7@1"), ("8", "9"))]
    assert seen == ["RUN", "--join", joined[0], "--merge", joined[1], "--swap", joined[2], "--join", joined[3], "-q"]

"""Options are declared once: commands share them, and what they set is there to be set."""

from __future__ import annotations

import ast
import inspect
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import typer

from pipeline.cli.app import app
from pipeline.cli.options import SHARED, Given, Option, takes
from pipeline.cli.values import parse_rate, parse_recorded
from pipeline.core.config import Config, with_settings
from pipeline.core.errors import PoselineError

CLI = Path(inspect.getfile(takes)).parent
RUN = Path("run")


def commands() -> dict[str, Any]:
    """Every function that takes options, by name."""
    found: dict[str, Any] = {}

    def walk(typed: typer.Typer) -> None:
        found.update((info.callback.__name__, info.callback) for info in typed.registered_commands if info.callback)
        for group in typed.registered_groups:
            walk(group.typer_instance)

    walk(app)
    return found


def declared() -> list[Option]:
    """All options: the shared ones, and those of one command, as its signature's source lists them."""
    own = []
    for command in commands().values():
        closure = inspect.getclosurevars(command).nonlocals
        own += closure.get("listed", [])
    return own


def test_what_an_option_sets_is_a_setting() -> None:
    options = declared()
    assert {option.name for option in options} >= set(SHARED)
    for option in options:
        if option.sets:
            section, key = option.sets.split(".")
            assert key in type(getattr(Config(), section)).model_fields, option.name


def test_a_command_reads_the_options_that_it_lists_and_no_others() -> None:
    known = commands()
    seen = 0
    for path in CLI.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name not in known:
                continue
            asked = {
                part.attr
                for part in ast.walk(node)
                if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "given"
            }
            assert asked - set(dir(Given)) <= set(inspect.signature(known[node.name]).parameters), node.name
            assert set(inspect.signature(known[node.name]).parameters).isdisjoint(dir(Given)), node.name
            seen += 1
    assert seen == len(known)


def test_no_option_is_declared_twice() -> None:
    seen: dict[tuple[str, str], Option] = {}
    for option in declared():
        assert seen.setdefault((option.name, option.help), option) is option, option.name


def test_what_was_given_becomes_settings_in_order() -> None:
    asked: list[Given] = []
    command = takes("set classes threads trust_checkpoint fov", Option("scale", float, "", "render.scale"))(
        asked.append
    )
    command(set=["fov=1"], classes="cat, dog", threads=0, trust_checkpoint=False, fov=None, scale=0.5)
    assert asked[0].changes("a.b=2") == [
        'detect.classes=["cat", "dog"]',
        "runtime.threads=0",
        "render.scale=0.5",
        "a.b=2",
        "fov=1",
    ]
    command(set=None, classes=None, threads=None, trust_checkpoint=True, fov=None, scale=None)
    assert asked[1].changes() == ["runtime.trust_checkpoint=true"]


def test_a_value_that_its_setting_does_not_take_is_told_with_its_option() -> None:
    asked: list[Given] = []
    takes("set", Option("people", int, "", "track.people"))(asked.append)(set=None, people=0)
    with pytest.raises(PoselineError, match=r"^--people 0: track\.people = 0: .*greater than or equal to 1"):
        asked[0].changes()


def test_off_takes_back_what_an_earlier_command_told() -> None:
    before = Config.model_validate({"metres": {"height_m": 1.8, "heights_m": {"2": 1.6}, "length": [0, 0, 100, 0, 2]}})
    asked: list[Given] = []
    recorded = parse_recorded("--recorded-fps", "off"), parse_recorded("--recorded-fps", "240")
    assert recorded == (None, 240)
    command = takes("people set height length ground pitch")(asked.append)
    command(people="off", set=None, height=["off"], length="off", ground="off", pitch=None)
    told = before.model_copy(update={"track": before.track.model_copy(update={"people": 3})})
    after = asked[0].with_metres(with_settings(told, asked[0].changes()))
    assert (after.track.people, after.metres) == (None, Config().metres)
    command(people="3", set=None, height=["off", "1=1.7"], length=None, ground="off", pitch="tennis")
    assert asked[1].changes() == ["track.people=3"]
    with pytest.raises(PoselineError, match=r"--height off: .* is not a number"):
        asked[1].with_metres(before)
    command(people="three", set=None, height=None, length=None, ground="off", pitch="tennis")
    with pytest.raises(PoselineError, match="--people three: write a whole number, such as 3, or off"):
        asked[2].changes()
    with pytest.raises(PoselineError, match=r"--pitch tennis: .*give --ground FILE"):
        asked[2].with_metres(before)


def test_no_3d_is_no_lifter_and_contradicts_one() -> None:
    asked: list[Given] = []
    command = takes("set lifter no_3d")(asked.append)
    command(set=None, lifter=None, no_3d=True)
    assert asked[0].changes() == ['lift.name="none"']
    command(set=None, lifter=None, no_3d=False)
    assert asked[1].changes() == []
    command(set=None, lifter="poseline", no_3d=True)
    with pytest.raises(PoselineError, match="--lifter: --no-3d says otherwise"):
        asked[2].changes()


def test_a_reader_names_the_flag() -> None:
    rate = Option("frame_rate", str, "", read=parse_rate)
    assert rate.value("30000/1001") == Fraction(30000, 1001)
    assert rate.value(None) is None
    with pytest.raises(PoselineError, match="--frame-rate 0: "):
        rate.value("0")


@pytest.mark.parametrize(
    ("command", "texts", "flag"),
    [
        ("run_command", {"inputs": ["x"], "out": "here", "work": Path("there")}, "--work"),
        ("plot_command", {"run_folder": RUN, "contact_sheet": True, "end": "1"}, "--end"),
        ("plot_command", {"run_folder": RUN, "contact_sheet": True, "what": "speed"}, "--what"),
        ("plot_command", {"run_folder": RUN, "contact_sheet": True, "cycles": True}, "--cycles"),
        ("plot_command", {"run_folder": RUN, "cycles": True, "start": "1"}, "--start"),
        ("plot_command", {"run_folder": RUN, "movement": "walk"}, "--movement"),
        ("eval_keypoints_command", {"gt": RUN, "pred": RUN, "detector": "yolox-tiny"}, "--detector"),
        ("eval_keypoints_command", {"gt": RUN, "pred": RUN, "gt_boxes": True}, "--gt-boxes"),
        ("eval_lift_command", {"gt": RUN, "pred": RUN, "seed": 3}, "--seed"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(
    monkeypatch: pytest.MonkeyPatch, command: str, texts: dict[str, Any], flag: str
) -> None:
    monkeypatch.setattr("pipeline.store.folder.RunFolder.existing", lambda path: path)
    called = commands()[command]
    defaults = {option.name: option.default for option in inspect.getclosurevars(called).nonlocals["listed"]}
    with pytest.raises(PoselineError, match=f"^{flag}: .*; leave it out$"):
        called(**{**defaults, **texts})

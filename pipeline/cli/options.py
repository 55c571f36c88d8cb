"""Options that several commands have, and what their texts mean."""

from __future__ import annotations

import json
import math
import sys
from fractions import Fraction
from typing import Annotated, Any

import typer

from pipeline.core.config import Config, load_config, with_settings
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Bar, Lines, Progress, Silent

ConfigOption = Annotated[str, typer.Option("--config", help="default, fast, or a TOML file.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change one setting, such as track.max_gap_s=2. Repeatable.")
]
DetectorOption = Annotated[str | None, typer.Option("--detector", help="Network that finds people.")]
PoseOption = Annotated[str | None, typer.Option("--pose", help="Network that estimates poses.")]
LifterOption = Annotated[
    str | None,
    typer.Option("--lifter", help="3D: poseline, mmpose:CONFIG@CHECKPOINT, none."),
]
FovOption = Annotated[
    float | None, typer.Option("--fov", min=5, max=150, help="Field of view across the picture's width, degrees.")
]
ClassesOption = Annotated[str | None, typer.Option("--classes", help="What is looked for: person, or cat,dog …")]
ReidOption = Annotated[
    str | None, typer.Option("--reid", help="onnx:FILE, a network that tells people apart; else colours of clothes.")
]
HeightOption = Annotated[
    list[str] | None, typer.Option("--height", help="1=1.78: person 1 is 1.78 m tall; 1.70: everybody. Repeatable.")
]
LengthOption = Annotated[str | None, typer.Option("--length", help="X1,Y1,X2,Y2=2.5: a known length, px and metres.")]
GroundOption = Annotated[
    str | None, typer.Option("--ground", help="TOML of points on the ground, or FILE#CAMERA of a calibration.")
]
PeopleOption = Annotated[int | None, typer.Option("--people", help="How many people there are, if that is known.")]
RandomOption = Annotated[
    int | None, typer.Option("--random-weights", help="Seed: mmdet: and mmpose: networks know nothing, for tests.")
]
TrustOption = Annotated[
    bool, typer.Option("--trust-checkpoint", help="Load checkpoints that may run any code they hold.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or openvino.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", help="CPU threads of the networks; 0: all cores.")]
StyleOption = Annotated[
    str | None,
    typer.Option("--style", help="default, clean, analysis, surveillance, presentation; --set render.… changes it."),
]
BlurOption = Annotated[
    str | None, typer.Option("--blur", help="faces or people: make everybody unrecognisable, whoever is drawn.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def config_of(source: str, sets: list[str] | None, **named: tuple[str, Any]) -> Config:
    """The config with the options given on the command line, each a (setting, value or None)."""
    return load_config(source, [*settings_of(**named), *(sets or [])])


def settings_of(**named: tuple[str, Any]) -> list[str]:
    """Options of the command line, each a (setting, value or None), as settings."""
    return [f"{key}={json.dumps(value)}" for key, value in named.values() if value is not None]


def progress_of(quiet: bool) -> Progress:
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


def with_metres(
    settings: Config,
    height: list[str] | None,
    length: str | None,
    ground: str | None,
    size_px: tuple[int, int] | None = None,
) -> Config:
    """The settings with the scales given on the command line."""
    from pipeline.measure.ground_file import read_ground
    from pipeline.measure.scales import parse_heights, parse_length

    given: dict[str, Any] = {}
    if height:
        given["height_m"], given["heights_m"] = parse_heights(height)
    if length is not None:
        given["length"] = parse_length(length)
    if ground is not None:
        given["ground"] = read_ground(ground, size_px)
    return settings.model_copy(update={"metres": settings.metres.model_copy(update=given)}) if given else settings


def parse_classes(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def parse_rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise PoselineError(f"--fps {text}: write a frame rate above 0, such as 25 or 30000/1001")
    return rate


def parse_seconds(option: str, text: str | None) -> float | None:
    """Seconds from ``12.5``, ``1:02.5`` or ``1:00:02.5``."""
    if text is None:
        return None
    try:
        seconds = 0.0
        for part in text.split(":"):
            seconds = 60 * seconds + float(part)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise PoselineError(f"{option} {text}: write seconds such as 12.5, or minutes and seconds such as 1:02.5")
    return seconds


def later_settings(folder: Any, config: str | None, sets: list[str]) -> Config:
    """The settings of a stage after observe; PoselineError for one that only observe could follow."""
    from pipeline.store.settings import later_config, stored_config

    stored = stored_config(folder)
    base = later_config(folder, load_config(config)) if config is not None else stored
    settings = with_settings(base, sets)
    if settings.digest("observe", "detect", "pose") != stored.digest("observe", "detect", "pose"):
        raise PoselineError(f"--set {' '.join(sets)}: the networks do not run again here; use poseline run with it")
    return settings

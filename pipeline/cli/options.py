"""Options as data: name, type, help and setting of each. A command's signature and settings are made from them."""

from __future__ import annotations

import functools
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from pipeline.cli.shots_file import read_shots
from pipeline.cli.values import OFF, parse_count, parse_names, parse_points, parse_recorded, parse_seconds, parse_teams
from pipeline.core import libraries
from pipeline.core.config import Config, load_config, with_settings
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Bar, Lines, Progress, Silent


@dataclass(frozen=True)
class Option:
    """An option of the command line. A ``default`` of ... marks a required option; None and False mean "not given"."""

    name: str  # in Python; the flag is --name where ``flags`` has none
    type: Any
    help: str
    sets: str = ""  # the setting, section.key, that the option sets; "": none, the command reads the option
    default: Any = None
    flags: tuple[str, ...] = ()
    read: Callable[[str, str], Any] | None = None  # of (flag, text): the value that the text stands for
    metavar: str | None = None
    min: float | None = None
    max: float | None = None

    def parameter(self) -> inspect.Parameter:
        """The option as a function parameter that Typer reads."""
        flags = self.flags or (self.flag,)
        info = typer.Option(self.default, *flags, help=self.help, metavar=self.metavar, min=self.min, max=self.max)
        kind = self.type | None if self.default is None else self.type
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=kind)

    def value(self, given: Any) -> Any:
        """The parsed value of the given text; PoselineError for a text that cannot be parsed."""
        return given if self.read is None or given is None else self.read(self.flag, given)

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


class Argument(Option):
    """A value without a flag, which must be given."""

    def parameter(self) -> inspect.Parameter:
        info = typer.Argument(..., metavar=self.metavar, help=self.help)
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=self.type)


# Options that several commands have; those of one command stand at the command.
SHARED = {
    option.name: option
    for option in (
        Argument("run_folder", Path, "A run folder.", metavar="RUN"),
        Option(
            "recorded_fps",
            str,
            "Frames recorded in a second, where the video plays another number: 240 for slow motion.",
            "time.recorded_fps",
            read=parse_recorded,
        ),
        Option(
            "time_zero",
            float,
            "Time of the video, in s, that is 0 in the tables: the trigger of a force plate.",
            "time.zero_s",
        ),
        Option("config", str, "default, fast, medium, wholebody, one-stage, or a TOML file.", default="default"),
        Option("set", list[str], "Change one setting, such as track.max_gap_s=2. Repeatable."),
        Option("detector", str, "Network that finds people.", "detect.name"),
        Option("pose", str, "Network that estimates poses.", "pose.name"),
        Option("lifter", str, "3D: poseline, mmpose:CONFIG@CHECKPOINT, none.", "lift.name"),
        Option("no_3d", bool, "Leave 3D out everywhere.", "lift.name", False, ("--no-3d",), lambda flag, given: "none"),
        Option("classes", str, "What is looked for: person, or cat,dog …", "detect.classes", read=parse_names),
        Option(
            "reid", str, "Network that tells people apart, NAME or onnx:FILE; else colours of clothes.", "observe.reid"
        ),
        Option("fetch", bool, "Fetch networks that are named and not here, without asking.", default=False),
        Option("offline", bool, "Never use a network connection.", default=False),
        Option("roi", str, "Look there alone: x1,y1,x2,y2 px, or a polygon x,y,x,y,…", "detect.roi", read=parse_points),
        Option("min_height", float, "Leave out people of fewer px from top to bottom.", "detect.min_height_px", min=0),
        Option("max_people", int, "At most so many in a frame, the largest.", "detect.max_people", min=0),
        Option("people", str, "How many people there are, if that is known; off.", "track.people", read=parse_count),
        Option(
            "drop_still", bool, "Leave out whoever never moves: pictures, dummies.", "track.drop_still", default=False
        ),
        Option(
            "shots",
            str,
            "CSV of when shots begin, such as a corrected shots.csv; auto: found again.",
            "track.told_shots",
            read=read_shots,
        ),
        Option(
            "teams",
            str,
            "auto, off, or two teams: A=red,B=white, or by people: A=3,B=7.",
            "teams.kits",
            read=parse_teams,
        ),
        Option("height", list[str], "1=1.78: person 1 is 1.78 m tall; 1.70: everybody; off. Repeatable."),
        Option("length", str, "X1,Y1,X2,Y2=2.5: a known length, px and metres; off."),
        Option("ground", str, "TOML of points on the ground, or FILE#CAMERA of a calibration; off."),
        Option("pitch", str, "football, basketball, handball, tennis, athletics or hockey: names points of --ground."),
        Option(
            "roll",
            float,
            "Degrees by which what is upright leans to the right in the picture.",
            "metres.roll_deg",
            min=-45,
            max=45,
        ),
        Option("fov", float, "Field of view across the picture's width, degrees.", "lift.fov_deg", min=5, max=150),
        Option(
            "random_weights",
            int,
            "Seed: mmdet: and mmpose: networks know nothing, for tests.",
            "runtime.random_weights",
        ),
        Option(
            "trust_checkpoint",
            bool,
            "Load checkpoints that may run any code they hold.",
            "runtime.trust_checkpoint",
            False,
        ),
        Option("device", str, "auto, cpu, cuda or openvino.", "runtime.device"),
        Option("threads", int, "CPU threads of the networks; 0: all cores.", "runtime.threads"),
        Option("start", str, "Seconds, or m:s, after the first frame, as the video plays.", read=parse_seconds),
        Option("end", str, "Seconds, or m:s, after the first frame, as the video plays.", read=parse_seconds),
        Option(
            "style",
            str,
            "default, clean, analysis, surveillance, presentation; --set render.… changes it.",
            "render.style",
        ),
        Option("blur", str, "faces or people: make everybody unrecognisable, whoever is drawn.", "render.blur"),
        Option("json", bool, "Print JSON.", default=False),
        Option("quiet", bool, "Print nothing but errors.", default=False, flags=("--quiet", "-q")),
        Option("debug", bool, "Show tracebacks.", default=False),
    )
}
METRES = "height length ground pitch"


class Given:
    """The parsed values of the command line: ``given.start`` is the value of --start."""

    def __init__(self, options: list[Option], texts: dict[str, Any]):
        self._options, self._texts = {option.name: option for option in options}, texts

    def __getattr__(self, name: str) -> Any:
        return self._options[name].value(self._texts[name])

    def changes(self, *more: str) -> list[str]:
        """Settings, section.key=value, that options set; then ``more``; then those of --set.

        Raises PoselineError for two options that set the same setting.
        """
        given = [o for name, o in self._options.items() if o.sets and self._texts[name] is not o.default]
        flags = {o.sets: o.flag for o in given}
        for option in given:
            if flags[option.sets] != option.flag:
                raise PoselineError(f"{option.flag}: {flags[option.sets]} says otherwise; give one of them")
        named = [self._setting(option) for option in given]
        return [*named, *more, *(self._texts.get("set") or [])]

    def _setting(self, option: Option) -> str:
        """The setting of an option; PoselineError that names the option where the setting does not take the value."""
        setting = f"{option.sets}={json.dumps(getattr(self, option.name))}"
        try:
            with_settings(Config(), [setting])
        except PoselineError as error:
            said = str(error).replace(f"--set {setting}", f"{option.flag} {self._texts[option.name]}")
            raise PoselineError(said) from error
        return setting

    def refuse(self, names: str, why: str) -> None:
        """Raise PoselineError where one of these options was given, which would have no effect."""
        for name in names.split():
            option = self._options[name]
            if self._texts[name] not in (None, [], option.default):
                raise PoselineError(f"{option.flag}: {why}; leave it out")

    def settings(self, source: str | None = None) -> Config:
        """The settings of --config, or of ``source``, with the changes of the options."""
        settings = load_config(source or self.config, self.changes())
        return self.with_metres(settings) if "height" in self._options else settings

    def with_metres(self, settings: Config, size_px: tuple[int, int] | None = None) -> Config:
        """The settings with the scales that --height, --length and --ground tell."""
        from pipeline.core.pitches import check_pitch
        from pipeline.measure.ground_file import read_ground
        from pipeline.measure.scales import parse_heights, parse_length

        told: dict[str, Any] = {}
        if self.height:
            told["height_m"], told["heights_m"] = parse_heights([] if self.height == [OFF] else self.height)
        if self.length is not None:
            told["length"] = None if self.length == OFF else parse_length(self.length)
        if self.pitch is not None and self.ground in (None, OFF):
            check_pitch(self.pitch)
            raise PoselineError(f"--pitch {self.pitch}: names points of a ground file; give --ground FILE, too")
        if self.ground is not None:
            told["ground"] = None if self.ground == OFF else read_ground(self.ground, size_px, self.pitch)
        return settings.model_copy(update={"metres": settings.metres.model_copy(update=told)}) if told else settings

    def progress(self) -> Progress:
        """The object that reports progress."""
        if self.quiet:
            return Silent()
        return Bar() if sys.stderr.isatty() else Lines()


def takes(*options: str | Option) -> Callable[[Callable[[Given], None]], Callable[..., None]]:
    """Make a command of a function of `Given`. Options stand in the order of the help; a text names a shared option."""
    listed = [
        option
        for entry in options
        for option in ([entry] if isinstance(entry, Option) else [SHARED[name] for name in entry.split()])
    ]

    def command_of(function: Callable[[Given], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**texts: Any) -> None:
            libraries.check()
            function(Given(listed, texts))

        parameters = [option.parameter() for option in listed]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return command_of


def later_settings(folder: Any, config: str | None, sets: list[str]) -> Config:
    """The settings of a stage after observe; PoselineError for one that only observe could follow."""
    from pipeline.store.settings import later_config, stored_config

    stored = stored_config(folder)
    base = later_config(folder, load_config(config)) if config is not None else stored
    settings = with_settings(base, sets)
    if settings.digest("observe", "detect", "pose") != stored.digest("observe", "detect", "pose"):
        raise PoselineError(f"--set {' '.join(sets)}: the networks do not run again here; use poseline run with it")
    return settings

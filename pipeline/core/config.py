"""Settings: TOML in, digests out. `pipeline.core.settings` lists all settings.

Every setting that can change a result is part of a digest. ``runtime`` holds settings that may not change any result
(threads, decoder, batch sizes). It is part of no digest, so that runs continue on other machines and compare equal.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import reprlib
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from pipeline.core.errors import PoselineError
from pipeline.core.settings import (
    DetectConfig,
    LiftConfig,
    LiveConfig,
    MetresConfig,
    ObserveConfig,
    PoseConfig,
    RenderConfig,
    ReportConfig,
    RuntimeConfig,
    Section,
    SmoothConfig,
    TeamsConfig,
    TimeConfig,
    TrackConfig,
    VideoConfig,
)
from pipeline.core.texts import parse_toml, read_text

NAMED = ("default", "fast", "medium", "wholebody", "one-stage")
# Settings that earlier versions had, and what replaces them.
GONE = {
    "observe.detect_every": "observe.detect_every_s, in seconds, replaces it",
    "detect.multipose_input": "detect.pixels replaces it",
    "detect.nanodet_input": "detect.pixels replaces it",
    "detect.multipose_score": "detect.score replaces it",
    "detect.nanodet_score": "detect.score replaces it",
    "pose.decode": "nothing replaces it",
}
# Settings that came later, and the values at which they change nothing.
LATER: dict[str, dict[str, Any]] = {
    "observe": {"activity": "off"},
    "detect": {"roi": [], "min_height_px": 0, "max_people": 0, "prefer": "largest", "tiles": "auto"},
    "render": {"teams": True},
}
_PACKAGE = Path(__file__).resolve().parents[1]


class Config(Section):
    """All settings of a run."""

    time: TimeConfig = TimeConfig()
    video: VideoConfig = VideoConfig()
    observe: ObserveConfig = ObserveConfig()
    detect: DetectConfig = DetectConfig()
    pose: PoseConfig = PoseConfig()
    track: TrackConfig = TrackConfig()
    teams: TeamsConfig = TeamsConfig()
    smooth: SmoothConfig = SmoothConfig()
    lift: LiftConfig = LiftConfig()
    metres: MetresConfig = MetresConfig()
    render: RenderConfig = RenderConfig()
    report: ReportConfig = ReportConfig()
    live: LiveConfig = LiveConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    def digest(self, *sections: str) -> str:
        """Hex digest of the named sections, by default of all sections that can change a table."""
        names = sections or ("observe", "detect", "pose", "track", "smooth", "lift", "metres")
        told = {n: _told(n, getattr(self, n)) for n in names}
        if not sections:  # runs without them keep the digest that they have
            time = {key: value for key, value in self.time.model_dump(mode="json").items() if value is not None}
            told |= {"time": time} if time else {}
            told |= {"teams": self.teams.model_dump(mode="json")} if self.teams != TeamsConfig() else {}
            told |= {"video": self.video.model_dump(mode="json")} if self.video != VideoConfig() else {}
        text = json.dumps(told, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _told(name: str, section: Section) -> dict[str, Any]:
    """A section's values; those of later settings only where they change something, so that digests stay."""
    idle = LATER.get(name, {})
    values = section.model_dump(mode="json")
    return {key: value for key, value in values.items() if key not in idle or value != idle[key]}


def without_gone(data: dict[str, Any]) -> dict[str, Any]:
    """Settings as an earlier version stored them, without the settings that no longer exist."""
    kept = {
        section: {key: value for key, value in values.items() if f"{section}.{key}" not in GONE}
        for section, values in data.items()
    }
    if kept.get("lift", {}).get("name") == "blazepose":  # BlazePose's own 3D was removed with its network
        kept["lift"]["name"] = LiftConfig().name
    return kept


def config_file(name: str) -> Path:
    """The TOML file of a named config (default, fast), in a checkout or an installed package."""
    for folder in (_PACKAGE.parent / "configs", _PACKAGE / "configs"):
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    raise PoselineError(
        f"--config {name}: the file {name}.toml is missing from the installation; install poseline again"
    )


def load_config(source: str | Path = "default", sets: list[str] | tuple[str, ...] = ()) -> Config:
    """A config from a name or a TOML file, changed by ``section.key=value`` settings.

    Raises PoselineError that names the file or setting, the value and what would be right.
    """
    if str(source) == "accurate" and not Path(source).is_file():
        raise PoselineError(
            "--config accurate: it is gone; default replaces it, with --set pose.flip_test=true if wanted"
        )
    path = config_file(str(source)) if str(source) in NAMED else Path(source)
    try:
        data = parse_toml(read_text(path))
    except OSError as error:
        raise PoselineError(
            f"--config {source}: cannot be read; give a TOML file or one of {', '.join(NAMED)}"
        ) from error
    except ValueError as error:
        raise PoselineError(f"{path}: not valid TOML: {error}") from error
    return with_settings(_validated(data, str(path)), sets)


def with_settings(config: Config, sets: list[str] | tuple[str, ...]) -> Config:
    """The config changed by ``section.key=value`` settings; PoselineError for a wrong setting."""
    for setting in sets:
        config = _with_setting(config, setting)
    return config


def _with_setting(config: Config, setting: str) -> Config:
    key, equals, text = setting.partition("=")
    if not equals:
        raise PoselineError(f"--set {setting}: write section.key=value, such as track.max_gap_s=2")
    try:
        value = parse_toml(f"value = {text}")["value"]
    except ValueError:
        value = None if text == "null" else text  # a bare word is a string
    data: dict[str, Any] = config.model_dump(mode="json")
    *sections, last = key.strip().split(".")
    here = data
    for name in sections:
        if not isinstance(here.get(name), dict):
            known = list(Config.model_fields)
            raise PoselineError(
                f"--set {setting}: there is no section {name}; sections are {', '.join(known)}{_nearest(name, known)}"
            )
        here = here[name]
    here[last] = value
    return _validated(data, f"--set {setting}")


def _validated(data: dict[str, Any], source: str) -> Config:
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(p) for p in first["loc"])
        if key in GONE:
            raise PoselineError(f"{source}: {key}: this setting is gone; {GONE[key]}") from error
        if first["type"] == "extra_forbidden":
            known = _known_keys(first["loc"][:-1])
            nearest = _nearest(str(first["loc"][-1]), known)
            raise PoselineError(f"{source}: unknown setting {key}; known are {', '.join(known)}{nearest}") from error
        raise PoselineError(f"{source}: {key} = {reprlib.repr(first['input'])}: {first['msg']}") from error


def _nearest(name: str, known: list[str]) -> str:
    """The end of an error message: the known name that was probably meant; empty where no name is similar."""
    near = difflib.get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    model: Any = Config
    for name in loc:
        field = getattr(model, "model_fields", {}).get(name)
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))  # the field may be optional
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), model)
    return sorted(getattr(model, "model_fields", Config.model_fields))

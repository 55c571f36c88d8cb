"""Settings: the files in configs/, --set, errors in one line, and what the digest depends on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.core.config import NAMED, Config, config_file, load_config, with_settings
from pipeline.core.errors import PoselineError
from pipeline.models.registry import check_names, missing

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FILES = sorted(CONFIGS.glob("*.toml"))


def keys(data: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted names of all settings in a nested dict."""
    out: set[str] = set()
    for name, value in data.items():
        out |= keys(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
    return out


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_every_config_file_loads_names_every_setting_and_known_networks(file):
    config = load_config(file)
    if named := missing(config):  # networks of the catalogue, which no test has here
        assert {network.name for network in named} <= {config.detect.name, config.pose.name}
    else:
        check_names(config)
    named = keys(tomllib.loads(file.read_text(encoding="utf-8")))
    assert named <= keys(Config().model_dump())
    assert named >= keys(Config().model_dump(exclude_none=True))


def test_the_default_file_is_the_default():
    assert load_config() == load_config("default") == Config()
    assert {f.stem for f in FILES} >= set(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_configs_are_found_by_name(name):
    assert config_file(name).name == f"{name}.toml"
    assert load_config(name) == load_config(CONFIGS / f"{name}.toml")


def test_a_file_may_leave_out_what_it_does_not_change(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[track]\nmax_gap_s = 2\n[detect]\npixels = 65536\n", encoding="utf-8")
    config = load_config(path)
    assert config.track.max_gap_s == 2.0
    assert config.detect.pixels == 65536
    assert config.pose == Config().pose
    path.write_text("")
    assert load_config(path) == Config()


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[track]\nmax_gap = 2\n", r"unknown setting track\.max_gap; known are .*; did you mean max_gap_s\?"),
        ("[tracks]\nmax_gap_s = 2\n", r"unknown setting tracks; known are .*observe.*track"),
        ("[metres.ground]\nimage = 2\n", r"unknown setting metres\.ground\.image; known are .*image_px"),
        ("[detect]\nnanodet_score = 0.3\n", r"detect\.nanodet_score: this setting is gone; detect\.score replaces it$"),
        ("[detect]\nmultipose_input = [{ share = 1 }]\n", r"gone; detect\.pixels replaces it$"),
        ("[track]\nmax_gap_s = -1\n", r"track\.max_gap_s = -1: .*greater than or equal to 0"),
        ("[track]\nmax_gap_s = 'long'\n", r"track\.max_gap_s = 'long': .*number"),
        ("[runtime]\ndevice = 'tpu'\n", r"runtime\.device = 'tpu': .*'auto', 'cpu', 'cuda' or 'openvino'"),
        ("track = 3\n", r"track = 3: "),
        ("[track\n", r"not valid TOML"),
        ("[track]\nmax_gap_s = 1\nmax_gap_s = 2\n", r"not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_file_key_and_remedy(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PoselineError, match=message) as error:
        load_config(path)
    assert one_line(error).startswith(f"{path}: ")


def test_a_file_that_is_missing_or_no_text(tmp_path):
    for path in (tmp_path / "gone.toml", tmp_path):
        with pytest.raises(
            PoselineError, match=r"--config .*: cannot be read; give a TOML file or one of default"
        ) as error:
            load_config(path)
        one_line(error)
    with pytest.raises(PoselineError, match=r"--config accurate: it is gone; default replaces it"):
        load_config("accurate")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PoselineError, match=r"binary: not valid TOML") as error:
        load_config(tmp_path / "binary")
    one_line(error)


# --- --set -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("track.max_gap_s=2", 2.0),
        ("track.max_gap_s=0.25", 0.25),
        ("track.max_gap_s = 5e-1", 0.5),
        ("observe.detect_every_s=0.2", 0.2),
        ("pose.name=wholebody", "wholebody"),
        ('pose.name="wholebody"', "wholebody"),
        ("runtime.device=cpu", "cpu"),
        ("render.enabled=false", False),
        ("render.enabled=true", True),
        ("detect.pixels=65536", 65536),
        ('detect.classes=["cat", "dog"]', ["cat", "dog"]),
        ("render.people=[]", []),
        ("metres.heights_m={1 = 1.5}", {"1": 1.5}),
        ('live.options={rtsp_transport = "udp"}', {"rtsp_transport": "udp"}),
    ],
)
def test_settings_change_exactly_what_they_name(setting, value):
    config = with_settings(Config(), [setting])
    path = setting.split("=")[0].strip().split(".")
    changed, same = config.model_dump(mode="json"), Config().model_dump(mode="json")
    here, default = changed, same
    for name in path[:-1]:
        here, default = here[name], default[name]
    assert here[path[-1]] == value
    assert type(here[path[-1]]) is type(value)
    here[path[-1]] = default[path[-1]]
    assert changed == same


def test_later_settings_win_and_go_over_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[track]\nmax_gap_s = 2\nconfirm_hits = 5\n")
    config = load_config(path, ["track.max_gap_s=3", "track.max_gap_s=4", "pose.min_score=0.2"])
    assert (config.track.max_gap_s, config.track.confirm_hits, config.pose.min_score) == (4, 5, 0.2)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("track.max_gap_s", r"write section\.key=value, such as track\.max_gap_s=2"),
        ("track.max_gap=2", r"unknown setting track\.max_gap; known are .*max_gap_s"),
        ("tracks.max_gap_s=2", r"there is no section tracks; sections are time, video, observe, .*runtime"),
        ("nothing=2", r"unknown setting nothing; known are detect"),
        ("track.max_gap_s.x=2", r"no section max_gap_s"),
        ("track.max_gap_s=-1", r"track\.max_gap_s = -1: .*greater than or equal to 0"),
        ("track.max_gap_s=", r"track\.max_gap_s = '': "),
        ("track.max_gap_s=nan", r"track\.max_gap_s = nan: "),
        ("track.max_gap_s=inf", r"track\.max_gap_s = inf: "),
        ("detect.pixels=65536.5", r"detect\.pixels = 65536\.5: .*integer"),
        ("detect.pixels=100", r"detect\.pixels = 100: .*greater than or equal to 4096"),
        ("observe.detect_every_s=-1", r"observe\.detect_every_s = -1: .*greater than or equal to 0"),
        ("observe.detect_every=2", r"observe\.detect_every: this setting is gone; observe\.detect_every_s, in seconds"),
        ("pose.decode=person", r"pose\.decode: this setting is gone; nothing replaces it"),
        ("render.enabled=perhaps", r"render\.enabled = 'perhaps': .*boolean"),
        ("pose.name=3", r"pose\.name = 3: .*string"),
        ("track=3", r"track = 3: "),
        ("=3", r"unknown setting"),
    ],
)
def test_a_wrong_setting_is_one_line_that_says_what_would_be_right(setting, message):
    with pytest.raises(PoselineError, match=message) as error:
        with_settings(Config(), [setting])
    assert one_line(error).startswith("--set ")


# --- the digest ------------------------------------------------------------------------------------------------------

NO_RESULT = ("runtime", "render", "report", "live")  # sections that change no table


def leaves(model: type[BaseModel] = Config, prefix: str = "") -> list[tuple[str, FieldInfo]]:
    """(dotted name, field) of every setting."""
    out = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            out += leaves(field.annotation, f"{prefix}{name}.")
        else:
            out.append((prefix + name, field))
    return out


def limit(field: FieldInfo, name: str, default: float) -> float:
    return next((getattr(m, name) for m in field.metadata if hasattr(m, name)), default)


ANOTHER = {
    "render.colour": "person",
    "render.angles": ["knee_flexion"],
    "render.people": [1],
    "detect.pixels": 65536,
    "detect.tiles": 6,
    "teams.kits": "A=red,B=white",
    "lift.fov_deg": 60.0,
    "smooth.order": 6,
    "track.told_shots": [[1.0, 2]],
    "metres.heights_m": {"1": 1.8},
    "metres.length": [0, 0, 100, 0, 2.0],
    "metres.ground": {"image_px": [[0, 0], [9, 0], [9, 9], [0, 9]], "plane_m": [[0, 0], [1, 0], [1, 1], [0, 1]]},
}


def another(value: Any, field: FieldInfo) -> Any:
    """A valid value other than this one."""
    if get_origin(field.annotation) is Literal:
        return next(v for v in get_args(field.annotation) if v != value)
    if value is None:
        return 1  # an optional number
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1 if value + 1 <= limit(field, "le", value + 1) else value - 1
    if isinstance(value, float):
        return value * 0.999 if value else limit(field, "le", 1.0) / 2
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, tuple | list):
        return [*value, value[0]] if value else [0.0, 0.0, 1.0, 1.0]
    if isinstance(value, dict):
        return {**value, "x": "y"}
    raise TypeError(f"no other value known for {value!r}")


def value_of(config: BaseModel, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config


def changed(path: str, value: Any) -> Config:
    data = Config().model_dump(mode="json")
    *sections, last = path.split(".")
    here = data
    for name in sections:
        here = here[name]
    here[last] = value
    return Config.model_validate(data)


@pytest.mark.parametrize(("path", "field"), leaves(), ids=lambda v: v if isinstance(v, str) else "")
def test_the_digest_depends_on_every_setting_that_changes_a_table(path, field):
    data = value_of(Config(), path)
    if isinstance(data, tuple):
        data = [v.model_dump() if isinstance(v, BaseModel) else v for v in data]
    config = changed(path, ANOTHER[path] if path in ANOTHER else another(data, field))
    assert config != Config()
    section = path.split(".")[0]
    assert (config.digest() == Config().digest()) == (section in NO_RESULT)
    assert config.digest(section) != Config().digest(section)
    others = [s for s in Config.model_fields if s != section]
    assert config.digest(*others) == Config().digest(*others)


def test_every_element_of_a_list_counts():
    lines = [[[0, 0, 100, 0, 2.0]], [[0, 0, 100, 1, 2.0]]]
    one, other = (with_settings(Config(), [f"metres.length={line[0]}"]).digest() for line in lines)
    assert len({one, other, Config().digest()}) == 3


def test_the_digest_does_not_depend_on_how_a_number_is_written():
    assert with_settings(Config(), ["track.max_gap_s=1"]).digest() == Config().digest()
    assert load_config("default", ["observe.chunk_frames=256"]).digest() == Config().digest()
    assert re.fullmatch(r"[0-9a-f]{16}", Config().digest())


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Config().track.max_gap_s = 3.0

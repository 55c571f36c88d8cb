"""Heights, lengths and ground files: what is read, and what a user is told of a mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.finish import _of_heights
from pipeline.measure.ground_file import read_ground
from pipeline.measure.measure import measure
from pipeline.measure.scales import check_length, parse_heights, parse_length
from pipeline.measure.zones import zone_column
from tests import synthetic
from tests.motion.motions import exact

POINTS = """
[[point]]
px = [100, 900]
m = [0, 0]
[[point]]
px = [1800, 900]
m = [6, 0]
[[point]]
px = [1300, 400]
m = [6, 9.5]
[[point]]
px = [600, 400]
m = [0, 9.5]
"""
ZONE = '[[zone]]\nname = "left half"\npolygon_m = [[0, 0], [3, 0], [3, 9.5], [0, 9.5]]\n'
# A camera 2 m above the floor that looks along y, 0.2 rad downwards.
CAMERA = """
[{name}]
name = "{name}"
size = [{w}, {h}]
matrix = [ [ 1000.0, 0.0, 540.0], [ 0.0, 1000.0, 960.0], [ 0.0, 0.0, 1.0]]
distortions = [ -0.05, 0.1, 0.0, 0.001]
rotation = [ 1.7707963, 0.0, 0.0]
translation = [ 0.0, 1.9601331, 0.3973387]
fisheye = false
"""
METADATA = "\n[metadata]\nadjusted = false\nerror = 0.0\n"


def _write(folder: Path, text: str) -> Path:
    path = folder / "ground.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _cameras(*names: str, w: int = 1080, h: int = 1920) -> str:
    return "".join(CAMERA.format(name=n, w=w, h=h) for n in names) + METADATA


def test_heights() -> None:
    assert parse_heights([]) == (None, {})
    assert parse_heights(["1.70", "1=1.78", " Ann = 1.66 "]) == (1.70, {"1": 1.78, "Ann": 1.66})
    config = MetresConfig(height_m=1.7, heights_m={"1": 1.78, "Ann": 1.66})
    assert [config.height_of(1), config.height_of(2), config.height_of(2, "Ann")] == [1.78, 1.7, 1.66]
    assert MetresConfig().height_of(1) is None
    assert MetresConfig(heights_m={"2": 1.9}).height_of(1, "2") is None  # a number is an id


def test_no_metres_where_the_camera_moves_and_no_ground_is_known() -> None:
    t = np.arange(90) / 30
    walk, config = exact(t, synthetic.walker(t)), MetresConfig(height_m=1.8)
    told, stands = (measure(walk, COCO17, config, (1920, 1080), moves=moves) for moves in (True, False))
    metric = [name for name in stands.motion.quantities if name.endswith(("_m_s", "_m_s2", "_distance_m"))]
    assert metric
    assert not set(metric) & set(told.motion.quantities)
    assert "max_speed_m_s" in stands.figures
    assert "max_speed_m_s" not in told.figures
    assert told.figures["metres_from"] == "nothing: the camera moves"
    assert any("no metres per second" in line for line in told.quality.warnings)


def test_one_person_has_one_height() -> None:
    config = MetresConfig(heights_m=parse_heights(["1=1.9", "Ann=1.6"])[1])
    assert [config.height_of(1), config.height_of(2, "Ann")] == [1.9, 1.6]
    walk = exact(np.arange(90) / 30, synthetic.walker(np.arange(90) / 30))
    for ask in (
        lambda: config.height_of(1, "Ann"),
        lambda: measure(walk, COCO17, config, (1280, 720), "Ann"),
    ):
        with pytest.raises(PoselineError) as error:
            ask()
        assert str(error.value) == "--height 1=1.9 and --height Ann=1.6: person 1 is called Ann; give one of them"
    same = MetresConfig(heights_m={"1": 1.6, "Ann": 1.6}, height_m=1.8)
    assert same.height_of(1, "Ann") == 1.6


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["178"], "--height 178: 178 m is no person's height (0.5–2.3 m); give metres, such as --height 1.70"),
        (["1=0.4"], "--height 1=0.4: 0.4 m is no person's height"),
        (["1=tall"], "--height 1=tall: 'tall' is not a number; give metres"),
        (["nan"], "--height nan: 'nan' is not a number"),
        (["1="], "--height 1=: 'nothing' is not a number"),
        (["=1.7"], "--height =1.7: names nobody before =; give metres"),
        (["1=1.7", "1=1.8"], "--height 1=1.8: 1 has another height already; give one of them"),
        (["1.7", "1.8"], "--height 1.8: everybody has another height already; give one of them"),
    ],
)
def test_wrong_heights(texts: list[str], says: str) -> None:
    with pytest.raises(PoselineError) as error:
        parse_heights(texts)
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


def test_length() -> None:
    assert parse_length("100,900, 700,900=2.5") == (100, 900, 700, 900, 2.5)
    check_length(None, "a.mp4", (1, 1))
    check_length((100, 900, 700, 900, 2.5), "a.mp4", (1000, 900))
    with pytest.raises(
        PoselineError, match=r"^--length 100,900,1700,900=2.5: an end lies outside a.mp4, .* 1000 × 900"
    ):
        check_length((100, 900, 1700, 900, 2.5), "a.mp4", (1000, 900))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("100,900,700=2.5", "--length 100,900,700=2.5: has 3 coordinates, not 4; write X1,Y1,X2,Y2=METRES"),
        ("100,900,700,900", "--length 100,900,700,900: 'nothing' is not a number; write X1,Y1,X2,Y2=METRES"),
        ("100,900,700,b=2", "--length 100,900,700,b=2: 'b' is not a number"),
        ("100,900,700,900=-2", "--length 100,900,700,900=-2: -2 m is no length"),
        ("100,900,103,904=1", "--length 100,900,103,904=1: is only 5.0 px long; take a longer one"),
    ],
)
def test_wrong_lengths(text: str, says: str) -> None:
    with pytest.raises(PoselineError) as error:
        parse_length(text)
    assert str(error.value).startswith(says)


def test_points_and_zones(tmp_path: Path) -> None:
    ground = read_ground(_write(tmp_path, POINTS + ZONE), (1920, 1080))
    assert ground.image_px[1] == (1800, 900)
    assert ground.plane_m[2] == (6, 9.5)
    assert ground.camera is None
    assert ground.zones == {"left half": ((0, 0), (3, 0), (3, 9.5), (0, 9.5))}
    assert zone_column("left half") == "zone_left_half_s"
    config = MetresConfig(ground=ground)
    assert MetresConfig.model_validate(config.model_dump(mode="json")) == config  # self-contained, for run.json


def test_a_camera_is_chosen(tmp_path: Path) -> None:
    one = _write(tmp_path, _cameras("cam01"))
    assert read_ground(one).camera == read_ground(f"{one}#cam01", (1080, 1920)).camera
    two = _write(tmp_path, _cameras("cam01").replace(METADATA, "") + _cameras("cam02", w=1920, h=1080))
    chosen = read_ground(two, (1920, 1080)).camera
    assert chosen is not None
    assert chosen.name == "cam02"
    assert chosen.size_px == (1920, 1080)
    both = _write(tmp_path, _cameras("cam01", "cam02"))
    with pytest.raises(
        PoselineError, match=r"ground\.toml: has cameras cam01, cam02; name the video's, as in .*#cam01"
    ):
        read_ground(both, (1080, 1920))
    with pytest.raises(PoselineError, match=r"#cam9: there is no camera cam9; cameras are cam01, cam02"):
        read_ground(f"{both}#cam9")


def test_a_camera_at_another_size_is_scaled(tmp_path: Path) -> None:
    path = _write(tmp_path, _cameras("cam01"))
    camera = read_ground(path, (540, 960)).camera
    assert camera is not None
    np.testing.assert_allclose(camera.matrix, [[500, 0, 270], [0, 500, 480], [0, 0, 1]])
    assert camera.distortions == (-0.05, 0.1, 0.0, 0.001)
    with pytest.raises(
        PoselineError, match=r"size = \[1080, 1920\] has not the shape of the video, 1920×1080 px; name"
    ):
        read_ground(path, (1920, 1080))


def _four(*changes: tuple[str, str]) -> str:
    text = POINTS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


BEHIND = _four(("[1300, 400]", "[1300, 1050]"))  # a corner that is nearer than it can be
LINE = "".join(f"[[point]]\npx = [{100 + 300 * i}, {900 - 10 * i}]\nm = [{i}, {2 * i}]\n" for i in range(5))
FIFTH = POINTS + "[[point]]\npx = [1000, 700]\nm = [5, 1]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[point]", "not valid TOML"),
        ("", "is empty, but no [[point]] and no camera with a matrix; write [[point]] px"),
        ("[points]\na = 1", "has points, but no [[point]] and no camera"),
        (POINTS.rpartition("[[point]]")[0], "has 3 points; a plane takes at least 4, no three of them on a line"),
        (_four(("m = [6, 0]", "m = [6]")), "point 2 m = [6] is not 2 numbers; write [x, y]"),
        (_four(("m = [6, 0]", "")), "point 2 m is missing; write [x, y]"),
        (_four(("m = [6, 0]", "meters = [6, 0]")), "unknown meters in point 2; known are m, name, px, time_s"),
        (POINTS + "[camera]\na = 1", "unknown camera in the file; known are point"),
        ("point = 3", "point is no list of tables; write [[point]]"),
        (
            _four(("[1800, 900]", "[1800, 1200]")),
            "point 2 px = [1800, 1200] is outside the picture of 1920×1080 px; give",
        ),
        (LINE, "the points fix no plane, since too many of them lie on a line or at one place; spread the points"),
        (BEHIND, "the points lie on both sides of the horizon, so that some px and m are not of one another; spread"),
        (FIFTH, "no plane fits the points: the worst, point 4 px = [600, 400], is off by "),
        (POINTS + '[[zone]]\nname = "a"\npolygon_m = [[0, 0], [1, 1]]', "zone a polygon_m has no three corners; write"),
        (POINTS + "[[zone]]\npolygon_m = [[0, 0], [1, 1], [1, 0]]", "zone 1 name = None is no name of its own; write"),
        (POINTS + ZONE + ZONE.replace("left half", "Left-half"), "zone 2 name = 'Left-half' is no name of its own"),
        (
            _cameras("cam01").replace("fisheye", "fishy"),
            "unknown fishy in camera cam01; known are distortions, fisheye",
        ),
        (
            _cameras("cam01").replace("-0.05, ", ""),
            "camera cam01 distortions = [0.1, 0.0, 0.001] are not OpenCV's 4, 5",
        ),
        (_cameras("cam01").replace("[ 1000.0, 0.0, 540.0]", "[0, 0, 0]"), "camera cam01 has no positive focal length"),
        (_cameras("cam01").replace("1.7707963, 0.0", "0.0"), "camera cam01 rotation = [0.0, 0.0] is not 3 numbers"),
        (_cameras("cam01").replace("1.9601331", "-1.96"), "camera cam01 is at z = "),
        (_cameras("cam01").replace("= false\n\n", '= "no"\n\n'), "camera cam01 fisheye = 'no': "),
    ],
)
def test_wrong_ground_files(tmp_path: Path, text: str, says: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(PoselineError) as error:
        read_ground(path, (1920, 1080) if "point" in text else None)
    assert str(error.value).startswith(f"{path}: {says}")
    assert "\n" not in str(error.value)
    assert ";" in str(error.value)  # the remedy


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PoselineError, match=r"--ground .*none\.toml: cannot be read; give a TOML file"):
        read_ground(tmp_path / "none.toml")
    with pytest.raises(PoselineError, match=r"has points and no cameras; leave #cam01 out"):
        read_ground(f"{_write(tmp_path, POINTS)}#cam01")


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError):
        MetresConfig(height_m=17.0)
    with pytest.raises(ValidationError):
        MetresConfig(heights_m={"1": 0.1})
    with pytest.raises(ValidationError):
        MetresConfig(hight_m=1.7)  # type: ignore[call-arg]


def test_heights_that_are_nobodys_or_several_peoples_are_told() -> None:
    people = [{"person_id": i, "name": name} for i, name in ((1, "Ann"), (2, "Ann"), (3, ""))]
    heights = parse_heights(["1=1.9", "Ann=1.6", "Bob=1.7", "9=1.8"])[1]
    lines = _of_heights(Config(metres=MetresConfig(heights_m=heights)), people)
    assert lines == [
        "--height Ann=1.6: people 1 and 2 are called Ann; all of them get this height",
        "--height Bob=1.7: nobody is called Bob; nobody gets this height",
        "--height 9=1.8: there is no person 9; nobody gets this height",
    ]

"""The methods section says what run.json and the tables say, and nothing where they say nothing.

``POSELINE_GOLDEN=write pytest tests/report/test_methods.py`` writes the texts of `METHODS` again; read the difference.
"""

from __future__ import annotations

import copy
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cli.app import app
from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import SmoothConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.version import VERSION
from pipeline.models.registry import DETECTORS, POSES
from pipeline.motion.smooth import smooth_all
from pipeline.motion.trajectories import Trajectories
from pipeline.report import methods_video
from pipeline.report.methods import PARTS, Methods, methods_of, renew_methods, write_methods
from pipeline.report.methods_facts import RunFacts
from pipeline.report.methods_signal import calm_cutoff_hz
from pipeline.report.methods_sources import AUTHORS, EMBEDDED, FILES, POSELINE, SOURCES
from pipeline.store.manifest import Manifest
from tests.report.runs import report_run

METHODS = Path(__file__).parent / "methods"
CITATION = Path(__file__).resolve().parents[2] / "CITATION.cff"
VERSIONS = {"poseline": VERSION, "numpy": "2.4.6", "onnxruntime": "1.32.0", "lap": "not installed", "python": "3.11.9"}
PLANE = ["left_knee_flexion_deg", "left_knee_flexion_deg_s", "left_knee_flexion_deg_std", "left_knee_flexion_state"]
PLANE += ["left_hip_flexion_deg", "trunk_lean_deg", "left_knee_valgus_deg", "com_x_px"]
SPACE = ["left_knee_world_x_m", "left_knee_x_m", "left_knee_z_m", "left_knee_std_m", "left_knee_flexion_3d_deg"]
FLOOR = ["ground_x_m", "ground_distance_m"]


def manifest(config: Config | None = None, **entries: Any) -> dict[str, Any]:
    return {
        "finished": True,
        "video": {
            "path": "/clips/walk_1*.mp4", "kind": "file", "width_px": 1920, "height_px": 1080, "frames": 900,
            "fps": "30000/1001", "codec": "h264",
        },
        "frames_observed": [0, 900],
        "keypoints": HALPE26.spec(),
        "config": (config or Config()).model_dump(mode="json"),
        "config_digest": "34043fb714a6a3c4",
        "networks": {"rtmpose-s.onnx": "445f6fbd7072c769", "yolox-tiny.onnx": "b37f4a480597d361"},
        "lifter": {"name": "poseline", "networks": {"lifter": "d95e7c400b3dbe4c"}},
        "field_of_view": {"deg": 55.0, "from": "assumed"},
        "versions": VERSIONS,
        "stages_s": {"track": 3.0},
        "lift_s": 1.5,
        "edits": [],
        "edits_skipped": [],
    } | entries  # fmt: skip


def people(*sources: str, **figures: Any) -> list[dict[str, Any]]:
    return [
        {
            "person_id": i, "name": "Ann" if i == 2 else "", "duration_s": 10.5 * i, "frames_measured": 300 * i,
            "frames_interpolated": 12, "suspicious": "", "px_per_m_from": source, "height_3d_m": 1.69, "steps": 0.0,
            "jumps": 0.0, "repetitions": 0.0,
        } | figures
        for i, source in enumerate(sources, 1)
    ]  # fmt: skip


def facts(told: dict[str, Any], who: list[dict[str, Any]] | None = None, *more: str, drawn: bool = False) -> RunFacts:
    who = people("assumed height 1.70 m", "assumed height 1.70 m") if who is None else who
    shares = {"joint": "nose", "interpolated_share": "0.02", "swapped_share": "0.0004"}
    quality = [{"person_id": str(p["person_id"]), **shares} for p in who]
    return RunFacts(told, who, frozenset([*PLANE, *more]), quality, drawn)


GROUND = {"image_px": [[0, 0], [9, 0], [9, 9], [0, 9]], "plane_m": [[0, 0], [9, 0], [9, 9], [0, 9]]}
NO_3D = {"lifter": {"name": "none", "networks": {}}}
HEIGHTS = people("height 1.78 m", "height 1.66 m", height_3d_m=1.7, steps=14.0, jumps=1.0)
EMPTY = {"keypoints", "networks", "versions", "config", "stages_s", "edits", "edits_skipped", "lifter", "field_of_view"}


def without_3d(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (told | NO_3D).items() if key != "field_of_view"}


def old() -> RunFacts:
    told = {key: value for key, value in manifest().items() if key not in EMPTY | {"config_digest"}}
    rows = [{"person_id": 1, "name": "", "duration_s": 3.0, "frames_measured": 90, "frames_interpolated": 0}]
    return RunFacts(told, rows, frozenset(), [], True)


def live() -> RunFacts:
    config = load_config("default", ["smooth.method=fixed_lag", "smooth.unswap=false"])
    video = {**manifest()["video"], "kind": "live", "codec": "live", "path": "rtsp://cam/1", "frames": 900}
    told = manifest(config, video=video, stages_s={}, live={"segment": 0}, rendered_privacy={"blur": "faces"})
    return facts(told, None, *SPACE, drawn=True)


def other_networks() -> RunFacts:
    sets = [
        "detect.name=mmdet:rtmdet_m.py@a/best.pth",
        "pose.name=onnx:/nets/hrnet.onnx",
        "observe.reid=onnx:b/reid.onnx",
    ]
    digests = {"mmdet:rtmdet_m": "11", "mmdet:rtmdet_m weights": "22", "hrnet.onnx": "33", "reid.onnx": "44"}
    told = without_3d(manifest(load_config("default", [*sets, "lift.name=none"]), networks=digests))
    return facts(told | {"keypoints": COCO17.spec()})


def one_stage() -> RunFacts:
    told = manifest(load_config("default", ["pose.name=onnx:/nets/rtmo.onnx"]), networks={"rtmo.onnx": "55"})
    return facts(told, None, *SPACE)


def random_weights() -> RunFacts:
    sets = ["pose.name=mmpose:td-hm_hrnet.py", "lift.name=none"]
    digests = {"mmpose:td-hm_hrnet": "66", "mmpose:td-hm_hrnet weights": "random, seed 1", "yolox-tiny.onnx": "b3"}
    return facts(without_3d(manifest(load_config("default", sets), networks=digests)))


def with_height() -> RunFacts:
    told = manifest(load_config("default", ['metres.heights_m={"1"=1.78, "Ann"=1.66}', "lift.fov_deg=60"]))
    told = {key: value for key, value in told.items() if key != "field_of_view"}
    return facts(told | {"edits": ["name 2=Ann", "merge 3 7"]}, HEIGHTS, *SPACE, "path_distance_m")


def with_ground() -> RunFacts:
    told = manifest()
    told["config"]["metres"]["ground"] = GROUND | {"camera": None, "zones": {}}
    who = people("ground", "ground", sprinting_s=0.0)
    estimated = {"deg": 37.0, "from": "estimated", "focal_std_percent": 9.5}
    return facts(told | {"field_of_view": estimated}, who, *SPACE, *FLOOR)


def slow_motion() -> RunFacts:
    config = load_config("default", ["smooth.method=butterworth", "smooth.cutoff_hz=8", "time.recorded_fps=240"])
    time = {"recorded_fps": "240", "played_fps": "30000/1001", "real_s_per_video_s": 0.12487512487512488}
    told = manifest(config, time=time, frames_observed=[90, 600])
    told["table_versions"] = VERSIONS | {"numpy": "2.5.0"}
    return facts(told, None, *SPACE)


CASES = {
    "default": lambda: facts(manifest(), None, *SPACE),
    "fast": lambda: facts(manifest(load_config("fast")), None, *SPACE),
    "no_3d": lambda: facts(without_3d(manifest(load_config("default", ["lift.name=none"])))),
    "height": with_height,
    "ground": with_ground,
    "slow_motion": slow_motion,
    "live": live,
    "other_networks": other_networks,
    "one_stage": one_stage,
    "random_weights": random_weights,
    "old": old,
    "nobody": lambda: facts(manifest(), []),
}


@pytest.mark.parametrize("name", CASES)
def test_golden_texts(name: str) -> None:
    methods, path = methods_of(CASES[name]()), METHODS / f"{name}.txt"
    if os.environ.get("POSELINE_GOLDEN") == "write":
        path.write_text(methods.text, encoding="utf-8")
    assert methods.text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_every_citation_is_in_the_references_and_only_those(name: str) -> None:
    methods = methods_of(CASES[name]())
    said = " ".join(text for _, text in methods.parts)
    assert "[@" not in said
    assert "[=" not in said
    for source in SOURCES.values():
        assert (source.short in said) == (source.full in methods.references), source.short
    assert "None" not in said
    assert not any(text.endswith((" .", "..")) for _, text in methods.parts)


def without(told: Any, path: tuple[str, ...]) -> dict[str, Any]:
    out = copy.deepcopy(dict(told))
    inner = out
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return out


def test_a_run_that_lacks_any_entry_still_has_its_text_and_never_a_later_default() -> None:
    whole = manifest()
    paths = [(key,) for key in whole if key not in ("video", "frames_observed")]
    paths += [("config", section) for section in whole["config"]]
    paths += [
        ("config", s, key) for s in ("observe", "detect", "pose", "track", "smooth") for key in whole["config"][s]
    ]
    for path in paths:
        text = methods_of(facts(without(whole, path), None, *SPACE)).text
        assert "None" not in text, path
    assert "lines of sight" not in methods_of(facts(without(whole, ("lift_s",)), None, *SPACE)).text
    text = methods_of(facts(without(whole, ("config", "smooth", "noise_len")), None, *SPACE)).text
    assert "Kalman" not in text
    assert "body lengths" not in text


def test_names_of_the_users_cannot_cite_nor_format() -> None:
    told = manifest()
    told["video"]["path"] = "/clips/[@winter_x] *a* <b>.mp4"
    methods = methods_of(facts(told))
    assert "The video [@winter_x] *a* <b>.mp4 (" in methods.text
    assert r"The video \[@winter\_x\] \*a\* \<b\>.mp4 (" in methods.markdown


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (
            ["smooth.method=savgol"],
            "Savitzky–Golay filter (Savitzky and Golay 1964) of degree 3 with a window of 0.2 s (7 f",
        ),
        (["smooth.method=one_euro"], "one euro filter (Casiez et al. 2012)"),
        (["smooth.method=none"], "Coordinates were not smoothed. Gaps of up to 1 s were bridged by straight lines"),
        (["smooth.method=butterworth", "smooth.cutoff_hz=13"], "at 29.97 frames/s leaves coordinates as they are"),
        (["smooth.unswap=false"], "Left and right were left as the network gave them."),
        (["observe.detect_every_s=0"], "People were looked for in every frame at scores of 0.3"),
        (["track.people=2"], "The number of people, 2, was given."),
        (["track.relink=false", "track.camera=false"], "the colours of their clothes. People"),
    ],
)
def test_settings_are_told_as_they_were(sets: list[str], said: str) -> None:
    assert said in methods_of(facts(manifest(load_config("default", sets)), None, *SPACE)).text


def test_packages_that_an_earlier_version_did_not_name_are_no_other_ones() -> None:
    told = manifest(versions={"poseline": "0.0.9", "numpy": "2.4.6"}, table_versions=VERSIONS)
    said = methods_of(facts(told)).text
    assert f"Everything after pose estimation was done with poseline {VERSION}." in said
    assert "All settings not named here" not in said
    same = manifest(versions={"numpy": "2.4.6"}, table_versions=VERSIONS)
    assert "Everything after" not in methods_of(facts(same)).text


def test_who_has_no_place_in_a_world_still_has_a_lens_and_a_height() -> None:
    said = dict(methods_of(facts(manifest(), None, "left_knee_x_m", "left_knee_z_m")).parts)["Three dimensions"]
    assert "placed before the camera. The field of view across the picture was not known" in said
    assert "people were taken to be 1.70 m tall" in said
    assert "world" not in said


@pytest.mark.parametrize("fps", [25, 60, 240])
def test_a_calm_keypoint_is_filtered_as_the_text_says(fps: int) -> None:
    t, size, config = np.arange(0, 20, 1 / fps), 400.0, SmoothConfig()
    hz = calm_cutoff_hz(config.noise_len, config.least_jerk, fps)
    path = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)], -1).astype(np.float32)[:, None]
    rows = (len(t), 1)
    one = Trajectories(
        t, path, np.ones(rows, np.float32), np.ones(rows, bool), np.full(len(t), size), np.zeros(rows, bool)
    )
    density = np.full(rows, (config.least_jerk * size) ** 2, np.float32)
    smooth = smooth_all([one], [density], config, 1.0)[0].position[:, 0]
    middle = slice(len(t) // 3, 2 * len(t) // 3)
    gain = (smooth[middle] * path[middle, 0]).sum(-1).mean()
    assert gain == pytest.approx(0.5, abs=0.03)


def test_what_is_said_of_poseline_and_of_the_embedded_networks_is_so() -> None:
    text = CITATION.read_text(encoding="utf-8")
    assert f'title: "{POSELINE}"' in text
    assert f"- name: {AUTHORS}" in text
    assert {name: entry.files for name, entry in {**DETECTORS, **POSES}.items()} == EMBEDDED
    assert set(FILES) == {file for files in EMBEDDED.values() for file in files}
    project = tomllib.loads((CITATION.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION
    assert {title for title, _ in PARTS} >= {title for title, _ in methods_of(CASES["default"]()).parts}


def test_files_of_a_run_are_written_renewed_and_refused_before_it_is_finished(tmp_path: Path) -> None:
    folder = report_run(tmp_path / "run", video=False)
    assert renew_methods(folder) == []
    assert not folder.methods_md.exists()
    methods = write_methods(folder)
    assert isinstance(methods, Methods)
    assert folder.methods_txt.read_text(encoding="utf-8") == methods.text
    assert folder.methods_md.read_text(encoding="utf-8") == methods.markdown
    told = folder.manifest()
    told["config"]["smooth"]["method"] = "none"
    folder.write_manifest(Manifest(told))
    renew_methods(folder)
    assert "Coordinates were not smoothed." in folder.methods_md.read_text(encoding="utf-8")
    folder.write_manifest(Manifest(folder.manifest() | {"finished": False}))
    with pytest.raises(PoselineError, match="not finished"):
        write_methods(folder)


def test_the_command_prints_what_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = report_run(tmp_path / "run", video=False)
    app(["methods", str(folder.path)], standalone_mode=False)
    out, err = capsys.readouterr()
    assert out == folder.methods_txt.read_text(encoding="utf-8")
    assert "methods.md" in err
    app(["methods", str(folder.path), "--quiet"], standalone_mode=False)
    assert capsys.readouterr() == ("", "")


def test_a_network_by_name_is_told_with_its_digest():
    digests = {"rtmpose-m-feet.onnx": "77", "yolox-tiny.onnx": "b3"}
    told = facts(without_3d(manifest(load_config("default", ["pose.name=rtmpose-m-feet"]), networks=digests)))
    assert methods_video._network(told, "pose", "rtmpose-m-feet", "MMPose") == (
        "the network rtmpose-m-feet (file rtmpose-m-feet.onnx, SHA-256 77…)"
    )


def test_files_of_one_name_are_told_by_their_roles():
    sets = ["detect.name=onnx:a/end2end.onnx", "pose.name=onnx:b/end2end.onnx"]
    digests = {"detector end2end.onnx": "77", "pose end2end.onnx": "88"}
    told = facts(without_3d(manifest(load_config("default", sets), networks=digests)))
    found, posed = methods_video.estimation(told)
    assert "the network of the file end2end.onnx (SHA-256 77…)" in found
    assert "the network of the file end2end.onnx (SHA-256 88…)" in posed

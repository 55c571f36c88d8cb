"""Names of networks, their files and digests, and the devices they run on."""

from __future__ import annotations

import shutil

import numpy as np
import onnxruntime
import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17
from pipeline.lift.registry import build_lifter, lifter_facts
from pipeline.models import registry
from pipeline.models.protocols import NetworkFacts
from pipeline.models.registry import DETECTORS, POSES, build_models, check_names, run_facts
from pipeline.models.runtime import ASSETS, Session, file_digest, pick_device
from tests import laboratory


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"detect": {"name": "yolo"}}, r"--detector yolo: no such network; choose one of yolox-tiny, mmdet:…, onnx:…"),
        ({"pose": {"name": "hrnet"}}, r"--pose hrnet: no such network; choose one of rtmpose-s, .*wholebody"),
        ({"detect": {"name": "mmdetect:x"}}, r"--detector mmdetect:x: no such network; .*mmdet:…, onnx:…"),
        ({"detect": {"classes": ["dog"]}}, r"--classes dog: yolox-tiny knows persons only; give another --detector"),
        ({"detect": {"name": "nanodet"}}, "--detector nanodet: this network is gone; yolox-tiny replaces it"),
        (
            {"detect": {"name": "movenet-multipose+nanodet"}},
            r"--detector movenet-multipose\+nanodet: this network is gone; yolox-tiny replaces it",
        ),
        ({"pose": {"name": "movenet-thunder"}}, "--pose movenet-thunder: this network is gone; rtmpose-s replaces it"),
        ({"pose": {"name": "blazepose-heavy"}}, "--pose blazepose-heavy: this network is gone; rtmpose-s replaces it"),
    ],
)
def test_networks_that_cannot_be_used_are_named(settings, message):
    config = Config.model_validate(settings)
    for ask in (check_names, run_facts, build_models):
        with pytest.raises(PoselineError, match=message) as error:
            ask(config)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blazepose", "--lifter blazepose: this network is gone; poseline replaces it"),
        ("vp3d", r"--lifter vp3d: no such network; choose one of poseline, none, mmpose:CONFIG@CHECKPOINT"),
    ],
)
def test_lifters_that_cannot_be_used_are_named(name, message):
    config = Config.model_validate({"lift": {"name": name}})
    for ask in (lifter_facts, build_lifter):
        with pytest.raises(PoselineError, match=message):
            ask(config)


def test_settings_of_files_have_no_effect_on_embedded_networks():
    told = {"detect": {"layout": "rtmdet"}, "pose": {"layout": "heatmap", "keypoints": "coco17"}}
    config, usual = Config.model_validate(told), Config()
    lines = run_facts(config).warnings
    assert [line.partition(" has no effect on ")[0] for line in lines] == [
        'detect.layout="rtmdet"',
        'pose.layout="heatmap"',
        'pose.keypoints="coco17"',
    ]
    images = laboratory.half_size(0)
    here, there = (build_models(c).detector.detect(images) for c in (config, usual))
    assert np.array_equal(here.box_px, there.box_px)
    assert run_facts(config).skeleton is HALPE26
    assert len(build_models(config).pose.skeleton) == 26


def test_only_our_lifter_follows_the_field_of_view():
    def warned(name: str, fov_deg: float | None) -> bool:
        config = Config.model_validate({"lift": {"name": name, "fov_deg": fov_deg}})
        return any(line.startswith("lift.fov_deg=60 has no effect") for line in lifter_facts(config).warnings)

    assert [warned("none", 60), warned("none", None), warned("poseline", 60)] == [True, False, False]


def test_a_one_stage_network_is_its_own_detector(monkeypatch):
    monkeypatch.setattr(registry, "pose_facts", lambda config: NetworkFacts({"rtmo.onnx": "12ab"}, COCO17, True))

    def config(detector: str) -> Config:
        settings = {"observe": {"detect_every_s": 0.0}, "detect": {"name": detector}}
        return Config.model_validate({**settings, "pose": {"name": "onnx:rtmo.onnx"}})

    told = {"rtmo.onnx": "12ab", "detector scores": "estimated", "pose scores": "estimated"}
    assert run_facts(config("yolox-tiny")).digests == told
    with pytest.raises(
        PoselineError, match=r"--pose onnx:rtmo\.onnx finds its people by itself: leave out --detector x"
    ):
        run_facts(config("x"))


def test_one_stage_networks_follow_few_settings_of_the_detector(monkeypatch):
    facts = NetworkFacts({}, COCO17, True, idle={"pose.flip_test": "one look"})
    monkeypatch.setattr(registry, "pose_facts", lambda config: facts)
    posed = {"name": "onnx:rtmo.onnx", "flip_test": True}
    config = Config.model_validate({"pose": posed, "detect": {"classes": ["dog"], "pixels": 65536}})
    *found, unknown = run_facts(config).warnings
    assert [line.partition("=")[0] for line in found] == ["pose.flip_test", "detect.pixels", "detect.classes"]
    assert unknown.startswith("onnx:rtmo.onnx: what its scores mean was not measured")
    assert found[0] == "pose.flip_test=true has no effect on onnx:rtmo.onnx: one look; leave it out"


def test_every_listed_network_is_embedded_and_has_a_skeleton():
    for entry in (*DETECTORS.values(), *POSES.values()):
        assert all((ASSETS / file).is_file() for file in entry.files)
    for name, entry in POSES.items():
        facts = run_facts(Config.model_validate({"pose": {"name": name}}))
        assert facts.skeleton is entry.skeleton
        assert not facts.one_stage
        assert facts.warnings == ()
    assert POSES[Config().pose.name].skeleton is HALPE26
    assert Config().detect.name in DETECTORS


def test_files_of_one_name_are_told_apart_by_role_and_digest(tmp_path):
    """MMDeploy calls every file end2end.onnx."""
    files = {role: tmp_path / role / "end2end.onnx" for role in ("detector", "pose")}
    for file, asset in zip(files.values(), ("yolox-tiny.onnx", "rtmpose-s.onnx"), strict=True):
        file.parent.mkdir()
        shutil.copy(ASSETS / asset, file)
    told = {"detect": {"name": f"onnx:{files['detector']}"}, "pose": {"name": f"onnx:{files['pose']}"}}
    digests = run_facts(Config.model_validate(told)).digests
    assert digests == {f"{role} end2end.onnx": file_digest(file) for role, file in files.items()}
    same = run_facts(Config.model_validate({"pose": told["pose"]})).digests
    assert set(same) == {"end2end.onnx", "yolox-tiny.onnx"}


def test_models_know_their_files():
    digests = run_facts(laboratory.config()).digests
    assert {s.file.name for s in laboratory.models().sessions} == set(digests) == {"yolox-tiny.onnx", "rtmpose-s.onnx"}
    assert all(digests[name] == file_digest(ASSETS / name) for name in digests)
    assert len(set(digests.values())) == 2


def test_a_missing_network_says_how_to_get_it(tmp_path):
    with pytest.raises(PoselineError, match=r"gone\.onnx: this network is missing; install poseline"):
        Session(tmp_path / "gone.onnx", pick_device("cpu", 1))


def test_cuda_without_cuda_is_an_error(monkeypatch):
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["AzureExecutionProvider", "CPUExecutionProvider"]
    )
    with pytest.raises(PoselineError, match=r"--device cuda: .*AzureExecutionProvider.*onnxruntime-gpu") as error:
        pick_device("cuda")
    assert "\n" not in str(error.value)
    assert pick_device("auto", 0, "f32").name == pick_device("cpu").name == "cpu"


def test_auto_takes_cuda_where_it_is(monkeypatch):
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    assert pick_device("auto").providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert pick_device("cuda").name == "cuda"
    assert pick_device("cpu").providers == ("CPUExecutionProvider",)


def test_threads_are_as_asked_for_or_all():
    assert pick_device("cpu", 3).threads == 3
    assert pick_device("cpu", 0).threads >= 1

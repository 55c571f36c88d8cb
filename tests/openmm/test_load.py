"""Checkpoints and weights: what is read, what is refused, and that nothing is executed or downloaded."""

from __future__ import annotations

import pickle
import socket
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.config import Config, with_settings
from pipeline.core.errors import PoselineError
from pipeline.models.openmm import checkpoint as checkpoints
from pipeline.models.openmm import family, load
from pipeline.models.openmm.zoo import find_config
from pipeline.models.runtime import file_digest, pick_device
from tests.openmm_settings import RTMDET, RTMPOSE, random_weights


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, device) -> Path:
    """A whole checkpoint of RTMPose-t, with the numpy arrays that OpenMMLab's own hold."""
    found = load.find("mmpose", RTMPOSE, random_weights())
    model = load.load(found, device, random_weights()).model
    path = tmp_path_factory.mktemp("weights") / "rtmpose.pth"
    meta = {**model.dataset_meta, "sigmas": np.array(model.dataset_meta["sigmas"])}
    torch.save({"state_dict": model.state_dict(), "meta": {"dataset_meta": meta, "epoch": 420}}, path)
    return path


def wrong(reference: str, scope: str = "mmpose", config: Config | None = None) -> str:
    """The one line that a reference is answered with."""
    device = pick_device("cpu", 1)
    with pytest.raises(PoselineError) as error:
        load.load(load.find(scope, reference, config or Config()), device, config or Config())
    assert "\n" not in str(error.value)
    return str(error.value)


# --- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "name"), [("mmdet", RTMDET), ("mmpose", RTMPOSE)])
def test_a_missing_checkpoint_is_named_with_its_official_file_and_how_to_pass_it(scope, name):
    said = wrong(name, scope)
    assert "needs a checkpoint; fetch https://" in said
    assert said.endswith(f":{name}@FILE")
    assert "no such checkpoint gone.pth" in wrong(f"{name}@gone.pth", scope)


def test_a_config_that_is_none_is_one_line(tmp_path):
    (tmp_path / "bad.py").write_text("model = dict(type='Nothing'\n")
    assert "is no OpenMMLab config" in wrong(f"{tmp_path}/bad.py@x")
    (tmp_path / "empty.py").write_text("a = 1\n")
    assert "describes no model" in wrong(f"{tmp_path}/empty.py", config=random_weights())
    (tmp_path / "fails.py").write_text("1 / 0\n")
    assert "is no OpenMMLab config (division by zero)" in wrong(f"{tmp_path}/fails.py@x")
    (tmp_path / "unknown.py").write_text("model = dict(type='Nothing')\n")
    assert "cannot be built" in wrong(f"{tmp_path}/unknown.py", config=random_weights())


def test_digests_tell_two_networks_apart_whose_files_have_one_name(tmp_path):
    """Of a detector and a pose network, which are put into one list."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in "ab":
        (tmp_path / folder / "best.pth").write_text(folder)
    boxes = load.find("mmdet", f"{RTMDET}@{tmp_path}/a/best.pth", Config()).digests
    poses = load.find("mmpose", f"{RTMPOSE}@{tmp_path}/b/best.pth", Config()).digests
    assert len({**boxes, **poses}) == len(set(boxes.values()) | set(poses.values())) == 4


def test_the_digest_of_a_config_is_of_what_it_says(tmp_path):
    texts = {"a": "size = 3\nmodel = dict(type='X', size=size)\n", "b": "size = 4\nmodel = dict(type='X', size=size)\n"}
    texts["c"] = "# Another layout.\n" + texts["a"]
    digest = {}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").write_text(text)
        digest[name] = load.find("mmpose", f"{tmp_path}/{name}/net.py", random_weights()).digests["mmpose:net"]
    assert digest["a"] == digest["c"] != digest["b"]


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_checkpoint_gives_its_weights_and_its_digest(checkpoint, device):
    found = load.find("mmpose", f"{RTMPOSE}@{checkpoint}", Config())
    assert not found.warnings
    assert found.digests[f"mmpose:{RTMPOSE} weights"] == file_digest(checkpoint)
    loaded = load.load(found, device, Config())
    saved = torch.load(checkpoint, weights_only=False)["state_dict"]
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, saved[name]), name
    assert not loaded.model.training
    assert loaded.meta["dataset_name"] == "coco"


def test_random_weights_say_so_and_depend_on_the_seed_alone(device):
    def weights(seed: int) -> torch.Tensor:
        config = with_settings(Config(), [f"runtime.random_weights={seed}"])
        torch.rand(seed + 3)
        return torch.cat(
            [p.ravel() for p in load.load(load.find("mmpose", RTMPOSE, config), device, config).model.parameters()]
        )

    found = load.find("mmpose", RTMPOSE, random_weights())
    assert "HAS RANDOM WEIGHTS (seed 0)" in found.warnings[0]
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    other = load.find("mmpose", RTMPOSE, with_settings(Config(), ["runtime.random_weights=1"]))
    assert other.digests != found.digests


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_checkpoint_is_one_line(checkpoint, tmp_path, share):
    whole = checkpoint.read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: int(share * len(whole))])
    said = wrong(f"{RTMPOSE}@{tmp_path / 'cut.pth'}")
    assert "cut.pth: is no checkpoint, or a damaged one" in said


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("where", ["meta", "state_dict", "plain pickle"])
def test_a_malicious_checkpoint_is_not_executed(tmp_path, where, device):
    trap, file = tmp_path / "executed", tmp_path / "evil.pth"
    if where == "plain pickle":
        file.write_bytes(pickle.dumps(Evil(trap)))
    else:
        data = {"state_dict": {}, "meta": {}}
        data[where]["x"] = Evil(trap)
        torch.save(data, file)
    said = wrong(f"{RTMPOSE}@{file}")
    assert "--trust-checkpoint" in said or "no checkpoint" in said
    assert not trap.exists()
    # ... and the same file with the user's word for it does run: the test is of a trap that works.
    config = with_settings(Config(), ["runtime.trust_checkpoint=true"])
    found = load.find("mmpose", f"{RTMPOSE}@{file}", config)
    with pytest.raises(PoselineError):
        load.load(found, device, config)
    assert trap.exists()


def test_a_checkpoint_of_another_network_does_not_fit(checkpoint):
    said = wrong(f"td-hm_res50_8xb64-210e_coco-256x192@{checkpoint}")
    assert "rtmpose.pth: does not fit td-hm_res50_8xb64-210e_coco-256x192.py: weights of another shape: 1, " in said
    assert "such as head.final_layer.weight; give the checkpoint of this config" in said


def test_a_checkpoint_that_lacks_weights_or_has_too_many_does_not_fit(checkpoint, tmp_path):
    whole = torch.load(checkpoint, weights_only=False)["state_dict"]
    torch.save({"state_dict": {k: v for k, v in whole.items() if "stage4" not in k}}, tmp_path / "less.pth")
    said = wrong(f"{RTMPOSE}@{tmp_path}/less.pth")
    assert "weights missing: " in said
    assert "such as backbone.stage4" in said
    deeper = {k.replace("stage4", "stage5"): v for k, v in whole.items() if "stage4" in k}
    torch.save({"state_dict": {**whole, **deeper}}, tmp_path / "more.pth")
    said = wrong(f"{RTMPOSE}@{tmp_path}/more.pth")
    unused = sum(not k.endswith("num_batches_tracked") for k in deeper)
    assert f"weights without a place in it: {unused} of {len(whole) + len(deeper)}" in said
    assert "such as backbone.stage5" in said


def test_a_file_without_weights_is_no_checkpoint(tmp_path):
    for name, data in (("list.pth", [1, 2]), ("empty.pth", {"state_dict": {}}), ("numbers.pth", {"a": 1.0})):
        torch.save(data, tmp_path / name)
        assert f"{name}: holds" in wrong(f"{RTMPOSE}@{tmp_path / name}")


def test_a_checkpoint_of_a_training_is_read_without_its_log(tmp_path):
    """MMEngine's log names its methods by getattr, which would be a way to any code."""
    from mmengine.logging import MessageHub

    hub = MessageHub("a log")
    hub.update_scalar("loss", 0.5)
    optimizer = torch.optim.AdamW(torch.nn.Linear(2, 2).parameters()).state_dict()
    meta = {"dataset_meta": {"sigmas": np.array([0.1]), "name": np.str_("x")}, "CLASSES": ("cat",)}
    data = {"state_dict": {"w": torch.ones(2)}, "message_hub": hub.state_dict(), "optimizer": optimizer, "meta": meta}
    allowed = set(torch.serialization.get_safe_globals())
    torch.save(data, tmp_path / "epoch_1.pth")
    assert checkpoints.weights(tmp_path / "epoch_1.pth", trust=False)["w"].tolist() == [1, 1]
    assert checkpoints.notes(tmp_path / "epoch_1.pth", trust=False)["dataset_meta"]["sigmas"] == 0.1
    assert set(torch.serialization.get_safe_globals()) == allowed  # nothing stays so


def test_getattr_in_a_checkpoint_reaches_nothing(tmp_path):
    class Reach:
        def __reduce__(self):
            return (getattr, (np.ndarray, "tofile"))

    torch.save({"state_dict": {"w": torch.ones(1)}, "meta": {"x": Reach()}}, tmp_path / "reach.pth")
    assert checkpoints.notes(tmp_path / "reach.pth", trust=False) == {"x": None}
    assert checkpoints.notes(tmp_path / "reach.pth", trust=True) == {"x": np.ndarray.tofile}


def test_a_checkpoint_of_numpy_1_in_the_old_format_is_read(tmp_path):
    path = tmp_path / "old.pth"
    data = {"state_dict": {"module.w": torch.ones(2)}, "meta": {"dataset_meta": {"sigmas": np.array([0.5])}}}
    torch.save(data, path, _use_new_zipfile_serialization=False)
    modern = path.read_bytes()
    assert b"numpy._core.multiarray" in modern
    path.write_bytes(modern.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert checkpoints.weights(path, trust=False)["w"].tolist() == [1, 1]
    assert checkpoints.notes(path, trust=False)["dataset_meta"]["sigmas"].tolist() == [0.5]


def test_weights_with_the_names_of_mmpose_0_are_those_of_the_network(tmp_path, device):
    """As many published ones are: the network's own hooks rename them."""
    name = "td-hm_mobilenetv2_8xb64-210e_coco-256x192"
    config = random_weights()
    whole = load.load(load.find("mmpose", name, config), device, config).model.state_dict()
    old = {k.replace("head.", "keypoint_head.", 1) if k.startswith("head.") else k: v for k, v in whole.items()}
    torch.save({"state_dict": old}, tmp_path / "old.pth")
    loaded = load.load(load.find("mmpose", f"{name}@{tmp_path}/old.pth", Config()), device, Config())
    assert any(k.startswith("keypoint_head") for k in old)
    assert all(torch.equal(v, whole[k]) for k, v in loaded.model.state_dict().items())


def test_classes_are_those_of_the_checkpoint(tmp_path):
    for number, meta in enumerate([{"CLASSES": ("fox", "owl")}, {"dataset_meta": {"classes": ("fox", "owl")}}]):
        torch.save({"state_dict": {"w": torch.ones(1)}, "meta": meta}, tmp_path / f"{number}.pth")
        found = load.find("mmdet", f"{RTMDET}@{tmp_path}/{number}.pth", Config())
        assert load.dataset_meta(found, Config())["classes"] == ("fox", "owl")
    assert load.dataset_meta(load.find("mmdet", RTMDET, random_weights()), Config())["classes"] == ("person",)


def test_safetensors_are_read_where_the_package_is_there(checkpoint, tmp_path, device):
    (tmp_path / "w.safetensors").write_bytes(b"nothing of the kind")
    said = wrong(f"{RTMPOSE}@{tmp_path}/w.safetensors")
    if find_spec("safetensors") is None:
        assert said.endswith("reading it needs safetensors: pip install safetensors")
        return
    assert "is no safetensors file, or a damaged one" in said
    from safetensors.torch import save_file

    whole = torch.load(checkpoint, weights_only=False)["state_dict"]
    save_file({k: v.contiguous() for k, v in whole.items()}, tmp_path / "whole.safetensors")
    loaded = load.load(load.find("mmpose", f"{RTMPOSE}@{tmp_path}/whole.safetensors", Config()), device, Config())
    assert all(torch.equal(v, whole[k]) for k, v in loaded.model.state_dict().items())


# --- building --------------------------------------------------------------------------------------------------------


def test_nothing_is_downloaded_and_nothing_printed(tmp_path, device, monkeypatch, capfd):
    def no_network(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    (tmp_path / "pretrained.py").write_text(
        "weights = 'https://download.openmmlab.com/no/such.pth'\n"
        f"_base_ = {str(find_config('mmpose', 'td-hm_mobilenetv2_8xb64-210e_coco-256x192'))!r}\n"
        "model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=weights)),\n"
        "             head=dict(init_cfg=[dict(type='Normal', layer='Conv2d', std=0.5), dict(type='Pretrained',\n"
        "                                 checkpoint='torchvision://resnet50')]))\n"
    )
    config = random_weights()
    found = load.find("mmpose", f"{tmp_path}/pretrained.py", config)
    model = load.load(found, device, config).model
    assert load.read_config(found).model.backbone.init_cfg is None
    assert (
        0.4 < float(model.head.final_layer.weight.detach().std()) < 0.6
    )  # the other way of making weights is still there
    assert capfd.readouterr().out == ""


def test_ways_of_pretraining_are_known_by_name_and_class():
    from mmengine.model import NormalInit, PretrainedInit

    for kind in ("Pretrained", "mmengine.Pretrained", PretrainedInit):
        assert load._is_pretrained({"type": kind, "checkpoint": "x"})
    for kind in ("Normal", NormalInit):
        assert not load._is_pretrained({"type": kind})
    node = {"a": [{"pretrained": True}], "pretrained": "https://x", "init_cfg": {"type": "Pretrained"}}
    load._drop_pretrained(node)
    assert node == {"a": [{"pretrained": False}], "pretrained": None, "init_cfg": None}


def test_cuda_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(PoselineError, match="--device cuda: this torch has no CUDA"):
        family.pick("cuda", 1)
    with pytest.raises(PoselineError, match="--device openvino: runs ONNX files"):
        family.pick("openvino", 1)
    assert family.pick("auto", 1).name == family.pick("cpu", 1).name == "cpu"


def test_cuda_that_is_there_is_taken_unless_the_processor_is_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert family.pick("auto", 1).name == family.pick("cuda", 1).name == "cuda"
    assert family.pick("cpu", 3).name == "cpu"
    assert family.pick("auto", 3).threads == 3


def test_half_precision_is_for_cuda_only():
    config = with_settings(random_weights(), ["observe.half=true"])
    loaded = load.load(load.find("mmpose", RTMPOSE, config), pick_device("cpu", 1), config)
    assert (loaded.device.type, loaded.half) == ("cpu", False)

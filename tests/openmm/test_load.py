"""Names, checkpoints and weights: what is found, what is refused, and that nothing is executed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import Config, with_settings
from pipeline.errors import PoselineError
from pipeline.models.runtime import pick_device
from pipeline.openmm import compat, load, zoo
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


# --- names -----------------------------------------------------------------------------------------------------------


def test_configs_are_found_by_name_and_by_path(tmp_path):
    for scope, name in (("mmdet", RTMDET), ("mmdet", "rtmdet_tiny_8xb32-300e_coco"), ("mmpose", RTMPOSE)):
        file = zoo.find_config(scope, name)
        assert file.stem == name
        assert zoo.find_config(scope, str(file)) == file


def test_a_name_that_is_not_there_says_which_are_near():
    assert "did you mean rtmpose-t_8xb256-420e_coco-256x192" in wrong("rtmpose-t_8xb256-420e_coco-256x19")
    assert "no such config file" in wrong("nowhere/net.py")
    assert "mmdet:hrnet_xyz: no config file" in wrong("hrnet_xyz", "mmdet")


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
    (tmp_path / "unknown.py").write_text("model = dict(type='Nothing')\n")
    assert "cannot be built" in wrong(f"{tmp_path}/unknown.py", config=random_weights())


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_checkpoint_gives_its_weights_and_its_digest(checkpoint, device):
    found = load.find("mmpose", f"{RTMPOSE}@{checkpoint}", Config())
    assert not found.warnings
    assert set(found.digests) == {f"{RTMPOSE}.py", "rtmpose.pth"}
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
    assert "does not fit td-hm_res50" in said
    assert "weights are missing" in said


def test_a_file_without_weights_is_no_checkpoint(tmp_path):
    for name, data in (("list.pth", [1, 2]), ("empty.pth", {"state_dict": {}}), ("numbers.pth", {"a": 1.0})):
        torch.save(data, tmp_path / name)
        assert f"{name}: holds" in wrong(f"{RTMPOSE}@{tmp_path / name}")


# --- stand-ins -------------------------------------------------------------------------------------------------------


def test_what_is_not_there_says_so_when_it_is_called():
    assert compat.ensure() is compat.ensure()
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
    _, kept = nms(boxes, torch.tensor([0.8, 0.9, 0.3]), 0.5)
    assert kept.tolist() == [1, 2]
    if compat.ensure()["mmcv operators"].startswith("stand-in"):
        import mmcv._ext

        with pytest.raises(compat.MissingOperatorError, match="compiled operator deform_conv"):
            mmcv._ext.deform_conv_forward()


def test_our_suppression_is_greedy():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (80, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (80, 2))], 1).astype(np.float32)
    scores = rng.uniform(0, 1, 80).astype(np.float32)
    kept = compat.nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4).tolist()
    from pipeline.models.base import suppress

    assert kept == suppress(boxes, scores, 0.4).tolist()
    assert compat.nms(torch.zeros((0, 4)), torch.zeros(0), 0.4).tolist() == []

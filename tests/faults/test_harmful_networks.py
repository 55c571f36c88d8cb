"""ONNX files made to do harm: files read from elsewhere, tensors without end, notes that lie. Each ends in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from pipeline import PoselineError
from pipeline.core.config import Config
from pipeline.models.detections import Detections
from pipeline.models.onnx import family as onnx_family
from pipeline.models.onnx.simcc import refined_simcc
from pipeline.models.runtime import Device

CPU = Device(("CPUExecutionProvider",), 1)
BINS = {"simcc_x": [1, 17, 384], "simcc_y": [1, 17, 512]}


def constant(name: str, shape: list[int]) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, shape, np.zeros(int(np.prod(shape)), np.float32))


def save(path: Path, nodes: list, size: tuple = (256, 192), outputs: dict | None = None, constants=(), **notes) -> Path:
    """A top-down network as its file claims it to be; ``notes`` are texts of its metadata."""
    floats = TensorProto.FLOAT
    shapes = {**BINS, **(outputs or {})}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", floats, [1, 3, *size])],
        [helper.make_tensor_value_info(name, floats, shape) for name, shape in shapes.items()],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, {f"poseline.{key}": text for key, text in notes.items()})
    path.write_bytes(model.SerializeToString())
    return path


def honest(path: Path, **more) -> Path:
    """A network that finds nothing and harms nobody, but for what is said of it."""
    nodes = [helper.make_node("Identity", [f"w{axis}"], [f"simcc_{axis}"]) for axis in "xy"]
    weights = [constant("wx", BINS["simcc_x"]), constant("wy", BINS["simcc_y"])]
    return save(path, nodes, constants=weights, **more)


def run(path: Path) -> None:
    config = Config.model_validate({})
    onnx_family.pose_facts(str(path), config)
    image = np.zeros((1, 60, 80, 3), np.uint8)
    people = Detections.from_boxes(np.zeros(1), np.array([[5, 5, 50, 50]], np.float32), np.ones(1, np.float32))
    onnx_family.build_pose(str(path), CPU, config).estimate(image, people)


def refused(path: Path) -> str:
    with pytest.raises(PoselineError) as caught:
        run(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def test_the_honest_one_runs(tmp_path: Path) -> None:
    run(honest(tmp_path / "good.onnx"))


@pytest.mark.parametrize("absolute", [False, True])
def test_weights_from_outside_the_folder_are_not_read(tmp_path: Path, absolute: bool) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(17 * 384 * 4))
    outside = TensorProto(name="wx", data_type=TensorProto.FLOAT, dims=BINS["simcc_x"])
    outside.data_location = TensorProto.EXTERNAL
    place = str(secret) if absolute else "../secret"
    for key, value in (("location", place), ("offset", "0"), ("length", str(17 * 384 * 4))):
        outside.external_data.add(key=key, value=value)
    folder = tmp_path / "networks"
    folder.mkdir()
    nodes = [helper.make_node("Identity", [f"w{axis}"], [f"simcc_{axis}"]) for axis in "xy"]
    path = save(folder / "a.onnx", nodes, constants=[outside, constant("wy", BINS["simcc_y"])])
    assert "no ONNX network that ONNX Runtime can run" in refused(path)


def test_an_operator_that_needs_a_library_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Evil", ["x"], [f"simcc_{axis}"], domain="evil") for axis in "xy"]
    refused(save(tmp_path / "a.onnx", nodes))


def test_a_tensor_without_end_is_refused_and_no_memory_is_taken(tmp_path: Path) -> None:
    nodes = [helper.make_node("ConstantOfShape", ["s"], [f"simcc_{axis}"]) for axis in "xy"]
    shape = helper.make_tensor("s", TensorProto.INT64, [3], [1, 10**6, 10**9])
    free = {name: [1, 17, None] for name in BINS}
    refused(save(tmp_path / "a.onnx", nodes, outputs=free, constants=[shape]))


@pytest.mark.parametrize("size", [(10**6, 10**6), (10**9, 192)])
def test_an_absurd_input_is_refused_before_memory_is_taken(tmp_path: Path, size: tuple[int, int]) -> None:
    assert "input" in refused(honest(tmp_path / "a.onnx", size=size))


@pytest.mark.parametrize(
    "notes",
    [
        {"input": '{"size": [9000000, 9000000]}'},
        {"input": '{"size": ["a", null]}'},
        {"input": "[1, 2]"},
        {"skeleton": "7"},
        {"skeleton": "[" * 100_000},
        {"skeleton": '{"name": "../../x", "names": ["=cmd()", "a,b\\n"], "limbs": [[0, 99]], "sigmas": [0.1]}'},
        {"classes": '{"person": 0}'},
    ],
)
def test_notes_that_lie_are_one_line(tmp_path: Path, notes: dict[str, str]) -> None:
    free = (None, None) if "input" in notes else (256, 192)
    refused(honest(tmp_path / "a.onnx", size=free, **notes))


def test_a_network_that_gives_other_arrays_than_it_claims_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["simcc_x"], keepdims=0)]
    nodes += [helper.make_node("Identity", ["wy"], ["simcc_y"])]
    refused(save(tmp_path / "a.onnx", nodes, constants=[constant("wy", BINS["simcc_y"])]))


def test_a_network_that_fails_as_it_runs_is_one_line(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "r"], ["simcc_x"]), helper.make_node("Identity", ["wy"], ["simcc_y"])]
    shape = helper.make_tensor("r", TensorProto.INT64, [3], [7, 17, 384])
    refused(save(tmp_path / "a.onnx", nodes, constants=[constant("wy", BINS["simcc_y"]), shape]))


def one_bin(path: Path, value: float) -> Path:
    """A network that says its points lie between bins, of which it has one."""
    bins = {name: [1, 17, 1] for name in BINS}
    weights = [helper.make_tensor(f"w{axis}", TensorProto.FLOAT, [1, 17, 1], [value] * 17) for axis in "xy"]
    nodes = [helper.make_node("Identity", [f"w{axis}"], [f"simcc_{axis}"]) for axis in "xy"]
    return save(path, nodes, outputs=bins, constants=weights, layout='"simcc"', refined="true")


@pytest.mark.parametrize("value", [0.0, 0.5, np.nan, np.inf, -np.inf])
def test_a_network_of_one_bin_has_nothing_between_bins(tmp_path: Path, value: float) -> None:
    run(one_bin(tmp_path / "a.onnx", value))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bins_of_no_number_have_nothing_between_them(value: float) -> None:
    bins = np.full((1, 2, 8), value, np.float32)
    place, _ = refined_simcc({"simcc_x": bins, "simcc_y": bins}, (8, 8))
    assert np.isfinite(place).all()


@pytest.mark.parametrize("notes", [{}, {"any_size": "true"}], ids=["plain", "any size"])
@pytest.mark.parametrize("boxes", [10, 8400])
def test_a_detector_whose_boxes_do_not_fit_its_input_is_one_line(tmp_path: Path, notes: dict, boxes: int) -> None:
    path, rows = tmp_path / "a.onnx", [1, boxes, 6]  # of 640 × 640 px, whatever it is asked for
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["rows"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, None, None])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, rows)],
        [constant("w", rows)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {f"poseline.{k}": v for k, v in {"layout": '"yolox"', **notes}.items()})
    path.write_bytes(model.SerializeToString())
    config = Config.model_validate({"detect": {"pixels": 65536}})
    detector = onnx_family.build_detector(str(path), CPU, config)
    with pytest.raises(PoselineError, match=r"a\.onnx: its outputs do not fit .* detect\.pixels") as caught:
        detector.detect(np.zeros((1, 60, 80, 3), np.uint8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), bytes(1000), b"\x80\x04cposix\nsystem\n"])
def test_what_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    refused(path)


def test_flipped_bits_end_in_a_result_or_one_line(tmp_path: Path) -> None:
    path = honest(tmp_path / "a.onnx")
    good, rng, ends = path.read_bytes(), np.random.default_rng(3), set()
    described = [i for i in range(len(good)) if any(good[max(i - 8, 0) : i + 8])]  # not the weights, which are zero
    for _ in range(60):
        data = bytearray(good)
        for at in rng.choice(described, 3):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            run(path)
            ends.add("runs")
        except PoselineError as error:
            assert "\n" not in str(error).strip(), error  # noqa: PT017
            ends.add("refused")
    assert "refused" in ends

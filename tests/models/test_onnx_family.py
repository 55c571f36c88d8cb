"""Networks in ONNX files, made here: layouts, pixel values, geometry, batches, keypoint sets, files that are none."""

from __future__ import annotations

import json

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.models.detections import COCO_CLASSES, Detections
from pipeline.models.onnx import family as onnx_family
from pipeline.models.onnx import reid
from pipeline.models.onnx.graph import detector_layout, graph_of, operators
from pipeline.models.onnx.input import PIXELS, Planes, fitted
from pipeline.models.onnx.simcc import heatmap, simcc
from pipeline.models.registry import run_facts
from pipeline.models.runtime import Device
from pipeline.observe.appearance import distance2

CPU = Device(("CPUExecutionProvider",), 1)


class Maker:
    """A small graph on the planes ``input`` (B, 3, h, w), or (B, h, w, 3) with ``last``."""

    def __init__(self, size=(64, 64), batch: int | str = "batch", last: bool = False):
        self.nodes, self.constants, self.outputs = [], [], []
        shape = [batch, size[1], size[0], 3] if last else [batch, 3, size[1], size[0]]
        self.input = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)

    def constant(self, values) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values), name))
        return name

    def node(self, kind: str, *given: str, **options) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(given), [name], **options))
        return name

    def output(self, name: str, value: str, shape, dtype=TensorProto.FLOAT) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def same(self, values) -> str:
        """The values (N, …), for each picture of the batch."""
        values = np.array(values, np.float32)
        mean = self.node("ReduceMean", "input", axes=[1, 2, 3], keepdims=1)  # (B, 1, 1, 1)
        mean = self.node("Reshape", mean, self.constant(np.array([-1] + [1] * values.ndim)))
        return self.node("Add", self.node("Mul", mean, self.constant(np.float32(0))), self.constant(values[None]))

    def save(self, path, **notes) -> str:
        graph = helper.make_graph(self.nodes, "g", [self.input], self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        helper.set_model_props(model, {f"poseline.{k}": json.dumps(v) for k, v in notes.items()})
        onnx.save(model, str(path))
        return str(path)


def config(**sections) -> Config:
    return Config.model_validate(sections)


def warned(**sections) -> tuple[str, ...]:
    """What a run with these settings warns of, but for scores that nobody measured."""
    return tuple(line for line in run_facts(config(**sections)).warnings if "was not measured" not in line)


def brightest(path, size=(48, 64), batch: int | str = "batch", **notes) -> str:
    """A SimCC network of three keypoints: the brightest column and row of red, green and blue."""
    make = Maker(size, batch)
    for name, axis, length in (("simcc_x", 2, size[0]), ("simcc_y", 3, size[1])):
        make.output(name, make.node("ReduceMax", "input", axes=[axis], keepdims=0), [batch, 3, length])
    return make.save(path, **notes)


def dots(*places: tuple[float, float], size=(160, 120)) -> np.ndarray:
    """A picture (H, W, 3) u8 with a soft dot in red, green, blue at each place, pixel centres counted from 0."""
    ys, xs = np.mgrid[: size[1], : size[0]]
    planes = [255 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 18) for x, y in places]
    return np.stack(planes, -1).round().astype(np.uint8)


def one(images: np.ndarray, *boxes) -> Detections:
    n = len(boxes)
    return Detections.from_boxes(np.zeros(n), np.array(boxes, np.float32), np.ones(n))


# --- poses -----------------------------------------------------------------------------------------------------------


def test_simcc_finds_points_of_each_channel(tmp_path):
    places = ((40, 50), (70, 30), (90, 100))
    images = dots(*places)[None]
    network = onnx_family.build_pose(brightest(tmp_path / "a.onnx"), CPU, config())
    poses = network.estimate(images, one(images, (20, 10, 110, 115)))
    assert poses.keypoints_px[0] == pytest.approx(np.array(places), abs=1.5)  # a crop px is 2.2 px of the picture
    assert (poses.score == 1).all()  # bins above 1 are no better than sure
    assert network.sessions[0].calls == 1


def test_people_of_several_pictures_in_batches_of_any_size(tmp_path):
    images = np.stack([dots((40 + 9 * i, 50), (70, 30), (90, 100)) for i in range(3)])
    box = np.array([(20, 10, 110, 115), (25, 15, 120, 118), (0, 0, 160, 120)], np.float32)
    people = Detections.from_boxes(np.repeat(np.arange(3), 3), np.tile(box, (3, 1)), np.ones(9))
    made = []
    for batch in ("batch", 1, 4):
        for most in (1, 2, 16):
            path = brightest(tmp_path / f"{batch}.onnx", batch=batch)
            network = onnx_family.build_pose(path, CPU, config(runtime={"batch_people": most}))
            made.append(network.estimate(images, people))
    assert np.ptp(made[0].keypoints_px[::3, 0, 0]) > 10  # each picture has its own
    for poses in made[1:]:
        assert np.array_equal(poses.keypoints_px, made[0].keypoints_px)
        assert np.array_equal(poses.score, made[0].score)


def test_nobody_has_no_pose(tmp_path):
    network = onnx_family.build_pose(brightest(tmp_path / "a.onnx"), CPU, config())
    poses = network.estimate(np.zeros((1, 50, 60, 3), np.uint8), Detections.empty())
    assert poses.keypoints_px.shape == (0, 3, 2)
    assert network.sessions[0].calls == 0


def test_simcc_takes_the_less_sure_axis_and_says_where_nothing_is():
    x, y = np.zeros((1, 2, 8), np.float32), np.zeros((1, 2, 12), np.float32)
    x[0, 0, 5], y[0, 0, 6] = 0.9, 0.4
    points, score = simcc({"simcc_x": x, "simcc_y": y}, (4, 6))
    assert points.tolist() == [[[2.5, 3.0], [-0.5, -0.5]]]
    assert score == pytest.approx(np.array([[0.4, 0]]))


def test_heatmap_moves_a_quarter_cell_towards_the_higher_neighbour():
    maps = np.zeros((1, 3, 4, 6), np.float32)
    maps[0, 0, 2, 3], maps[0, 0, 2, 2], maps[0, 0, 1, 3] = 1, 0.5, 0.2
    maps[0, 1, 0, 5] = 0.7  # at the border: not moved
    points, score = heatmap({"heatmap": maps}, (24, 16))
    assert points.tolist() == [[[11.0, 7.0], [20.0, 0.0], [-4.0, -4.0]]]
    assert score == pytest.approx(np.array([[1, 0.7, 0]]))


def test_pixels_are_normalised_in_the_networks_order():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    planes = np.empty((3, 5, 7), np.float32)
    Planes(PIXELS["rtmdet"]).fill(image, planes)
    wanted = (image[..., ::-1] - np.array([103.53, 116.28, 123.675])) / np.array([57.375, 57.12, 58.395])
    assert planes == pytest.approx(wanted.transpose(2, 0, 1), abs=1e-5)


def test_notes_in_the_file_decide_over_the_layouts_usual_values(tmp_path):
    notes = {"mean": [0, 0, 0], "std": [255, 255, 255], "rgb": False, "padding": 1.0, "udp": True, "size": [48, 64]}
    spec = Skeleton("toes", ("left_toe", "right_toe", "heel"), ((0, 2),), (0.1, 0.1, 0.1)).spec()
    path = brightest(tmp_path / "a.onnx", input=notes, skeleton=spec, warnings=["has random weights"])
    facts = onnx_family.pose_facts(path, config())
    assert facts.skeleton.names == ("left_toe", "right_toe", "heel")
    assert facts.skeleton.pairs == ((0, 1),)
    assert facts.warnings == ("has random weights",)
    images = dots((10, 20), (30, 40), (40, 60), size=(48, 64))[None]
    poses = onnx_family.build_pose(path, CPU, config()).estimate(images, one(images, (0, 0, 48, 64)))
    # Blue first. The outermost pixel centres fall together, but mmpose maps back by whole sides.
    scale = np.array([48, 64]) / np.array([47, 63])
    assert poses.keypoints_px[0, ::-1] * scale == pytest.approx(np.array([(10, 20), (30, 40), (40, 60)]), abs=2)


# --- keypoint sets ---------------------------------------------------------------------------------------------------


def blank_simcc(path, k: int) -> str:
    make = Maker((48, 64))
    for name, length in (("simcc_x", 96), ("simcc_y", 128)):
        # As MMDeploy leaves it: the number of keypoints is not declared.
        make.output(name, make.same(np.zeros((k, length))), ["batch", "k", length])
    return make.save(path)


@pytest.mark.parametrize(("k", "name"), [(17, "coco17"), (26, "halpe26"), (133, "wholebody133"), (106, "face106")])
def test_keypoint_set_by_the_number_of_points(tmp_path, k, name):
    facts = onnx_family.pose_facts(blank_simcc(tmp_path / "a.onnx", k), config())
    assert (facts.skeleton.name, len(facts.skeleton), facts.warnings) == (name, k, ())


def test_a_keypoint_set_that_nobody_tells_has_numbers_and_a_warning(tmp_path):
    path = blank_simcc(tmp_path / "a.onnx", 16)
    facts = onnx_family.pose_facts(path, config())
    assert facts.skeleton.names[:2] == ("point_0", "point_1")
    assert "a.onnx: its 16 keypoints have no names; --set pose.keypoints=mpii16" in facts.warnings[0]
    told = onnx_family.pose_facts(path, config(pose={"keypoints": "mpii16"}))
    assert (told.skeleton.name, told.warnings) == ("mpii16", ())


@pytest.mark.parametrize(("name", "part"), [("halpe26", "has 26 points where the network has 17"), ("x", "no such")])
def test_a_keypoint_set_that_does_not_fit(tmp_path, name, part):
    path = blank_simcc(tmp_path / "a.onnx", 17)
    with pytest.raises(PoselineError, match=part):
        onnx_family.pose_facts(path, config(pose={"keypoints": name}))
    assert onnx_family.pose_facts(path, config(pose={"keypoints": "ap10k"})).skeleton.name == "ap10k"


# --- detectors -------------------------------------------------------------------------------------------------------

BOXES = [(8, 16, 24, 48), (9, 16, 25, 48), (40, 20, 56, 60), (0, 0, 4, 4)]  # of an input of 64×64 px
SCORES = [0.8, 0.9, 0.5, 0.1]


def scored(path, columns=1, label=0, size=(64, 64), **notes) -> str:
    make = Maker(size)
    scores = np.zeros((4, columns))
    scores[:, label] = SCORES
    make.output("boxes", make.same(BOXES), ["batch", 4, 4])
    make.output("scores", make.same(scores), ["batch", 4, columns])
    return make.save(path, **notes)


def suppressed(path, batch: int | str = 1) -> str:
    """As MMDeploy writes it: suppression inside, a row that holds nothing."""
    make = Maker(batch=batch)
    rows = [(*BOXES[1], SCORES[1]), (*BOXES[2], SCORES[2]), (0, 0, 0, 0, 0)]
    make.output("dets", make.same(rows), [batch, "n", 5])
    labels = make.node("Cast", make.same([0, 0, -1]), to=TensorProto.INT64)
    make.output("labels", labels, [batch, "n"], TensorProto.INT64)
    return make.save(path)


@pytest.mark.parametrize("kind", [scored, suppressed])
def test_people_are_scaled_to_the_picture_and_found_once(tmp_path, kind):
    images = np.zeros((3, 64, 128, 3), np.uint8)  # fills the upper half of the input, at a scale of .5
    people = onnx_family.build_detector(kind(tmp_path / "a.onnx"), CPU, config()).detect(images)
    assert people.image.tolist() == [0, 0, 1, 1, 2, 2]
    assert people.box_px[:2].tolist() == [[18, 32, 50, 64], [80, 40, 112, 64]]  # cut at the picture's border
    assert people.score[:2] == pytest.approx([0.9, 0.5])
    assert not people.keypoint_score.any()


def test_threshold_and_overlap_are_settings(tmp_path):
    path = scored(tmp_path / "a.onnx")
    images = np.zeros((1, 64, 64, 3), np.uint8)

    def count(**detect) -> int:
        return len(onnx_family.build_detector(path, CPU, config(detect=detect)).detect(images))

    assert count(score=0.6) == 1
    assert count(score=0.6, nms_iou=0.95) == 2
    assert count(score=0.05) == 3


@pytest.mark.parametrize(
    ("notes", "detect", "sides"),
    [
        ({}, {}, (640, 640)),
        ({"any_size": True}, {}, (608, 320)),
        ({"any_size": True}, {"pixels": 65536}, (352, 192)),
        ({}, {"pixels": 65536}, (352, 192)),
    ],
)
def test_an_input_of_any_size_is_as_the_file_or_the_setting_says(tmp_path, notes, detect, sides):
    """The boxes are constant in px of the input, so that they tell how large it is."""
    images = np.zeros((1, 360, 720, 3), np.uint8)
    free = scored(tmp_path / "free.onnx", size=("w", "h"), **notes)
    (first, *_) = onnx_family.build_detector(free, CPU, config(detect=detect)).detect(images).box_px
    scale = min(sides[0] / 720, sides[1] / 360)
    assert first * scale == pytest.approx(BOXES[1], abs=0.1)
    fixed = scored(tmp_path / "fixed.onnx", **notes)  # of 64×64 px, whatever is asked for
    (first, *_) = onnx_family.build_detector(fixed, CPU, config(detect=detect)).detect(images).box_px
    assert (first * 64 / 720)[:3] == pytest.approx(BOXES[1][:3], abs=0.1)  # the picture ends at row 32


def test_classes_by_coco_by_notes_and_unknown_ones(tmp_path):
    coco = scored(tmp_path / "coco.onnx", 80, COCO_CLASSES.index("dog"))
    images = np.zeros((1, 64, 64, 3), np.uint8)
    for classes, n in ((("person",), 0), (("cat", "dog"), 2)):
        network = onnx_family.build_detector(coco, CPU, config(detect={"classes": classes}))
        assert len(network.detect(images)) == n
    noted = scored(tmp_path / "noted.onnx", 2, 1, classes=["horse", "rider"])
    network = onnx_family.build_detector(noted, CPU, config(detect={"classes": ("rider",)}))
    assert len(network.detect(images)) == 2
    with pytest.raises(PoselineError, match=r"--classes person: .*has no such class; it knows horse, rider"):
        onnx_family.detector_facts(noted, config())


def test_yolox_cells_become_boxes(tmp_path):
    make = Maker((32, 32))
    rows = np.zeros((16 + 4 + 1, 5 + 80), np.float32)
    rows[5, :6] = (0.5, 0.25, np.log(2), np.log(1.5), 0.9, 0.8)  # column 1, row 1 of the 8 px cells
    rows[18, :5], rows[18, 5 + 16] = (0, 0, 0, 0, 0.9), 0.9  # a dog
    make.output("output", make.same(rows), ["batch", 21, 85])
    path = make.save(tmp_path / "a.onnx")
    images = np.zeros((2, 32, 32, 3), np.uint8)
    people = onnx_family.build_detector(path, CPU, config()).detect(images)
    assert people.image.tolist() == [0, 1]
    assert people.box_px[0] == pytest.approx([4, 4, 20, 16], abs=1e-4)
    assert people.score == pytest.approx([0.72, 0.72])


def test_yolox_is_known_by_its_focus_layer(tmp_path):
    paths = []
    for focus in ("slices", "blocks", ""):
        make = Maker()
        first = "input"
        if focus == "blocks":  # as MMDeploy writes it
            sides = [make.constant(np.array(v, np.int64)) for v in ([1, 3, 32, 2, 32, 2], [1, 12, 32, 32])]
            blocks = make.node("Transpose", make.node("Reshape", "input", sides[0]), perm=[0, 5, 3, 1, 2, 4])
            make.node("Reshape", blocks, sides[1])
        if focus == "slices":
            slices = [make.constant(np.array(v, np.int64)) for v in ([0], [64], [3], [2])]
            first = make.node("Slice", "input", *slices)
        weight = make.constant(np.zeros((1, 3, 1, 1), np.float32))
        make.node("Conv", first, weight)
        make.output("dets", make.same(np.zeros((3, 5))), ["batch", 3, 5])
        make.output("labels", make.node("Cast", make.same([0, 0, 0]), to=TensorProto.INT64), ["batch", 3], 7)
        paths.append(make.save(tmp_path / f"{focus}.onnx"))
    graphs = [graph_of("--detector", p) for p in paths]
    assert [detector_layout(g, "auto") for g in graphs] == ["yolox", "yolox", "rtmdet"]
    assert [detector_layout(g, "yolox") for g in graphs] == ["yolox"] * 3
    assert list(operators(graphs[0].file))[:2] == ["Slice", "Conv"]


def test_pictures_are_fitted_as_mmcv_rounds_them():
    images = np.full((1, 99, 200, 3), 7, np.uint8)
    out, scale = fitted(images, (64, 64))
    assert scale == pytest.approx([64 / 200, 32 / 99])
    assert (out[0, :32] == 7).all()
    assert (out[0, 32:] == 114).all()


# --- RTMO ------------------------------------------------------------------------------------------------------------


def test_rtmo_finds_people_with_poses_in_the_middle_of_its_input(tmp_path):
    make = Maker()
    rows = [(*box, score) for box, score in zip(BOXES, SCORES, strict=True)]
    points = np.zeros((4, 17, 3))
    points[:, :, 0], points[:, :, 1], points[:, :, 2] = 12, 26, 0.7
    make.output("dets", make.same(rows), ["batch", "n", 5])
    make.output("keypoints", make.same(points), ["batch", "n", 17, 3])
    path = make.save(tmp_path / "a.onnx")
    facts = onnx_family.pose_facts(path, config())
    assert facts.one_stage
    assert facts.skeleton is COCO17
    images = np.zeros((2, 64, 128, 3), np.uint8)  # rows 16 to 48 of the input, at a scale of .5
    people = onnx_family.build_pose(path, CPU, config()).detect(images)
    assert people.image.tolist() == [0, 0, 1, 1]
    assert people.box_px[:2] == pytest.approx(np.array([(18, 0, 50, 64), (80, 8, 112, 64)]), abs=1e-3)
    assert people.keypoints_px[0, 0] == pytest.approx([24, 20], abs=1e-3)
    assert people.keypoint_score[0] == pytest.approx(0.7)


def test_a_setting_that_a_network_cannot_follow_is_named(tmp_path):
    fixed, free = (scored(tmp_path / f"{size[0]}.onnx", size=size) for size in ((64, 64), ("w", "h")))
    pixels = {"pixels": 65536}
    (line,) = warned(detect={"name": f"onnx:{fixed}", **pixels})
    assert line == f"detect.pixels=65536 has no effect on onnx:{fixed}: its input has 64 × 64 px; leave it out"
    assert warned(detect={"name": f"onnx:{fixed}"}) == ()
    assert warned(detect={"name": f"onnx:{free}", **pixels}) == ()
    assert warned(detect=pixels, pose={"flip_test": True}) == ()  # the embedded networks follow both
    fast = load_config("fast")
    found = fast.model_copy(update={"detect": fast.detect.model_copy(update={"name": f"onnx:{fixed}"})})
    (line,) = run_facts(found).warnings  # nobody gave what a named config has
    assert line.startswith(f"onnx:{fixed}: what its scores mean was not measured")
    (line,) = warned(detect={"name": f"onnx:{suppressed(tmp_path / 'dets.onnx')}", "nms_iou": 0.3})
    assert line.startswith("detect.nms_iou=0.3 has no effect on onnx:")
    (line,) = warned(observe={"half": True})
    assert line.startswith("observe.half=true has no effect on rtmpose-s and poseline and yolox-tiny: ")


def test_rtmo_and_points_without_names_have_no_flip_test(tmp_path):
    make = Maker()
    make.output("dets", make.same(np.zeros((4, 5))), ["batch", "n", 5])
    make.output("keypoints", make.same(np.zeros((4, 17, 3))), ["batch", "n", 17, 3])
    assert list(onnx_family.pose_facts(make.save(tmp_path / "rtmo.onnx"), config()).idle) == ["pose.flip_test"]
    unnamed, named = blank_simcc(tmp_path / "a.onnx", 5), blank_simcc(tmp_path / "b.onnx", 17)
    flip = config(pose={"flip_test": True})
    assert list(onnx_family.pose_facts(unnamed, flip).idle) == ["pose.flip_test"]
    assert not onnx_family.build_pose(unnamed, CPU, flip).flip_test
    assert not onnx_family.pose_facts(named, flip).idle
    assert onnx_family.build_pose(named, CPU, flip).flip_test


# --- what is no network ----------------------------------------------------------------------------------------------


def test_files_that_are_no_networks(tmp_path):
    whole = scored(tmp_path / "whole.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((tmp_path / "whole.onnx").read_bytes()[:200])
    text = tmp_path / "text.onnx"
    text.write_text("hello")
    for path, part in ((tmp_path / "none.onnx", "no such file"), (cut, "damaged"), (text, "damaged")):
        with pytest.raises(PoselineError, match=part) as caught:
            onnx_family.detector_facts(str(path), config())
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)
    with pytest.raises(PoselineError, match=r"its layout is unknown .*boxes \?×4×4, scores \?×4×1"):
        onnx_family.pose_facts(whole, config())
    with pytest.raises(PoselineError, match=r"not heatmap"):
        onnx_family.pose_facts(brightest(tmp_path / "b.onnx"), config(pose={"layout": "heatmap"}))
    with pytest.raises(PoselineError, match="its layout is unknown"):
        onnx_family.detector_facts(brightest(tmp_path / "b.onnx"), config())


def test_a_network_that_takes_no_pictures(tmp_path):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(PoselineError, match=r"takes no pictures .*x tensor\(float\) 1×5"):
        onnx_family.pose_facts(str(tmp_path / "a.onnx"), config())


def test_crops_are_those_of_opencv_at_whole_scales():
    from pipeline.models.onnx.input import matrices, to_image, views

    centre, side = views(np.array([[10, 20, 58, 84]], np.float32), (48, 64), 1.0)
    assert (centre.tolist(), side.tolist()) == ([[34, 52]], [[48, 64]])
    (matrix,) = matrices(centre, side, (48, 64), udp=False)
    assert matrix == pytest.approx(np.array([[1, 0, -10], [0, 1, -20]]))
    points = np.array([[[0, 0], [48, 64]]], np.float32)
    assert to_image(points, centre, side, (48, 64)).tolist() == [[[10, 20], [58, 84]]]
    image = np.random.default_rng(0).integers(0, 256, (100, 90, 3)).astype(np.uint8)
    assert np.array_equal(cv2.warpAffine(image, matrix, (48, 64)), image[20:84, 10:58])


# --- ReID ------------------------------------------------------------------------------------------------------------


def reid_file(path, batch: int | str = "batch", flat: bool = True, last: bool = False, size=(32, 64)):
    """A network that gives the mean of each channel."""
    maker = Maker(size, batch, last)
    mean = maker.node("GlobalAveragePool", maker.node("Transpose", "input", perm=[0, 3, 1, 2]) if last else "input")
    if flat:
        maker.output("features", maker.node("Flatten", mean), [batch, 3])
    else:
        maker.output("features", mean, [batch, 3, 1, 1])
    return maker.save(path)


@pytest.mark.parametrize("batch", ["batch", 2])
def test_reid_vectors_are_of_length_one_and_tell_colours_apart(tmp_path, batch):
    network = reid.build(f"onnx:{reid_file(tmp_path / 'reid.onnx', batch)}", CPU)
    images = np.zeros((2, 100, 100, 3), np.uint8)
    images[0, :, :50], images[0, :, 50:], images[1] = (250, 20, 20), (20, 20, 250), (250, 20, 20)
    boxes = np.array([[0, 0, 50, 100], [50, 0, 100, 100], [10, 10, 60, 90], [-80, 0, -5, 50]], np.float32)
    found = network.describe(images, np.array([0, 0, 1, 1]), boxes, 4).astype(float)
    assert found.shape == (4, network.width)
    np.testing.assert_allclose(np.linalg.norm(found[:3], axis=1), 1, atol=1e-3)
    far, common = distance2(found[:1], found)
    assert far[2] < 0.01 < 1 < far[1]
    assert common.tolist() == [4, 4, 4, 0]
    assert np.isnan(found[3]).all()
    assert network.describe(images, np.zeros(0, int), np.zeros((0, 4)), 4).shape == (0, network.width)


@pytest.mark.parametrize("size", [(32, 64), ("w", "h")])
def test_a_reid_network_may_take_colours_last(tmp_path, size):
    rng = np.random.default_rng(0)
    images, boxes = rng.integers(0, 256, (1, 100, 80, 3), np.uint8), np.array([[10, 5, 60, 90]], np.float32)
    files = [reid_file(tmp_path / f"{last}.onnx", last=last, size=size) for last in (False, True)]
    here, there = (reid.build(f"onnx:{file}", CPU).describe(images, np.zeros(1, int), boxes, 4) for file in files)
    np.testing.assert_array_equal(here, there)
    with pytest.raises(PoselineError, match="takes colours last"):
        onnx_family.detector_facts(files[1], config())


@pytest.mark.parametrize(
    ("name", "said"),
    [("osnet", "give onnx:F"), ("onnx:", "give onnx:F"), ("onnx:/nowhere.onnx", "no such file"), (None, "no vector")],
)
def test_what_is_no_reid_network_is_one_line(tmp_path, name, said):
    name = name or f"onnx:{reid_file(tmp_path / 'maps.onnx', flat=False)}"
    with pytest.raises(PoselineError, match=said):
        reid.digests(name)

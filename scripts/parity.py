"""Do poseline's backends say what the OpenMMLab calls say? Prints two Markdown tables; needs make openmm.

python scripts/parity.py [CLIP] [--frames 4]

1. mmdet's inference_detector and mmpose's inference_topdown and inference_bottomup against poseline's torch backend.
2. poseline's torch backend against its ONNX backend, on files that `poseline models export` makes.

RTMO is not in the second: random weights magnify the last bits by 1e5 there. `poseline models export` compares its raw
outputs. Weights are random (seed 0): see parity_networks.py. For speed there is `scripts/bench.py peers`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from parity_networks import awake, bgr, boxes, scoped, their_model, their_people  # noqa: E402

from pipeline.core.config import Config, with_settings  # noqa: E402
from pipeline.models.detections import Detections  # noqa: E402
from pipeline.models.openmm import compat  # noqa: E402
from pipeline.models.registry import build_models  # noqa: E402
from pipeline.video.decode import open_reader  # noqa: E402
from pipeline.video.index import index_video  # noqa: E402

SCORE = 0.3
SAME_PX = 1.0  # largest difference up to which two are the same person; others are counted as found by one alone
DETECTORS = {
    "RTMDet nano": "rtmdet_nano_320-8xb32_coco-person",
    "RTMDet tiny": "rtmdet_tiny_8xb32-300e_coco",
    "YOLOX tiny": "yolox_tiny_8xb8-300e_coco",
}
TOP_DOWN = {
    "RTMPose t": "rtmpose-t_8xb256-420e_coco-256x192",
    "HRNet w32": "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
    "SimCC ResNet-50": "simcc_res50_8xb64-210e_coco-256x192",
    "RLE ResNet-50": "td-reg_res50_rle-8xb64-210e_coco-256x192",
    "RTMPose m, whole body": "rtmpose-m_8xb64-270e_coco-wholebody-256x192",
    "RTMPose m, hand": "rtmpose-m_8xb256-210e_hand5-256x256",
    "RTMPose m, face": "rtmpose-m_8xb64-120e_lapa-256x256",
    "RTMPose m, animal": "rtmpose-m_8xb64-210e_ap10k-256x256",
}
ONE_STAGE = {
    "RTMO s": "rtmo-s_8xb32-600e_coco-640x640",
    "YOLOX-Pose tiny": "yoloxpose_tiny_4xb64-300e_coco-416",
    "AE HRNet w32": "ae_hrnet-w32_8xb24-300e_coco-512x512",
    "CID HRNet w32": "cid_hrnet-w32_8xb20-140e_coco-512x512",
}
ONNX = {
    **{shown: ("mmdet", DETECTORS[shown]) for shown in DETECTORS},
    **{shown: ("mmpose", TOP_DOWN[shown]) for shown in TOP_DOWN if shown.startswith("RTMPose")},
}


class Row(NamedTuple):
    """What two ways of one network differ by."""

    points: int  # 0: boxes
    people: int  # that both find
    alone: int  # people that one alone finds
    apart_px: float
    apart_score: float


def main(
    clip: Annotated[Path, typer.Argument(exists=True)] = ROOT / "data" / "laboratory.mp4",
    frames: Annotated[int, typer.Option(min=1)] = 4,
    threads: Annotated[int, typer.Option()] = 2,
) -> None:
    """Print both tables."""
    compat.ensure()
    info = index_video(clip)
    with open_reader(info) as reader:
        images = next(reader.read(0, min(frames, len(info)), frames)).image
    config = with_settings(
        Config(), ["runtime.random_weights=0", f"runtime.threads={threads}", f"detect.score={SCORE}"]
    )
    print(f"{len(images)} frames of {clip.name}, {images.shape[2]} × {images.shape[1]}, {threads} threads\n")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        _head("OpenMMLab's API against poseline")
        for scope, names in (("mmdet", DETECTORS), ("mmpose", TOP_DOWN), ("mmpose", ONE_STAGE)):
            for shown, name in names.items():
                reference = awake(scope, name, images, config, folder)
                compare = top_down_row if names is TOP_DOWN else people_row
                _line(shown, compare(images, config, scope, reference))
        print()
        _head("poseline, torch against ONNX Runtime")
        for shown, (scope, name) in ONNX.items():
            _line(shown, onnx_row(images, config, f"{scope}:{name}@{folder / name}.pth", folder / f"{name}.onnx"))


def _head(title: str) -> None:
    print(f"| {title} | points | people | found by one alone | largest difference, px | in scores |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)


def _line(name: str, row: Row) -> None:
    print(
        f"| {name} | {row.points or 'box'} | {row.people} | {row.alone} | {row.apart_px:.1g} | {row.apart_score:.1g} |",
        flush=True,
    )


# --- OpenMMLab against poseline --------------------------------------------------------------------------------------


def people_row(images: np.ndarray, config: Config, scope: str, reference: str) -> Row:
    """People of `inference_detector` or `inference_bottomup` and ours, above the threshold."""
    model = their_model(scope, reference, config)
    if scope == "mmpose" and "score_thr" not in model.test_cfg:  # random weights reach no threshold of ours
        config = with_settings(config, ["detect.score=0.0"])
    network = _network(scope, f"{scope}:{reference}", config)
    if scope == "mmpose":
        model.test_cfg["flip_test"] = network.loaded.model.test_cfg["flip_test"]
    return _differ(network.detect(images), their_people(scope, model, images, config.detect.score))


def top_down_row(images: np.ndarray, config: Config, scope: str, reference: str) -> Row:
    """Poses of `mmpose.apis.inference_topdown` and ours, in the same boxes."""
    from mmpose.apis import inference_topdown

    network = build_models(with_settings(config, [f"pose.name=mmpose:{reference}"])).pose
    assert network is not None
    people = boxes(images)
    poses = network.estimate(images, people)
    model = network.loaded.model  # type: ignore[attr-defined]

    def ask() -> list[Any]:
        return [r for i, image in enumerate(images) for r in inference_topdown(model, bgr(image), people.of(i).box_px)]

    theirs = scoped(scope, ask)
    points = np.concatenate([r.pred_instances.keypoints for r in theirs])
    score = np.concatenate([r.pred_instances.keypoint_scores for r in theirs]).clip(0, 1)
    apart = np.abs(points - poses.keypoints_px).max(), np.abs(score - poses.score).max()
    return Row(len(network.skeleton), len(people), 0, *map(float, apart))


# --- torch against ONNX ----------------------------------------------------------------------------------------------


def onnx_row(images: np.ndarray, config: Config, reference: str, file: Path) -> Row:
    """What the torch backend and the file exported from it say."""
    from pipeline.models.openmm.export import export

    export(reference, file, config)
    scope = reference.partition(":")[0]
    ours, theirs = _network(scope, f"onnx:{file}", config), _network(scope, reference, config)
    if hasattr(ours, "detect"):
        return _differ(ours.detect(images), theirs.detect(images))
    people = boxes(images)
    a, b = ours.estimate(images, people), theirs.estimate(images, people)
    apart = np.abs(a.keypoints_px - b.keypoints_px).max(), np.abs(a.score - b.score).max()
    return Row(len(theirs.skeleton), len(people), 0, *map(float, apart))


# --- both ------------------------------------------------------------------------------------------------------------


def _network(scope: str, reference: str, config: Config) -> Any:
    """The detector, or what estimates poses, that a reference names."""
    models = build_models(with_settings(config, [f"{'detect' if scope == 'mmdet' else 'pose'}.name={reference}"]))
    return models.detector if scope == "mmdet" or models.pose is None else models.pose


def _differ(a: Detections, b: Detections) -> Row:
    """Differences of the same people, paired within each image by their values' largest difference."""
    if not len(a) or not len(b):
        raise SystemExit("parity: nobody is found, so nothing is compared")
    boxed = not a.keypoint_score.any()
    of_a, of_b = (p.box_px.reshape(len(p), -1, 2) if boxed else p.keypoints_px for p in (a, b))
    apart, scores = [], []
    for image in np.union1d(a.image, b.image):
        i, j = np.flatnonzero(a.image == image), np.flatnonzero(b.image == image)
        gap = np.abs(of_a[i][:, None] - of_b[j][None]).max((2, 3))
        rows, columns = linear_sum_assignment(gap)
        same = gap[rows, columns] <= SAME_PX
        apart += gap[rows, columns][same].tolist()
        scores += np.abs(a.score[i[rows]] - b.score[j[columns]])[same].tolist()
    if not apart:
        raise SystemExit("parity: nobody is found by both, so nothing is compared")
    points = 0 if boxed else of_a.shape[1]
    return Row(points, len(apart), len(a) + len(b) - 2 * len(apart), max(apart), max(scores))


if __name__ == "__main__":
    typer.run(main)

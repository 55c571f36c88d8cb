"""mmdet's detectors that do find things, against MMDetection's own call on a model of its own."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.models.detections import Detections
from pipeline.models.openmm import compat, family, load
from tests.openmm.waking import awake, between, bgr, keep_above
from tests.openmm_settings import RTMDET, random_weights

compat.ensure()
from mmdet.apis import inference_detector  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402

BOXES = 60  # of both pictures together, the strongest


@pytest.mark.parametrize(("name", "classes"), [(RTMDET, ["person"]), ("yolox_tiny_8xb8-300e_coco", None)])
def test_raising_the_threshold_leaves_the_stronger_boxes_as_they_are(name, classes, images, device):
    config = random_weights("detect.score=0.0")
    model = load.load(load.find("mmdet", name, config), device, config).model
    pictures = [bgr(image) for image in images]
    awake(model, "mmdet", lambda: inference_detector(model, pictures[0]))
    keep_above(model, 0.0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        theirs = [inference_detector(model, picture).pred_instances for picture in pictures]
    names = model.dataset_meta["classes"]
    common = np.bincount(np.concatenate([r.labels.numpy() for r in theirs])).argsort()[::-1][:2]
    classes = classes or [names[label] for label in common]  # what a network of random weights likes to see
    labels = [names.index(c) for c in classes]
    kept = [np.isin(r.labels.numpy(), labels) for r in theirs]
    threshold = between([r.scores.numpy()[k] for r, k in zip(theirs, kept, strict=True)], BOXES)

    wanted = str(classes).replace("'", '"')
    network = family.build_detector(name, device, random_weights("detect.score=0.2", f"detect.classes={wanted}"))
    settings = network.loaded.model.bbox_head.test_cfg
    assert settings["score_thr"] == 0.2
    network.loaded.model.load_state_dict(model.state_dict())
    network.score = threshold
    keep_above(network.loaded.model, threshold)
    together, total = network.detect(images), 0
    for i, (result, known) in enumerate(zip(theirs, kept, strict=True)):
        sure = known & (result.scores.numpy() > threshold)
        box, score = result.bboxes.numpy()[sure], result.scores.numpy()[sure]
        people = Detections.from_boxes(np.zeros(len(box)), box, score).clipped(*images.shape[1:3])
        for mine in (together.of(i), network.detect(images[i : i + 1])):  # in a batch, and alone
            assert len(mine) == len(people)
            np.testing.assert_allclose(mine.box_px, people.box_px, atol=1e-3)
            np.testing.assert_allclose(mine.score, people.score, atol=1e-5)
        total += len(people)
    assert total >= 5  # most of those of random weights are outside of the picture


def test_the_higher_threshold_counts_and_is_no_other_networks(device):
    for score, wanted in ((0.4, 0.4), (0.01, 0.05)):  # 0.05 is the config's
        network = family.build_detector(RTMDET, device, random_weights(f"detect.score={score}"))
        assert network.loaded.model.bbox_head.test_cfg["score_thr"] == wanted


def test_a_detector_of_one_thing_finds_what_is_wanted(device):
    hands = "rtmdet_nano_320-8xb32_hand"  # whose config names no classes
    network = family.build_detector(hands, device, random_weights('detect.classes=["hand"]'))
    assert list(network.labels) == [0]
    with pytest.raises(PoselineError, match="--classes foot: RTMDet has no such class; it knows hand"):
        family.build_detector(hands, device, random_weights('detect.classes=["hand", "foot"]'))

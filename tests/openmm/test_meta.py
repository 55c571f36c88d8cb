"""Keypoint sets from the networks' own metadata."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.models.openmm import load
from pipeline.models.openmm.meta import SIGMA, skeleton
from tests.openmm_settings import random_weights

SETS = {  # network: keypoints, (left, right) pairs, a pair by name
    "rtmpose-t_8xb1024-700e_body8-halpe26-256x192": (26, 11, ("left_heel", "right_heel")),
    "rtmpose-m_8xb64-270e_coco-wholebody-256x192": (133, 61, ("left_hand_root", "right_hand_root")),
    "rtmpose-m_8xb256-210e_hand5-256x256": (21, 0, None),
    "rtmpose-m_8xb64-120e_lapa-256x256": (106, 48, None),
    "rtmpose-m_8xb32-60e_coco-wholebody-face-256x256": (68, 29, None),
    "rtmpose-m_8xb64-210e_ap10k-256x256": (17, 7, ("L_Eye", "R_Eye")),
}


def points_of(name: str) -> Skeleton:
    config = random_weights()
    return skeleton(load.dataset_meta(load.find("mmpose", name, config), config))


@pytest.mark.parametrize("name", SETS)
def test_sets_of_every_size(name):
    count, pairs, example = SETS[name]
    points = points_of(name)
    assert len(points) == count
    assert len(points.pairs) == pairs
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", joint) for joint in points.names)
    assert min(points.sigmas) > 0
    np.testing.assert_array_equal(points.flip[points.flip], np.arange(count))
    assert points.limbs == () or np.array(points.limbs).max() < count
    assert Skeleton.from_spec(points.spec()) == points
    if example:
        assert tuple(points.index(joint) for joint in example) in points.pairs


def test_coco_is_our_own():
    assert points_of("td-hm_hrnet-w32_8xb64-210e_coco-256x192") is COCO17


def meta(*names: str, **more) -> dict:
    return {"dataset_name": "my set!", "keypoint_id2name": dict(enumerate(names)), **more}


def test_left_is_first_however_the_set_counts():
    points = skeleton(meta("right knee", "left knee", "tail", "R_Paw", "L_Paw", flip_indices=[1, 0, 2, 4, 3]))
    assert points.pairs == ((1, 0), (4, 3))
    assert [points.side(k) for k in range(5)] == [1, -1, 0, 1, -1]


def test_names_become_columns_that_differ():
    points = skeleton(meta("face-0", "face 0", "face_0_2", "çà", "  ", skeleton_links=[(0, 1), (2, 2)]))
    assert points.name == "my_set"
    assert len(set(points.names)) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", joint) for joint in points.names)
    assert points.limbs == ((0, 1),)
    assert points.pairs == ()
    assert points.sigmas == (SIGMA,) * 5


@pytest.mark.parametrize("sigmas", [np.array([0.1, 0.2]), [0.1, 0.2]])
def test_sigmas_are_the_sets_own(sigmas):
    assert skeleton(meta("a", "b", sigmas=sigmas)).sigmas == pytest.approx((0.1, 0.2))


def test_a_network_without_keypoints_is_one_line():
    with pytest.raises(PoselineError, match="does not say what its keypoints are"):
        skeleton({"classes": ("person",)})

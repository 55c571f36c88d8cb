"""Names of the model zoo: what is found, what is near, where the checkpoints are."""

from __future__ import annotations

import pytest

from pipeline.core.errors import PoselineError
from pipeline.models.openmm import zoo
from tests.openmm_settings import RTMDET, RTMPOSE


@pytest.mark.parametrize(
    ("scope", "name"), [("mmdet", RTMDET), ("mmdet", "rtmdet_tiny_8xb32-300e_coco"), ("mmpose", RTMPOSE)]
)
def test_configs_are_found_by_name_and_by_path(scope, name):
    file = zoo.find_config(scope, name)
    assert file.stem == name
    assert zoo.find_config(scope, str(file)) == file


def test_a_name_of_the_metafiles_that_is_no_file_is_found():
    file = zoo.find_config("mmdet", "faster-rcnn_r50_fpn_carafe_1x_coco")
    assert file.stem == "faster-rcnn_r50_fpn-carafe_1x_coco"


def test_where_both_packages_have_a_config_it_is_its_own():
    """MMPose brings RTMDet-tiny too, for its demos."""
    assert "mmdet" in zoo.find_config("mmdet", "rtmdet_tiny_8xb32-300e_coco").parts


def test_all_configs_are_files_and_no_bases():
    for scope, least in (("mmdet", 500), ("mmpose", 300)):
        known = zoo.configs(scope)
        assert len(known) > least
        assert all(file.is_file() and "_base_" not in file.parts for file in known.values())


@pytest.mark.parametrize(
    ("scope", "name", "said"),
    [
        ("mmpose", RTMPOSE[:-1], f"did you mean {RTMPOSE}, "),
        ("mmdet", "rtmdet_nano", f"did you mean .*{RTMDET}"),
        ("mmdet", RTMPOSE, "no config file and no name of mmdet's model zoo"),
        ("mmpose", "nonsense!", "^mmpose:nonsense!: no config file and no name of mmpose's model zoo$"),
        ("mmpose", "nowhere/net.py", "nowhere/net.py: no such config file"),
    ],
)
def test_a_name_that_is_not_there_is_one_line(scope, name, said):
    with pytest.raises(PoselineError, match=said) as error:
        zoo.find_config(scope, name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("scope", "name", "file"),
    [
        ("mmdet", RTMDET, "rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth"),
        ("mmdet", "yolov3_d53_8xb8-320-273e_coco", "yolov3_d53_320_273e_coco-421362b6.pth"),
        # An entry for CrowdPose bears the name of the first one by mistake.
        ("mmpose", RTMPOSE, "rtmpose-tiny_simcc-coco_pt-aic-coco_420e-256x192-e613ba3f_20230127.pth"),
        (
            "mmpose",
            "rtmpose-m_8xb64-210e_crowdpose-256x192",
            "rtmpose-m_simcc-crowdpose_pt-aic-coco_210e-256x192-e6192cac_20230224.pth",
        ),
    ],
)
def test_official_checkpoints_are_those_of_the_metafiles(scope, name, file):
    address = zoo.official_checkpoint(scope, zoo.find_config(scope, name))
    assert address is not None
    assert address.startswith("https://")
    assert address.endswith(f"/{file}")


def test_a_config_of_ones_own_has_no_official_checkpoint(tmp_path):
    (tmp_path / "my.py").write_text("model = dict(type='TopdownPoseEstimator')\n")
    assert zoo.official_checkpoint("mmpose", zoo.find_config("mmpose", f"{tmp_path}/my.py")) is None


def test_a_package_that_is_not_there_says_how_to_come_by_it(tmp_path, monkeypatch):
    monkeypatch.setitem(zoo.FOLDERS, "mmpose", (("package_that_is_not_there", "configs"),))
    with pytest.raises(PoselineError, match="is not installed; run make openmm"):
        zoo.official_checkpoint("mmpose", tmp_path / "my.py")

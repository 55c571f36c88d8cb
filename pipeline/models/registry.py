"""Every network poseline can run: the embedded ones in two explicit dicts, families of files behind a prefix."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.core.config import NAMED, Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.wholebody_sets import FACE68, HANDS42, WHOLEBODY133
from pipeline.models import calibrated, kept, openvino
from pipeline.models.calibration import ScoreMap, read
from pipeline.models.catalogue import LAYOUTS, Known
from pipeline.models.embedded.body import detector, pose
from pipeline.models.embedded.wholebody import WholeBody
from pipeline.models.graded import FAINT, Graded
from pipeline.models.onnx import family as onnx
from pipeline.models.onnx import reid
from pipeline.models.onnx.reid import ReId
from pipeline.models.protocols import Detector, Family, NetworkFacts, PoseNetwork, Timed
from pipeline.models.runtime import ASSETS, Device, Session, file_digest, pick_device
from pipeline.models.told import by_role, narrowed


class Entry(NamedTuple):
    """An embedded network."""

    files: tuple[str, ...]
    skeleton: Skeleton
    about: str
    build: Callable[[Device, Config], Any]


def _part(name: str) -> Callable[[Device, Config], WholeBody]:
    return lambda device, c: WholeBody(device, pose(device, c), c.runtime.batch_people, name)


_BODY_FILE, _HAND_FILE, _FACE_FILE = "rtmpose-s.onnx", "handlandmark-full.onnx", "facemesh.onnx"
DETECTORS: dict[str, Entry] = {
    "yolox-tiny": Entry(("yolox-tiny.onnx",), COCO17, "people of every size (default)", detector),
}
POSES: dict[str, Entry] = {
    "rtmpose-s": Entry((_BODY_FILE,), HALPE26, "body, head and feet (default)", pose),
    "wholebody": Entry(
        (_BODY_FILE, _HAND_FILE, _FACE_FILE), WHOLEBODY133, "body, feet, face and hands", _part("wholebody")
    ),
    "hands": Entry((_BODY_FILE, _HAND_FILE), HANDS42, "both hands, 21 keypoints each", _part("hands")),
    "face": Entry((_BODY_FILE, _FACE_FILE), FACE68, "the face", _part("face")),
}
# Names of networks that earlier versions had, and what replaces them.
_GONE = {
    "--detector": dict.fromkeys(("movenet-multipose+nanodet", "movenet-multipose", "nanodet"), "yolox-tiny"),
    "--pose": dict.fromkeys(
        ("movenet-thunder", "movenet-lightning", "movenet-multipose", "blazepose-heavy"), "rtmpose-s"
    ),
}


def _openmm() -> Family:
    from pipeline.models.openmm import family  # needs torch

    return family


# Networks in files, named PREFIX:REFERENCE.
DETECTOR_FAMILIES: dict[str, Callable[[], Family]] = {"mmdet": _openmm, "onnx": lambda: onnx}
POSE_FAMILIES: dict[str, Callable[[], Family]] = {"mmpose": _openmm, "onnx": lambda: onnx}
# Settings that networks cannot follow, and why.
_ONE_STAGE_IDLE = dict.fromkeys(("detect.pixels", "detect.classes", "detect.layout"), "it finds people by itself")
_OPENMM_ONLY = dict.fromkeys(("observe.half", "runtime.random_weights"), "it is for mmdet: and mmpose: networks alone")
FILES = (
    ("--detector", "mmdet:CONFIG@CHECKPOINT", "any detector of MMDetection (needs the OpenMMLab packages)"),
    ("--detector", "onnx:FILE", "RTMDet or YOLOX"),
    ("--pose", "mmpose:CONFIG@CHECKPOINT", "any pose network of MMPose (needs the OpenMMLab packages)"),
    ("--pose", "onnx:FILE", "RTMPose and other SimCC networks, RTMO"),
    ("--lifter", "poseline", "3D over time, of any body keypoints (default)"),
    ("--lifter", "mmpose:CONFIG@CHECKPOINT", "VideoPose3D, SimpleBaseline3D, MotionBERT"),
    ("--lifter", "none", "no 3D"),
)


class Models(NamedTuple):
    """The networks of a run. ``pose`` is None for a one-stage run, whose poses are the detector's."""

    detector: Detector
    pose: PoseNetwork | None
    skeleton: Skeleton
    reid: ReId | None = None
    unknown: tuple[str, ...] = ()  # detector, pose: whose scores' meaning is not known

    @property
    def sessions(self) -> list[Timed]:
        networks = (self.detector, self.pose) if self.pose else (self.detector,)
        return [s for network in networks for s in network.sessions] + ([self.reid.session] if self.reid else [])

    @property
    def laned(self) -> bool:
        """Whether the detector may work on the next frames while the pose network works on these."""
        if self.pose is None:
            return False
        sessions = [*self.detector.sessions, *self.pose.sessions]
        return bool(sessions) and all(isinstance(s, Session) and s.device.lanes > 1 for s in sessions)


def _split(option: str, name: str) -> tuple[Family | None, str]:
    """(family, reference) of a name with a prefix, or of a network kept on this machine; (None, name) of another."""
    known, families = (DETECTORS, DETECTOR_FAMILIES) if option == "--detector" else (POSES, POSE_FAMILIES)
    prefix, colon, reference = name.partition(":")
    if colon and prefix in families:
        return families[prefix](), reference
    if name in known:
        return None, name
    file = kept.file_of(option, name)
    return (families["onnx"](), str(file)) if file else (None, name)


def _told(config: Config) -> Config:
    """The config with what the catalogue tells of its networks' layouts and keypoints, where the config leaves it."""
    told: list[tuple[str, Any]] = []
    finding = None if config.detect.name in DETECTORS else kept.told_of(config.detect.name)
    posing = None if config.pose.name in POSES else kept.told_of(config.pose.name)
    if finding and finding.family in LAYOUTS and config.detect.layout == "auto":
        told.append(("detect", config.detect.model_copy(update={"layout": finding.family})))
    if posing and posing.keypoints and config.pose.keypoints == "auto":
        told.append(("pose", config.pose.model_copy(update={"keypoints": posing.keypoints})))
    return config.model_copy(update=dict(told))


def missing(config: Config) -> list[Known]:
    """The catalogue's networks that the config names and that are not on this machine."""
    named = {"--detector": config.detect.name, "--pose": config.pose.name, "--reid": config.observe.reid}
    others = {option: name for option, name in named.items() if name not in (*DETECTORS, *POSES, reid.NONE)}
    found = [kept.missing(option, name) for option, name in others.items()]
    return [network for network in found if network is not None]


def unknown(option: str, name: str, choices: tuple[str, ...], gone: dict[str, str]) -> PoselineError:
    """The error for an unknown network; ``gone`` has the replacements of earlier versions' networks."""
    instead = gone.get(name)
    if instead:
        return PoselineError(f"{option} {name}: this network is gone; {instead} replaces it")
    return PoselineError(f"{option} {name}: no such network; choose one of {', '.join(choices)}")


def _embedded(option: str, name: str, known: dict[str, Entry], families: dict[str, Callable[[], Family]]) -> Entry:
    if name not in known:
        choices = (*known, *(f"{p}:…" for p in families), "a name of poseline models list")
        raise unknown(option, name, choices, _GONE[option])
    return known[name]


def _embedded_facts(entry: Entry, files_only: tuple[str, ...]) -> NetworkFacts:
    """``files_only`` are the settings that describe networks in users' files only."""
    digests = {file: file_digest(ASSETS / file) for file in entry.files}
    return NetworkFacts(digests, entry.skeleton, idle=dict.fromkeys(files_only, "it is for onnx: networks alone"))


def detector_facts(config: Config) -> NetworkFacts:
    """What is known of the config's detector. Raises PoselineError for one that is not there."""
    name = config.detect.name
    family, reference = _split("--detector", name)
    if family:
        return family.detector_facts(reference, _told(config))
    facts = _embedded_facts(_embedded("--detector", name, DETECTORS, DETECTOR_FAMILIES), ("detect.layout",))
    if config.detect.classes != ("person",):
        wanted = ",".join(config.detect.classes)
        raise PoselineError(f"--classes {wanted}: {name} knows persons only; give another --detector")
    return facts


def pose_facts(config: Config) -> NetworkFacts:
    """What is known of the config's pose network. Raises PoselineError for one that is not there."""
    family, reference = _split("--pose", config.pose.name)
    if family:
        return family.pose_facts(reference, _told(config))
    entry = _embedded("--pose", config.pose.name, POSES, POSE_FAMILIES)
    return _embedded_facts(entry, ("pose.layout", "pose.keypoints"))


def check_names(config: Config) -> None:
    """Raise PoselineError when the config names networks that are not there or do not go together."""
    if not pose_facts(config).one_stage:
        detector_facts(config)
        return
    name, detector = config.pose.name, config.detect.name
    if detector != type(config.detect)().name:
        raise PoselineError(f"--pose {name} finds its people by itself: leave out --detector {detector}")


def build_models(config: Config, laned: bool = False) -> Models:
    """Load the networks that the config names. Raises PoselineError for unknown names, missing files, missing CUDA.

    ``laned``: for the most frames in an hour, several calls of a network run side by side. Otherwise each call has all
    CPU threads, for the least time a frame. The results are the same.
    """
    check_names(config)
    least, facts, scores = config.detect.score, pose_facts(config), scores_of(config)
    unknown, faint = tuple(role for role, own in scores.items() if own is None), min(least, FAINT)
    finding, posing = _built(config, calibrated.raw_score(scores["detector"], faint), laned)
    finding = calibrated.detecting(finding, scores["detector"], None if posing else scores["pose"], faint)
    posing = calibrated.posing(posing, scores["pose"]) if posing else None
    return Models(Graded(finding, least), posing, facts.skeleton, _reid(config), unknown)


def raw_models(config: Config, least: float) -> tuple[Detector, PoseNetwork | None]:
    """The detector and the pose network with their own scores, boxes from ``least`` on; one stage has no second."""
    check_names(config)
    return _built(config, least, False)


def _built(config: Config, least: float, laned: bool) -> tuple[Detector, PoseNetwork | None]:
    low = config.detect.model_copy(update={"score": least})
    config = _told(config.model_copy(update={"detect": low}))
    family, reference = _split("--pose", config.pose.name)
    device = _device(family, config, laned)
    if family and pose_facts(config).one_stage:
        return family.build_pose(reference, device, config), None
    posing = family.build_pose(reference, device, config) if family else POSES[reference].build(device, config)
    family, reference = _split("--detector", config.detect.name)
    device = _device(family, config, laned)
    finding = family.build_detector(reference, device, config) if family else DETECTORS[reference].build(device, config)
    return finding, posing


def scores_of(config: Config) -> dict[str, ScoreMap | None]:
    """What the scores of the config's networks mean, of the detector and of the pose network; None where unknown."""
    return calibrated.scores_of(config, *_both_facts(config))


def keep_scores(config: Config, found: dict[str, list[float]]) -> None:
    """Keep calibrations of the config's networks by role, for later runs."""
    for role, facts in zip(("detector", "pose"), _both_facts(config), strict=True):
        if role in found:
            calibrated.keep(facts.digests, {role: read(found[role])})


def _both_facts(config: Config) -> tuple[NetworkFacts, NetworkFacts]:
    """Facts of the network that gives boxes their scores and of that which gives keypoints theirs."""
    posing = pose_facts(config)
    return posing if posing.one_stage else detector_facts(config), posing


def _reid(config: Config) -> ReId | None:
    if config.observe.reid == reid.NONE:
        return None
    return reid.build(config.observe.reid, _device(None, config, False))


def _device(family: Family | None, config: Config, laned: bool) -> Device:
    """Where a network runs: torch and ONNX Runtime need not have the same devices."""
    pick = family.pick if family else pick_device
    device = pick(config.runtime.device, config.runtime.threads, config.runtime.precision)
    return device.laned() if laned else device


def decided(config: Config) -> Config:
    """The config with device and precision settled, so that all workers of a run compute the same.

    A network of a user's that OpenVINO cannot run makes auto mean ONNX Runtime, for all networks of the run.
    """
    runtime = config.runtime
    if runtime.device not in ("auto", openvino.NAME) or _torch(config):
        return config
    device = pick_device(runtime.device, runtime.threads, runtime.precision)
    if device.name == openvino.NAME and not (runtime.device == "auto" and _unable(config, device)):
        told = {"device": device.name, "precision": device.precision}
    else:
        told = {"precision": "f32"}
    return config.model_copy(update={"runtime": runtime.model_copy(update=told)})


def computes(config: Config) -> str:
    """What the last bits of a run's networks depend on beside their files; "" for ONNX Runtime."""
    return "" if _torch(config) else _device(None, config, False).computes


def _torch(config: Config) -> bool:
    """Whether a network of the run needs torch."""
    return config.detect.name.startswith("mmdet:") or config.pose.name.startswith("mmpose:")


def _unable(config: Config, device: Device) -> bool:
    """Whether OpenVINO cannot run one of the networks in files that the config names."""
    named = (("--detector", config.detect.name), ("--pose", config.pose.name))
    files = [reference for option, name in named for family, reference in [_split(option, name)] if family]
    if config.observe.reid != reid.NONE:
        files += [file for file in [reid.reference(config.observe.reid)] if file]
    return any(onnx.unable(file, device.precision) for file in files)


def run_facts(config: Config) -> NetworkFacts:
    """Digests of every network that a run with this config uses, its keypoint set and its warnings."""
    check_names(config)
    posing = pose_facts(config)
    boxes = NetworkFacts({}, COCO17) if posing.one_stage else detector_facts(config)
    digests = by_role({"detector": boxes.digests, "pose": posing.digests, "reid": reid.digests(config.observe.reid)})
    scores = scores_of(config)
    digests |= calibrated.told(scores)
    warnings = boxes.warnings + posing.warnings + _idle(boxes, posing, config)
    warnings += narrowed(config) + calibrated.warnings(config, posing.one_stage, scores)
    return posing._replace(digests=digests, computes=computes(config), warnings=warnings)


def _idle(boxes: NetworkFacts, posing: NetworkFacts, config: Config) -> tuple[str, ...]:
    """A warning for each setting that the user gave and that the networks cannot follow."""
    names = [config.pose.name, config.lift.name] + ([] if posing.one_stage else [config.detect.name])
    cannot = [(config.detect.name, boxes.idle), (config.pose.name, posing.idle)]
    if posing.one_stage:
        cannot.append((config.pose.name, _ONE_STAGE_IDLE))
    if not any(name.startswith(("mmdet:", "mmpose:")) for name in names):
        cannot.append((" and ".join(names), _OPENMM_ONLY))
    usual = [load_config(name) for name in NAMED]  # values of the named configs do not count as given by the user
    return tuple(
        f"{key}={json.dumps(_setting(config, key))} has no effect on {name}: {why}; leave it out"
        for name, idle in cannot
        for key, why in idle.items()
        if _setting(config, key) not in [_setting(given, key) for given in usual]
    )


def _setting(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)

"""The settings' sections, as frozen models. Unknown keys are errors; `pipeline.core.config` reads and digests them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.core.errors import PoselineError
from pipeline.core.team_text import read_told

LEAST_HEIGHT_M, MOST_HEIGHT_M = 0.5, 2.3
ASSUMED_HEIGHT_M = 1.70

Vector2 = tuple[float, float]
Vector3 = tuple[float, float, float]
Height = Annotated[float, Field(ge=LEAST_HEIGHT_M, le=MOST_HEIGHT_M)]


class Section(BaseModel):
    """Settings that belong together; frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TimeConfig(Section):
    """How fast the video plays what it shows."""

    # frames recorded in a second; None: as many as the video plays. Finding people keeps to the video's own clock.
    recorded_fps: float | None = Field(None, gt=0, le=1_000_000)
    # time on the video's own clock, in s, that is 0 in the tables: a force plate's trigger; None: the video's own times
    zero_s: float | None = None


class VideoConfig(Section):
    """How a video's pictures are read."""

    stream: int | None = Field(None, ge=0)  # number among the file's video streams; None: as FFmpeg's command chooses
    deinterlace: Literal["auto", "off", "frame", "field"] = "auto"
    hdr: Literal["auto", "off", "hlg", "pq"] = "auto"  # how light is coded: as the file says, SDR, or HDR by this curve


class ObserveConfig(Section):
    """How frames become observations."""

    chunk_frames: int = Field(256, ge=1)  # frames of one observation part, the unit of resuming
    detect_every_s: float = Field(0.04, ge=0, le=10)  # the detector runs this often, else boxes are carried; 0: always
    detect_apart_s: float = Field(0.0, ge=0, le=10)  # this often where all are surely seen and apart; 0: no difference
    # auto: where nothing happens before a still camera, people are looked for once a second; off: as ever
    activity: Literal["auto", "off"] = "auto"
    reid: str = "none"  # appearance by a ReID network, onnx:FILE; none: by colours of the body's parts
    half: bool = False  # mmdet: and mmpose: networks compute in half precision on CUDA


class DetectConfig(Section):
    """How people are found. Thresholds are low on purpose: the tracker tells weak people from clutter over time."""

    name: str = "yolox-tiny"
    pixels: int | None = Field(None, ge=4096, le=1 << 24)  # of a detector input of free size; None: from the video
    nms_iou: float = Field(0.6, ge=0, le=1)  # boxes that overlap more are one person
    score: float = Field(0.3, ge=0, le=1)  # boxes below are not people
    classes: tuple[str, ...] = ("person",)  # classes to find, by the detector's names; all are tracked as people
    layout: Literal["auto", "rtmdet", "yolox"] = "auto"  # of an onnx: network's outputs, where its graph does not tell
    # whom to look at: px of the upright picture, a rectangle's x1, y1, x2, y2 or a polygon's corners; (): everywhere
    roi: tuple[float, ...] = ()
    min_height_px: float = Field(0, ge=0)  # people with lower boxes are left out
    max_people: int = Field(0, ge=0)  # so many in a frame at most; 0: everybody
    prefer: Literal["largest", "middle"] = "largest"  # whom max_people takes; middle: nearest to that of roi or picture
    # the picture is looked at in tiles, too: so many, or columns x rows; auto: large ones where tiles find more; off
    tiles: int | str = "auto"

    @field_validator("roi")
    @classmethod
    def _is_region(cls, roi: tuple[float, ...]) -> tuple[float, ...]:
        if len(roi) == 4 and not (roi[0] < roi[2] and roi[1] < roi[3]):
            raise ValueError("a rectangle is x1,y1,x2,y2 with x1 < x2 and y1 < y2")
        if len(roi) % 2 or len(roi) == 2:
            raise ValueError("give a rectangle x1,y1,x2,y2, or the x,y of three corners and more")
        return roi

    @field_validator("tiles")
    @classmethod
    def _are_tiles(cls, tiles: int | str) -> int | str:
        told = str(tiles)
        if told not in ("auto", "off") and not re.fullmatch(r"[1-9]\d?(x[1-9]\d?)?", told):
            raise ValueError("give auto, off, a number of tiles up to 99, or columns and rows, such as 3x2")
        return int(told) if told.isdecimal() else tiles


class PoseConfig(Section):
    """How poses are estimated."""

    name: str = "rtmpose-s"
    duplicate_oks: float = Field(0.5, ge=0, le=1)  # poses in a frame more alike than this are one person
    min_score: float = Field(0.1, ge=0, le=1)  # people below are not stored
    flip_test: bool = False  # networks see each person mirrored too: twice the cost, a little better
    turned: bool = True  # whoever seems to lie or to be head down is also seen turned upright
    layout: Literal["auto", "simcc", "heatmap", "rtmo"] = "auto"  # of an onnx: network's outputs
    keypoints: str = "auto"  # keypoint set of an onnx: network, where its file does not tell


class TrackConfig(Section):
    """How observations become people. Lengths are in body lengths (√(box area / 0.4), about a standing height)."""

    max_gap_s: float = Field(1.0, ge=0)  # a person unseen for longer gets a new id; shorter gaps are filled
    high_score: float = Field(0.61, ge=0, le=1)  # observations of this score or more are matched first and start people
    low_score: float = Field(0.5, ge=0, le=1)  # observations below are ignored; others continue people, or precede them
    sure_score: float = Field(0.85, ge=0, le=1)  # one observation this good makes a person at once
    confirm_hits: int = Field(3, ge=1)  # otherwise this many observations make a person
    tentative_gap_s: float = Field(0.2, ge=0)  # an unconfirmed person missed in a frame and unseen longer is dropped
    min_length_s: float = Field(0.3, ge=0)  # people seen over a shorter time are dropped (at most half of the video)
    min_mean_score: float = Field(0.5, ge=0, le=1)  # people with a lower mean score are dropped
    min_coverage: float = Field(0.2, ge=0, le=1)  # and people seen in a smaller share of their frames
    gate_sigma: float = Field(4.0, gt=0)  # largest distance of a person from the prediction, in standard deviations
    gate_scale: float = Field(3.0, gt=1)  # an observation may be this many times larger or smaller than the person
    start_speed_len_s: float = Field(1.5, gt=0)  # standard deviation of a new person's velocity, body lengths / s
    agility_len2_s3: float = Field(0.7, gt=0)  # spectral density of the body's acceleration, body lengths² / s³
    box_points: float = Field(3.0, ge=0)  # IoU counts as much as this many keypoints
    min_similarity: float = Field(0.3, ge=0, le=1)  # OKS with IoU that a match needs at least
    min_similarity_low: float = Field(0.3, ge=0, le=1)  # the same for observations below high_score
    match_limit: float = Field(4.0, gt=0)  # largest cost of a match, a negative log likelihood ratio
    match_limit_low: float = Field(2.5, gt=0)  # the same for observations below high_score
    duplicate_oks: float = Field(0.7, ge=0, le=1)  # two people more alike than this in a frame may be one seen twice
    duplicate_overlap: float = Field(0.8, ge=0, le=1)  # and are one if so in this share of the shorter one's frames
    camera: bool = True  # undo the camera's motion before people are predicted
    appearance: bool = True  # compare clothes
    relink: bool = True  # cut and link tracklets once the whole video is known
    shots: Literal["auto", "off"] = "auto"  # cuts, dissolves, fades and wipes end tracks; off: the video is one shot
    # when each shot begins, in seconds of the video, and its camera (0: to be found out); replaces what is found
    told_shots: tuple[tuple[float, int], ...] = ()
    people: int | None = Field(None, ge=1)  # how many people there are, if that is known
    drop_still: bool = False  # leave out whoever never moves: pictures, dummies, statues


class TeamsConfig(Section):
    """Whether the people are two teams."""

    # auto: two teams where the kits show them; off; or as told: A=red,B=white, A=#c01020,B=3 (a person's number)
    kits: str = "auto"

    @field_validator("kits")
    @classmethod
    def _is_told(cls, kits: str) -> str:
        if kits not in ("auto", "off"):
            read_told(kits)
        return kits


class SmoothConfig(Section):
    """How each keypoint's path is smoothed. Lengths are in body lengths (the longer side of the person's box)."""

    unswap: bool = True  # undo exchanges of left and right
    # none: measured positions as they are, gaps still filled; one_euro looks ahead by 0 s, fixed_lag by lag_s
    method: Literal["kalman", "butterworth", "savgol", "one_euro", "fixed_lag", "none"] = "kalman"
    min_keypoint_score: float = Field(0.3, ge=0, le=1)  # keypoints below count as not measured
    noise_len: float = Field(0.008, gt=0)  # standard deviation of a keypoint of score 1, per axis; grows as 1 / score
    least_jerk: float = Field(18.0, gt=0)  # √ spectral density of a calm point's jerk, body lengths / s³ / √Hz
    gate_sigma: float = Field(5.0, gt=0)  # measurements further from the prediction are outliers, not used
    bridge_s: float = Field(0.2, ge=0)  # a keypoint unseen for longer is bridged by a line, not by the motion model
    lag_s: float = Field(0.1, ge=0, le=10)  # fixed_lag: how far it looks ahead
    cutoff_hz: float = Field(6.0, gt=0)  # butterworth: −3 dB of both passes together; one_euro: least cutoff
    order: int = Field(4, ge=2, le=16, multiple_of=2)  # butterworth: of both passes together
    window_s: float = Field(0.2, gt=0)  # savgol: length of the window, polynomial of degree 3
    beta_len: float = Field(4.0, ge=0)  # one_euro: Hz by which a speed of one body length / s raises the cutoff


class LiftConfig(Section):
    """How people get a third dimension."""

    # poseline: over time; none; mmpose:CONFIG[@CHECKPOINT]
    name: str = "poseline"
    fov_deg: float | None = Field(None, ge=5, le=150)  # over the picture's width; None: by a calibration, else assumed


class Calibration(Section):
    """A calibrated camera, as OpenCV has it: x_camera = R x_world + t; world z is up and the floor is z = 0."""

    name: str = ""
    size_px: tuple[int, int]  # (w, h) of the pictures that matrix is for
    matrix: tuple[Vector3, Vector3, Vector3]
    distortions: tuple[float, ...] = ()  # k1, k2, p1, p2 [, k3 …]; of a fisheye k1, k2, k3, k4
    rotation: Vector3  # Rodrigues vector, world to camera
    translation_m: Vector3
    fisheye: bool = Field(False, strict=True)


class Ground(Section):
    """The floor: either point pairs ``image_px`` and ``plane_m``, at least four, or a camera; and zones on it."""

    image_px: tuple[Vector2, ...] = ()
    plane_m: tuple[Vector2, ...] = ()
    time_s: tuple[float, ...] = ()  # of each point, or one of the camera, on the video's own clock; none: the first
    camera: Calibration | None = None
    zones: dict[str, tuple[Vector2, ...]] = {}  # polygons in metres
    pitch: str = ""  # whose lines are drawn, of `pipeline.core.pitches`; "": none


class MetresConfig(Section):
    """Where metres and the vertical come from. If no scale is given, 1.70 m of height are assumed where needed."""

    height_m: Height | None = None  # everybody's
    heights_m: dict[str, Height] = {}  # by person's id or name
    length: tuple[float, float, float, float, float] | None = None  # x1, y1, x2, y2 in px, and metres
    ground: Ground | None = None
    # what is upright leans so far to the right in the picture; None: as a calibration has it, else 0
    roll_deg: float | None = Field(None, ge=-45, le=45)

    @property
    def scaled(self) -> bool:
        """Whether a scale of the picture plane was given for anybody."""
        return bool(self.height_m or self.heights_m or self.length)

    def height_of(self, person_id: int, name: str = "") -> float | None:
        """The height in m given for a person: by id or name, else everybody's; None when none was given.

        A key that is a number is always an id, even if a person has this number as a name.

        Raises:
            PoselineError: id and name are given different heights.
        """
        by_id = self.heights_m.get(str(person_id))
        by_name = None if name.isdecimal() else self.heights_m.get(name)
        if by_id is not None and by_name is not None and by_id != by_name:
            raise PoselineError(
                f"--height {person_id}={by_id:g} and --height {name}={by_name:g}: person {person_id} is called {name}; "
                "give one of them"
            )
        return by_id or by_name or self.height_m


Angle = Literal["knee_flexion", "hip_flexion", "ankle_dorsiflexion", "elbow_flexion", "shoulder_flexion"]
Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]  # fmt: skip


class RenderConfig(Section):
    """How the annotated video looks and is encoded. None: as the style has it (`pipeline.render.look.STYLES`)."""

    enabled: bool = True
    style: Literal["default", "clean", "analysis", "surveillance", "presentation"] = "default"
    colour: Literal["side", "person"] | None = None  # of skeletons
    skeleton: bool | None = None
    boxes: bool | None = None
    labels: bool | None = None  # ids, or names where people have some
    teams: bool = True  # boxes, labels, trails and dots in the colours of teams, where teams are known
    speed: bool | None = None  # on the labels
    trail_s: float | None = Field(None, ge=0, le=60)  # length in seconds of each person's trail
    angles: tuple[Angle, ...] | None = None  # at the joints
    clock: bool | None = None  # time and frame
    ground: bool | None = None  # inset: everybody's way from above
    space: bool | None = None  # inset: skeletons in space
    people: tuple[int, ...] = ()  # whom to draw; empty: everybody
    background: Literal["video", "black"] = "video"
    blur: Literal["none", "faces", "people"] = "none"  # blurs all people, also those who are not drawn
    scale: float = Field(1.0, ge=0.05, le=8)  # of the written picture
    codec: Literal["h264", "h265", "vp9", "av1"] = "h264"
    crf: int | None = Field(None, ge=0, le=63)  # quality, lower is better; None: the codec's own usual one
    preset: Preset = "veryfast"  # x264's names, for all codecs


class ReportConfig(Section):
    """The page that shows a run, report.html."""

    enabled: bool = True
    max_mb: float = Field(24.0, ge=4)  # about its largest size; curves of long runs are thinned, tables never


class LiveConfig(Section):
    """How a live stream is received, and cut into segments."""

    segment_s: float = Field(600.0, ge=1)  # length of a segment; its tables and its video are whole when it closes
    part_s: float = Field(5.0, gt=0)  # observations are on the disk after this time: the most that a kill can lose
    tables: Literal["causal", "whole"] = "causal"  # smoothed as in the live output, or both ways over the whole segment
    queue_frames: int = Field(8, ge=1)  # decoded frames that wait at most; the oldest are dropped
    timeout_s: float = Field(5.0, gt=0)  # a network source that sends nothing for so long is disconnected
    wait_s: float = Field(0.0, ge=0)  # how long to wait at the start for a source that is not there yet
    retry_s: float = Field(0.5, gt=0)  # pause before reconnecting, 1.5 times longer each time, with jitter
    retry_most_s: float = Field(2.0, gt=0)  # the longest such pause
    give_up_s: float = Field(0.0, ge=0)  # a source away for longer ends the run; 0: never
    gap_s: float = Field(1.0, gt=0)  # frames further apart are a gap, which run.json names
    jump_s: float = Field(2.0, gt=0)  # a stream's clock that is further ahead of this machine's clock has jumped
    options: dict[str, str] = {}  # for FFmpeg's opening of the source, such as { rtsp_transport = "udp" }


class RuntimeConfig(Section):
    """What may change speed but no result, save the last bits: ``device`` and ``precision``."""

    device: Literal["auto", "cpu", "cuda", "openvino"] = "auto"
    precision: Literal["auto", "f32", "bf16"] = "auto"  # of networks on the CPU; bf16 needs OpenVINO
    threads: int = Field(0, ge=0)  # of the networks; 0: all cores
    decoder: Literal["decord", "pyav"] = "decord"
    batch_frames: int = Field(4, ge=1)  # frames the detector sees at once
    batch_people: int = Field(16, ge=1)  # crops the pose network sees at once
    queue_batches: int = Field(2, ge=1)  # decoded batches that wait at most
    random_weights: int | None = Field(None, ge=0)  # seed of random weights for mmdet: and mmpose: networks, for tests
    trust_checkpoint: bool = False  # load checkpoints that hold Python objects, which may run any code

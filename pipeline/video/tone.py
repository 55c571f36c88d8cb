"""HDR pictures (HLG, PQ) become SDR ones, so that networks and players see what a person sees.

Light up to `KNEE` of the reference white of 203 cd/m² (ITU-R BT.2408) is as in SDR; brighter light is rolled off, so
that the brightest that the file can hold becomes white. The three colours keep their proportions, and those that BT.709
does not have are clipped. FFmpeg's ``lut3d`` does the work by a table.
"""

from __future__ import annotations

import os
import struct
import tempfile
from contextlib import ExitStack, suppress
from functools import lru_cache, partial
from typing import Any

import av
import numpy as np

from pipeline.video.convert import Step

HDR = ("auto", "off", "hlg", "pq")
KNEE, WHITE_NITS, USUAL_PEAK_NITS, MOST_NITS = 0.5, 203.0, 1000.0, 10_000.0
DISPLAY_GAMMA, HLG_GAMMA = 2.4, 1.2  # of an SDR display (BT.1886), of an HLG display of USUAL_PEAK_NITS
TABLE = 33  # entries a colour: mean error 0.8 of 255 levels, nearly all of it rounding
BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593])
BT2020_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)
_CURVES = {16: "pq", 18: "hlg"}  # by FFmpeg's numbers of transfers
_UNKNOWN = (0, 2)


def hdr_of(frame: av.VideoFrame, asked: str = "auto") -> tuple[str, float]:
    """The HDR curve of a video by its first picture, hlg, pq or "" for SDR; and its brightest light in cd/m².

    Without a transfer in the file, light levels of a mastering display say PQ, as nothing else has them.

    Args:
        asked: auto, off, or a curve that counts whatever the file says.
    """
    levels = [nits for nits in (_brightest(frame), _of_display(frame)) if WHITE_NITS < nits <= MOST_NITS]
    curve = _CURVES.get(int(frame.color_trc), "")
    if not curve and int(frame.color_trc) in _UNKNOWN and levels:
        curve = "pq"
    curve = {"auto": curve, "off": ""}.get(asked, asked)
    return curve, levels[0] if curve == "pq" and levels else USUAL_PEAK_NITS if curve else 0.0


def _brightest(frame: av.VideoFrame) -> float:
    """The brightest pixel of the video, cd/m² (MaxCLL); 0 where the file does not say it."""
    data: Any = frame.side_data.get("CONTENT_LIGHT_LEVEL")
    return float(struct.unpack_from("=I", memoryview(data))[0]) if data is not None else 0.0


def _of_display(frame: av.VideoFrame) -> float:
    """The brightest light of the display that the video was graded on, cd/m²; 0 where the file does not say it."""
    data: Any = frame.side_data.get("MASTERING_DISPLAY_METADATA")
    if data is None:
        return 0.0
    # FFmpeg's AVMasteringDisplayMetadata: 8 rationals of colours, 2 of the darkest and brightest light, 2 flags.
    *_, over, under, _, known = struct.unpack_from("=22i", memoryview(data))
    return over / under if known and under else 0.0


def tone_mapped(curve: str, peak_nits: float) -> list[Step]:
    """The filters that make gbrp16le pictures of an HDR curve SDR ones; none for the curve ""."""
    return [("format", "gbrp16le"), ("lut3d", partial(_table_file, curve, peak_nits))] if curve else []


def to_sdr(signal: np.ndarray, curve: str, peak_nits: float) -> np.ndarray:
    """(…, 3) SDR R'G'B' (BT.709, 0 to 1) of an HDR signal R'G'B' (BT.2020, 0 to 1)."""
    light = (_light_of_pq(signal) if curve == "pq" else _light_of_hlg(signal)) / WHITE_NITS
    brightest = light.max(-1, keepdims=True)
    most = max((peak_nits / WHITE_NITS - KNEE) / (1 - KNEE), 1.0)
    over = np.clip((brightest - KNEE) / (1 - KNEE), 0, most)
    rolled = KNEE + (1 - KNEE) * over * (1 + over / most**2) / (1 + over)
    light = light * np.where(brightest <= KNEE, 1, rolled / np.maximum(brightest, KNEE))
    return np.asarray(np.clip(light @ BT2020_TO_BT709.T, 0, 1) ** (1 / DISPLAY_GAMMA))


def _light_of_pq(signal: np.ndarray) -> np.ndarray:
    """cd/m² by SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return np.asarray(MOST_NITS * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _light_of_hlg(signal: np.ndarray) -> np.ndarray:
    """cd/m² of a display of USUAL_PEAK_NITS by ITU-R BT.2100."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = (scene @ BT2020_LUMA)[..., None]
    return np.asarray(USUAL_PEAK_NITS * scene * np.maximum(luma, 1e-12) ** (HLG_GAMMA - 1))


@lru_cache(maxsize=4)
def _table(curve: str, peak_nits: float) -> bytes:
    """The table in the format .cube, red fastest."""
    steps = np.linspace(0, 1, TABLE)
    blue, green, red = (axis.ravel() for axis in np.meshgrid(steps, steps, steps, indexing="ij"))
    rows = to_sdr(np.stack([red, green, blue], -1), curve, peak_nits).tolist()
    return "\n".join([f"LUT_3D_SIZE {TABLE}", *(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in rows), ""]).encode()


def _table_file(curve: str, peak_nits: float, until: ExitStack) -> str:
    """The filter's arguments; the file that they name is there until the stack is closed."""
    number, name = tempfile.mkstemp(suffix=".cube")
    until.callback(_remove, name)
    with open(number, "wb") as file:
        file.write(_table(curve, peak_nits))
    escaped = name.replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\:")
    return f"file={escaped}:interp=tetrahedral"


def _remove(name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name)

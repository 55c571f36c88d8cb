"""What each cue of identity is worth: tracking with one switched off, on a real sequence and synthetic scenes."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.core.config import with_settings
from pipeline.core.settings import TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.evaluate.mot import read_mot, score_mot
from pipeline.export.run import export_run
from pipeline.finish import track
from pipeline.store.folder import RunFolder
from pipeline.store.settings import stored_config
from pipeline.tracking.identify import identify

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests import synthetic

CUES = {
    "default": [],
    "poses without boxes": ["box_points=0"],
    "boxes without poses": ["box_points=1000000"],
    "no low-score pass": [f"low_score={TrackConfig().high_score}"],
    "no clothes": ["appearance=false"],
    "camera's motion not undone": ["camera=false"],
    "no offline pass": ["relink=false"],
}
SEEDS = range(4)


def measure(run: Path, gt: Path, others: list[Path]) -> None:
    """Print a table: HOTA, IDF1 and switches against ``gt`` of a run, the people of other runs, synthetic IDF1."""
    names = [RunFolder.existing(o).path.name for o in others]
    heads = ["", f"{run.name}: HOTA", "IDF1", "switches", *(f"{n}: ids" for n in names)]
    heads += ["crowd: IDF1", "crowd and pan", "return"]
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
    for cue, sets in CUES.items():
        scores, _ = _tracked(run, sets, gt)
        counts = [_tracked(other, sets, None)[1] for other in others]
        config = TrackConfig.model_validate(_values(sets))
        made = [f"{np.mean([scene(seed, config) for seed in SEEDS]):.3f}" for scene in (_crowd, _pan, _return)]
        real = [f"{scores['HOTA']:.1f}", f"{scores['IDF1']:.1f}", f"{scores['IDSW']:.0f}"]
        print("| " + " | ".join([cue, *real, *map(str, counts), *made]) + " |", flush=True)


def _values(sets: list[str]) -> dict[str, object]:
    pairs = [s.partition("=") for s in sets]
    return {key: value == "true" if value in ("true", "false") else float(value) for key, _, value in pairs}


def _tracked(run: Path, sets: list[str], gt: Path | None) -> tuple[dict, int]:
    """Scores against ``gt``, and the number of people, of a copy of the run tracked with the settings."""
    with tempfile.TemporaryDirectory() as text:
        copy = Path(text) / run.name
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("people", "annotated.mp4", "observations-*"))
        folder = RunFolder.existing(copy)
        track(folder, with_settings(stored_config(folder), [f"track.{s}" for s in sets]))
        people = folder.manifest()["people"]
        if gt is None:
            return {}, people
        export_run(folder, "mot", copy / "mot.txt")
        return score_mot(read_mot(gt), read_mot(copy / "mot.txt")), people


def _idf1(scene: synthetic.Scene, config: TrackConfig, camera: np.ndarray | None = None) -> float:
    found = identify([scene.observations], scene.time_s, synthetic.SIZE_PX, COCO17, config, camera=camera)
    return synthetic.idf1(found.person, scene.truth_id)


def _crowd(seed: int, config: TrackConfig) -> float:
    """30 people who pass one another for 10 s, some detections missed, some false."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 10.0, 15.0)
    scene = synthetic.observe(
        rng, t, synthetic.passers(rng, t, 30), looks=synthetic.clothes(rng, 30), miss_rate=0.1, clutter_per_frame=2.0
    )
    return _idf1(scene, config)


def _pan(seed: int, config: TrackConfig) -> float:
    """The same, by a camera that pans 20 px a frame one way and back."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 6.0, 15.0)
    truth, camera = synthetic.panned(synthetic.passers(rng, t, 30), 20.0, 40)
    scene = synthetic.observe(rng, t, truth, looks=synthetic.clothes(rng, 30), miss_rate=0.1, clutter_per_frame=2.0)
    return _idf1(scene, config, camera)


def _return(seed: int, config: TrackConfig) -> float:
    """Five people, of whom one leaves at 5 s and comes back at 15 s."""
    scene = synthetic.leaving(np.random.default_rng(seed), same_clothes=True)
    one = np.where(scene.truth_id == 5, 4, scene.truth_id)
    return _idf1(replace(scene, truth_id=one), config)

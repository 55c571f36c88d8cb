"""Measure poseline. One thin command each; what they do stands in bench_<command>.py, imported when it is asked for.

python scripts/bench.py overhead clip.mp4 --end 10 --repeat 3 --threads 2
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout need not be installed


from pipeline.core.config import load_config

app = typer.Typer(help="Measure poseline.", no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Measure poseline."""  # with a callback Typer keeps the names of commands, even of a single one


@app.command()
def overhead(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", exists=True)],
    config: Annotated[str, typer.Option(help="default, fast, or a TOML file.")] = "default",
    threads: Annotated[int, typer.Option(help="CPU threads of the networks; 0: all cores.")] = 0,
    end: Annotated[float, typer.Option("--end", "--seconds", help="Use the clip up to this second.")] = 5.0,
    repeat: Annotated[int, typer.Option(min=1, help="Runs and replays, taken in turn; medians are printed.")] = 3,
    process: Annotated[bool, typer.Option(help="Also time the command line once, start-up included.")] = True,
    spool: Annotated[Path | None, typer.Option(help="Folder for the recorded tensors; default: TMPDIR.")] = None,
) -> None:
    """Wall time of `poseline run --no-render` over the bare time of its networks on the same tensors."""
    import bench_overhead

    for clip in clips:
        bench_overhead.measure(clip, config, threads, end, repeat, process, spool)


@app.command()
def heads(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", exists=True, help="COCO keypoints and images.")],
    config: Annotated[str, typer.Option(help="default, fast, or a TOML file.")] = "default",
    sets: Annotated[list[str] | None, typer.Option("--set", help="Change one setting.")] = None,
    blur: Annotated[str, typer.Option(help="faces or people.")] = "faces",
    verbose: Annotated[bool, typer.Option(help="Name each head that is not hidden.")] = False,
) -> None:
    """Heads in annotated photographs that blurring leaves to be seen."""
    import bench_heads

    bench_heads.measure(folders, config, sets or [], blur, verbose)


@app.command()
def detect(
    clip: Annotated[Path, typer.Argument(exists=True)],
    gt: Annotated[Path, typer.Option(exists=True, help="MOTChallenge boxes of the clip, gt.txt.")],
    every: Annotated[int, typer.Option(min=1, help="Use every Nth frame.")] = 5,
    config: Annotated[str, typer.Option(help="default, fast, or a TOML file.")] = "default",
    sets: Annotated[list[str] | None, typer.Option("--set", help="Change one setting.")] = None,
) -> None:
    """Recall and precision of people in single frames against true boxes."""
    import bench_detect

    bench_detect.measure(clip, gt, every, config, sets or [])


@app.command()
def ablation(
    run: Annotated[Path, typer.Argument(exists=True, help="Run folder of a sequence with ground truth.")],
    others: Annotated[
        list[Path] | None, typer.Argument(exists=True, help="Run folders whose people are counted.")
    ] = None,
    gt: Annotated[Path, typer.Option(exists=True, help="MOTChallenge boxes of the first, gt.txt.")] = ...,  # type: ignore[assignment]
) -> None:
    """What each cue of identity is worth: HOTA and IDF1 with one of them switched off."""
    import bench_ablation

    bench_ablation.measure(run, gt, others or [])


@app.command()
def peers(
    clip: Annotated[Path, typer.Argument(exists=True)],
    environment: Annotated[Path, typer.Option(help="Folder of the peers' virtual environments; made where missing.")],
    repeat: Annotated[int, typer.Option(min=1, help="Turns; medians are printed.")] = 3,
    seconds: Annotated[float | None, typer.Option(help="Use the clip up to this second.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only those with this in their name, or trackers.")] = None,
) -> None:
    """Speed, memory and cost of a person beside MMPose's inferencer, rtmlib, Sports2D, ultralytics and trackers."""
    import bench_peers

    bench_peers.measure(clip, environment, repeat, seconds, only or [])


@app.command()
def cost(
    clips: Annotated[list[Path], typer.Argument(exists=True, help="Clips.")],
    configs: Annotated[list[str] | None, typer.Option("--config", help="Configurations: default.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds after the first frame.")] = None,
    before: Annotated[Path | None, typer.Option(exists=True, help="Another checkout, run in turn.")] = None,
) -> None:
    """CPU seconds per frame and per row of a table on one thread, and the bytes of all that a run leaves.

    With --before: CPU seconds and peak memory of the whole command, there and here in turn, three times.
    """
    import bench_cost

    if before:
        bench_cost.compare(clips, configs or ["default"], end, before)
    else:
        bench_cost.measure(clips, configs or ["default"], end)


@app.command()
def sizes(
    clip: Annotated[Path, typer.Argument(exists=True, help="A clip of ten people or more, 720p or larger.")],
    configs: Annotated[list[str] | None, typer.Option("--config", help="Configurations: default and fast.")] = None,
    device: Annotated[str, typer.Option(help="As of poseline run.")] = "auto",
) -> None:
    """Frames/s of whole commands at 640×480, 720p and 1080p with at most 1, 5 and 20 people."""
    import bench_sizes

    bench_sizes.measure(clip, configs or ["default", "fast"], ["--device", device])


@app.command()
def memory(
    clip: Annotated[Path, typer.Argument(exists=True, help="A clip, or a run folder: its observations are repeated.")],
    hours: Annotated[float, typer.Option(help="Length to which it is repeated.")] = 2.0,
    fps: Annotated[float, typer.Option(help="Frame rate of the repeated clip.")] = 5.0,
    sets: Annotated[list[str] | None, typer.Option("--set", help="Change one setting.")] = None,
    render: Annotated[bool, typer.Option(help="Make the annotated video too.")] = False,
    engine: Annotated[list[str] | None, typer.Option("--engine-option", help="Such as --engine=process.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the long clip and its run are made.")] = None,
) -> None:
    """Resident memory of a long run over time, by stage."""
    import bench_memory

    bench_memory.measure(clip, hours, fps, sets or [], render, engine or [], folder)


@app.command()
def motion(
    people: Annotated[int, typer.Option(min=1)] = 20,
    minutes: Annotated[float, typer.Option()] = 60.0,
    fps: Annotated[float, typer.Option()] = 30.0,
    keypoints: Annotated[int, typer.Option(help="17 (COCO) or 26 (Halpe).")] = 17,
    processes: Annotated[int, typer.Option(min=1, help="Each takes one person after another.")] = 2,
    sets: Annotated[list[str] | None, typer.Option("--set", help="Change one setting.")] = None,
) -> None:
    """Time and memory of repair, smoothing and kinematics of long tracks of many people."""
    import bench_motion

    bench_motion.measure(people, minutes, fps, keypoints, processes, load_config("default", sets or []))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run folder; with --people one that is made, and replaced.")],
    people: Annotated[int, typer.Option(help="Make a run of so many people who come and go.")] = 0,
    minutes: Annotated[float, typer.Option(help="Its length.")] = 60.0,
    fps: Annotated[int, typer.Option(help="Its frame rate.")] = 30,
    stay: Annotated[float, typer.Option(help="Seconds that each of its people stays.")] = 360.0,
    loads: Annotated[int, typer.Option(min=1, help="Times that the page is opened.")] = 5,
) -> None:
    """Size of a report, time and memory to make it, and time until headless Chromium has drawn its first view."""
    import bench_report

    if people:
        bench_report.synthesise(run, people, minutes, fps, stay)
    bench_report.measure(run, loads)


@app.command()
def track(
    environment: Annotated[Path, typer.Option(help="Virtual environment of the peers; made where missing.")],
    people: Annotated[list[int] | None, typer.Option(help="How many people; default 20, 100 and 300.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Turns; medians are printed.")] = 3,
) -> None:
    """Frames/s and IDF1 of the online pass beside other trackers, on the same synthetic people."""
    import bench_track

    bench_track.measure(environment, people or [20, 100, 300], repeat)


@app.command()
def render(
    run: Annotated[
        Path, typer.Argument(exists=True, help="Finished run of an upright clip, such as outputs/laboratory.")
    ],
    frames: Annotated[int, typer.Option(min=30)] = 240,
    style: Annotated[str, typer.Option(help="As of poseline render.")] = "default",
    codec: Annotated[str, typer.Option(help="h264, h265, vp9 or av1.")] = "h264",
    preset: Annotated[str, typer.Option(help="Of the codec.")] = "veryfast",
    threads: Annotated[int, typer.Option(help="Of the decoder and the encoder; 0: all cores.")] = 0,
    repeat: Annotated[int, typer.Option(min=1, help="Turns; medians are printed.")] = 5,
) -> None:
    """Frames/s of rendering 1080p with five people beside decoding and encoding alone."""
    import bench_render

    bench_render.measure(run, frames, style, codec, preset, threads, repeat)


@app.command()
def shots(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", exists=True)],
    config: Annotated[str, typer.Option(help="default, fast, or a TOML file.")] = "default",
    threads: Annotated[int, typer.Option(help="CPU threads of the networks; 0: all cores.")] = 0,
    end: Annotated[float | None, typer.Option("--end", "--seconds", help="Use the clip up to this second.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Runs; medians are printed.")] = 3,
) -> None:
    """Share of shots and the camera's motion in the CPU time of whole runs."""
    import bench_shots

    for clip in clips:
        bench_shots.measure(clip, config, threads, end, repeat)


@app.command()
def cuts(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", exists=True, help="Two or more, without cuts.")],
    each: Annotated[int, typer.Option(min=1, help="Changes of each kind.")] = 100,
    most: Annotated[int, typer.Option(min=80, help="Frames of each clip that are used.")] = 500,
) -> None:
    """Cuts, dissolves, fades and wipes that are found between clips, and what is found in the clips by themselves."""
    import bench_cuts

    bench_cuts.measure(clips, each, most)


@app.command()
def pairs(
    bench: Annotated[Path, typer.Argument(exists=True, help="Folder with keypoints/ and mot/, see bench_pairs.py.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs and of what was measured.")],
    networks: Annotated[Path, typer.Option(help="Folder of networks NAME.onnx.")] = Path("networks"),
    detector: Annotated[list[str] | None, typer.Option(help="Name; several.")] = None,
    pose: Annotated[list[str] | None, typer.Option(help="Name; several.")] = None,
    sequence: Annotated[list[str] | None, typer.Option(help="Name of a truth; several. None: all.")] = None,
) -> None:
    """Detectors and pose networks in pairs: AP, HOTA / MOTA / IDF1, CPU ms a frame and a person, peak memory."""
    import bench_pairs

    bench_pairs.measure(bench, networks, out, detector or ["yolox-tiny"], pose or ["rtmpose-s"], sequence or [])


if __name__ == "__main__":
    app()

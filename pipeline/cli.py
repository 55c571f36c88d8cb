"""The command line: a command parses, calls one function, prints results. Progress and errors go to standard error."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pipeline.config import Config, load_config, with_settings
from pipeline.errors import PoselineError
from pipeline.progress import Bar, Lines, Progress, Silent

app = typer.Typer(
    name="poseline",
    help="Long videos of people in, one motion table per person and an annotated video out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluation = typer.Typer(help="Measure accuracy against ground truth.", no_args_is_help=True)
networks = typer.Typer(help="List networks; make ONNX files of others.")
app.add_typer(evaluation, name="eval")
app.add_typer(networks, name="models")

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
STOPPED = "stopped; run the same command again to go on"

ConfigOption = Annotated[str, typer.Option("--config", help="default, fast, accurate, or a TOML file.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change one setting, such as track.max_gap_s=2. Repeatable.")
]
DetectorOption = Annotated[str | None, typer.Option("--detector", help="Network that finds people.")]
PoseOption = Annotated[str | None, typer.Option("--pose", help="Network that estimates poses.")]
LifterOption = Annotated[
    str | None,
    typer.Option("--lifter", help="3D: poseline, blazepose (of that pose network), mmpose:CONFIG@CHECKPOINT, none."),
]
FovOption = Annotated[
    float | None, typer.Option("--fov", min=5, max=150, help="Field of view across the picture's width, degrees.")
]
ClassesOption = Annotated[str | None, typer.Option("--classes", help="What is looked for: person, or cat,dog …")]
ReidOption = Annotated[
    str | None, typer.Option("--reid", help="onnx:FILE, a network that tells people apart; else colours of clothes.")
]
HeightOption = Annotated[
    list[str] | None, typer.Option("--height", help="1=1.78: person 1 is 1.78 m tall; 1.70: everybody. Repeatable.")
]
LengthOption = Annotated[str | None, typer.Option("--length", help="X1,Y1,X2,Y2=2.5: a known length, px and metres.")]
GroundOption = Annotated[
    str | None, typer.Option("--ground", help="TOML of points on the ground, or FILE#CAMERA of a calibration.")
]
PeopleOption = Annotated[int | None, typer.Option("--people", help="How many people there are, if that is known.")]
RandomOption = Annotated[
    int | None, typer.Option("--random-weights", help="Seed: mmdet: and mmpose: networks know nothing, for tests.")
]
TrustOption = Annotated[
    bool, typer.Option("--trust-checkpoint", help="Load checkpoints that may run any code they hold.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or openvino.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", help="CPU threads of the networks; 0: all cores.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def _config(source: str, sets: list[str] | None, **named: tuple[str, Any]) -> Config:
    """The config with the options given on the command line, each a (setting, value or None)."""
    return load_config(source, [*_options(**named), *(sets or [])])


def _options(**named: tuple[str, Any]) -> list[str]:
    """Options of the command line, each a (setting, value or None), as settings."""
    return [f"{key}={json.dumps(value)}" for key, value in named.values() if value is not None]


def _progress(quiet: bool) -> Progress:
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


@app.command("run")
def run_command(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Videos, folders of videos or of images, -")],
    out: Annotated[Path, typer.Option("--out", help="Folder that gets one run folder per video.")] = Path("outputs"),
    config: ConfigOption = "default",
    sets: SetOption = None,
    detector: DetectorOption = None,
    pose: PoseOption = None,
    lifter: LifterOption = None,
    classes: ClassesOption = None,
    reid: ReidOption = None,
    people: PeopleOption = None,
    height: HeightOption = None,
    length: LengthOption = None,
    ground: GroundOption = None,
    fov: FovOption = None,
    random_weights: RandomOption = None,
    trust_checkpoint: TrustOption = False,
    device: DeviceOption = None,
    decoder: Annotated[str | None, typer.Option("--decoder", help="decord or pyav.")] = None,
    threads: ThreadsOption = None,
    fps: Annotated[
        str | None, typer.Option("--fps", help="Frame rate of a folder of images, such as 30000/1001.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="Seconds, or m:s, after the first frame.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Seconds, or m:s, after the first frame.")] = None,
    render: Annotated[bool, typer.Option("--render/--no-render", help="Make annotated.mp4.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Start over instead of going on.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find people in videos, track them, write one table per person and an annotated video."""
    from pipeline.run import run

    settings = _config(
        config,
        sets,
        detector=("detect.name", detector),
        pose=("pose.name", pose),
        lifter=("lift.name", lifter),
        fov=("lift.fov_deg", fov),
        classes=("detect.classes", _classes(classes)),
        reid=("observe.reid", reid),
        people=("track.people", people),
        random_weights=("runtime.random_weights", random_weights),
        trust=("runtime.trust_checkpoint", trust_checkpoint or None),
        device=("runtime.device", device),
        decoder=("runtime.decoder", decoder),
        threads=("runtime.threads", threads),
    )
    settings = _with_metres(settings, height, length, ground)
    progress = _progress(quiet)
    try:
        folders = run(
            inputs,
            out,
            settings,
            fps=_rate(fps),
            start_s=_seconds("--start", start),
            end_s=_seconds("--end", end),
            render=render,
            force=force,
            progress=progress,
        )
    finally:
        progress.close()
    if not quiet:
        for folder in folders:
            _report(folder)


def _with_metres(
    settings: Config,
    height: list[str] | None,
    length: str | None,
    ground: str | None,
    size_px: tuple[int, int] | None = None,
) -> Config:
    """The settings with the scales given on the command line."""
    from pipeline.metres import parse_heights, parse_length, read_ground

    given: dict[str, Any] = {}
    if height:
        given["height_m"], given["heights_m"] = parse_heights(height)
    if length is not None:
        given["length"] = parse_length(length)
    if ground is not None:
        given["ground"] = read_ground(ground, size_px)
    return settings.model_copy(update={"metres": settings.metres.model_copy(update=given)}) if given else settings


def _classes(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise PoselineError(f"--fps {text}: write a frame rate above 0, such as 25 or 30000/1001")
    return rate


def _seconds(option: str, text: str | None) -> float | None:
    """Seconds from ``12.5``, ``1:02.5`` or ``1:00:02.5``."""
    if text is None:
        return None
    try:
        seconds = 0.0
        for part in text.split(":"):
            seconds = 60 * seconds + float(part)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise PoselineError(f"{option} {text}: write seconds such as 12.5, or minutes and seconds such as 1:02.5")
    return seconds


def _report(folder: Any) -> None:
    manifest = folder.manifest()
    low, high = manifest["frames_observed"]
    print(f"{folder.path}: {manifest.get('people', 0)} people in {high - low} frames")
    for path in (folder.people_csv, folder.people, folder.tracks, folder.video):
        if path.exists():
            print(f"  {path}")


def _later_settings(folder: Any, config: str | None, sets: list[str]) -> Config:
    """The settings of a stage after observe; PoselineError for one that only observe could follow."""
    from pipeline.run import later_config, stored_config

    stored = stored_config(folder)
    base = later_config(folder, load_config(config)) if config is not None else stored
    settings = with_settings(base, sets)
    if settings.digest("observe", "detect", "pose") != stored.digest("observe", "detect", "pose"):
        raise PoselineError(f"--set {' '.join(sets)}: the networks do not run again here; use poseline run with it")
    return settings


@app.command("track")
def track_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    config: Annotated[str | None, typer.Option("--config", help="Settings; by default those of the run.")] = None,
    sets: SetOption = None,
    lifter: LifterOption = None,
    people: PeopleOption = None,
    height: HeightOption = None,
    length: LengthOption = None,
    ground: GroundOption = None,
    fov: FovOption = None,
    random_weights: RandomOption = None,
    trust_checkpoint: TrustOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Track and smooth again from the stored observations, in seconds, with other settings."""
    from pipeline.run import track
    from pipeline.store import RunFolder

    folder = RunFolder.existing(run_folder)
    options = _options(
        lifter=("lift.name", lifter),
        fov=("lift.fov_deg", fov),
        people=("track.people", people),
        random_weights=("runtime.random_weights", random_weights),
        trust=("runtime.trust_checkpoint", trust_checkpoint or None),
    )
    settings = _later_settings(folder, config, [*options, *(sets or [])])
    facts = folder.manifest()["video"]
    settings = _with_metres(settings, height, length, ground, (facts["width_px"], facts["height_px"]))
    progress = _progress(quiet)
    try:
        track(folder, settings, progress)
    finally:
        progress.close()
    if not quiet:
        _report(folder)


class _Pairs(TyperCommand):
    """Takes the two values of --merge as one text, as Typer knows no option of two values that may come repeatedly."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        left, out = list(args), []
        while left:
            out.append(left.pop(0))
            if out[-1] == "--merge":
                out.append(" ".join(left[:2]))
                del left[:2]
        return super().parse_args(ctx, out)


@app.command("people", cls=_Pairs)
def people_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    merge: Annotated[
        list[str] | None, typer.Option("--merge", metavar="A B", help="B is A. Repeatable, as all of these.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", metavar="A@T", help="A is somebody else from time_s T on.")
    ] = None,
    drop: Annotated[list[int] | None, typer.Option("--drop", metavar="A", help="A is nobody.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="RULE", help="Drop all but longest=2, region=X1,Y1,X2,Y2 (px) or height=150."),
    ] = None,
    name: Annotated[list[str] | None, typer.Option("--name", metavar="A=NAME", help="A has this name.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last edit back.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """List people; merge, split, drop and name them, for good: edits are made again at each tracking."""
    from pipeline import edits_toml
    from pipeline.edits import parse
    from pipeline.run import track
    from pipeline.store import RunFolder

    folder = RunFolder.existing(run_folder)
    edits = parse(merge or (), split or (), drop or (), keep or (), name or ())
    if undo and edits:
        raise PoselineError(f"--undo --{edits[0]}: give --undo alone, it takes the last stored edit back")
    if not undo and not edits:
        print("\n".join(edits_toml.listing(folder)))
        return
    lines = [f"took back: {edits_toml.undo(folder)}"] if undo else edits_toml.add(folder, edits)
    progress = _progress(quiet)
    try:
        track(folder, progress=progress)
    finally:
        progress.close()
    if not quiet:
        print("\n".join(lines))
        if folder.video.exists():
            print(f"{folder.video} shows the people of before; poseline render {folder.path} draws it again")


@app.command("render")
def render_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    sets: SetOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw the annotated video again from the tables."""
    from pipeline.run import render_run
    from pipeline.store import RunFolder

    folder = RunFolder.existing(run_folder)
    settings = _later_settings(folder, None, sets or [])
    progress = _progress(quiet)
    try:
        render_run(folder, settings, progress)
    finally:
        progress.close()
    if not quiet:
        print(folder.video)


@app.command("export")
def export_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv (one table of everybody), trc (OpenSim markers), sto (OpenSim angles), c3d, openpose (JSON), "
            "movement (netCDF), mot (MOTChallenge) or coco (with track ids).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write, or folder of formats of many files; by default in the run folder."),
    ] = None,
    plane: Annotated[
        bool, typer.Option("--plane", help="trc and c3d: the picture plane, even where there is 3D.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Write the people in the format of another tool."""
    from pipeline.export import export_run
    from pipeline.store import RunFolder

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    print(export_run(RunFolder.existing(run_folder), form, out, plane, say))


@networks.callback(invoke_without_command=True)
def models_command(context: typer.Context) -> None:
    """List the networks that --detector, --pose and --lifter take; make ONNX files of others."""
    from pipeline.models.registry import DETECTORS, FILES, POSES

    if context.invoked_subcommand is not None:
        return
    for option, known in (("--detector", DETECTORS), ("--pose", POSES)):
        for name, entry in known.items():
            points = f"{len(entry.skeleton)} keypoints" if option == "--pose" else "boxes"
            print(f"{option:11}{name:27}{points:14}{entry.about}")
    for option, name, about in FILES:
        print(f"{option:11}{name:41}{about}")


@networks.command("export")
def models_export_command(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="mmpose:CONFIG@CHECKPOINT or mmdet:…")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    half: Annotated[bool, typer.Option("--half", help="Weights in half precision, for CUDA.")] = False,
    random_weights: RandomOption = None,
    trust_checkpoint: TrustOption = False,
    sets: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Make an ONNX file of an OpenMMLab network, and verify that it answers as the network does."""
    from pipeline.openmm.export import export

    settings = _config(
        "default",
        sets,
        random_weights=("runtime.random_weights", random_weights),
        trust=("runtime.trust_checkpoint", trust_checkpoint or None),
    )
    for name, value in export(network, out, settings, half).items():
        print(f"{name:20} {value}")


@app.command("doctor")
def doctor_command() -> None:
    """Say what is installed and whether it works."""
    from pipeline.doctor import checks

    results = list(checks())
    for good, what, detail in results:
        print(f"{'ok  ' if good else 'FAIL'}  {what:24} {detail}")
    if not all(good for good, _, _ in results):
        raise typer.Exit(1)


@evaluation.command("keypoints")
def eval_keypoints_command(
    gt: Annotated[Path, typer.Option("--gt", help="COCO keypoint annotations.")],
    images: Annotated[Path | None, typer.Option("--images", help="Folder of the images: run the networks.")] = None,
    pred: Annotated[Path | None, typer.Option("--pred", help="COCO keypoint results: score these.")] = None,
    gt_boxes: Annotated[bool, typer.Option("--gt-boxes", help="Give the pose network the true boxes.")] = False,
    config: ConfigOption = "default",
    sets: SetOption = None,
    detector: DetectorOption = None,
    pose: PoseOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of poses in single pictures: OKS AP and AR as COCO computes them, PCK."""
    from pipeline.evaluate.images import evaluate_images
    from pipeline.evaluate.keypoints import score_keypoints

    if (images is None) == (pred is None):
        raise PoselineError("eval keypoints: give either --images DIR, to run the networks, or --pred RESULTS.json")
    if images is not None:
        settings = _config(config, sets, detector=("detect.name", detector), pose=("pose.name", pose))
        scores = evaluate_images(gt, images, settings, gt_boxes)
    else:
        assert pred is not None
        scores = score_keypoints(gt, pred)
    _print_scores(scores, as_json)


@evaluation.command("mot")
def eval_mot_command(
    gt: Annotated[Path, typer.Option("--gt", help="MOTChallenge ground truth, gt.txt.")],
    pred: Annotated[Path, typer.Option("--pred", help="MOTChallenge results, as poseline export --format mot writes.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of tracked boxes: HOTA, CLEAR MOT and IDF1 over IoU, as TrackEval computes them."""
    from pipeline.evaluate.mot import read_mot, score_mot

    _print_scores(score_mot(read_mot(gt), read_mot(pred)), as_json)


@evaluation.command("pose-track")
def eval_pose_track_command(
    gt: Annotated[Path, typer.Option("--gt", help="COCO keypoint annotations with track_id.")],
    pred: Annotated[Path, typer.Option("--pred", help="The same of the prediction, as export --format coco writes.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of tracked poses: HOTA, CLEAR MOT and IDF1 over OKS."""
    from pipeline.evaluate.mot import read_pose_tracks, score_pose_tracks

    truth = read_pose_tracks(gt)
    _print_scores(score_pose_tracks(truth, read_pose_tracks(pred, truth=truth)), as_json)


@evaluation.command("lift")
def eval_lift_command(
    mocap: Annotated[Path | None, typer.Option("--mocap", help="Motion capture, .npz, seen at random.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random cameras.")] = 0,
    noise: Annotated[str, typer.Option("--noise", help="none, or detector: 2D as the networks have it.")] = "none",
    pred: Annotated[Path | None, typer.Option("--pred", help="A run folder: score its 3D.")] = None,
    gt: Annotated[Path | None, typer.Option("--gt", help="Truth in space, .npz: names, frames, positions.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of 3D: MPJPE, after Procrustes (PA), and velocities, on motion capture or against truth of a video."""
    from pipeline.evaluate.lifting import NOISES, evaluate_embedded
    from pipeline.evaluate.lifting_run import score_run

    if (mocap is None) == (pred is None) or (pred is None) != (gt is None):
        raise PoselineError("eval lift: give either --mocap FILE.npz, or --pred RUN and --gt FILE.npz")
    if noise not in NOISES:
        raise PoselineError(f"--noise {noise}: no such noise; choose {' or '.join(NOISES)}")
    if mocap is not None:
        _print_scores(evaluate_embedded(mocap, seed, noise), as_json)
        return
    assert pred is not None
    assert gt is not None
    _print_scores(score_run(pred, gt), as_json)


def _print_scores(scores: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(scores))
        return
    for name, value in scores.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for part, number in value.items():
                print(f"  {part:20} {number}")
            continue
        shown = " … ".join(f"{v:.3f}" for v in value) if isinstance(value, list) else value
        print(f"{name:12} {shown:.3f}" if isinstance(shown, float) else f"{name:12} {shown}")


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and status 2."""
    debug = "--debug" in sys.argv
    interrupted: list[int] = []
    with contextlib.suppress(ValueError):  # not the main thread: whoever owns it sees to Ctrl-C
        signal.signal(signal.SIGINT, lambda number, frame: _interrupt(interrupted))
    try:
        # Typer returns the status of an Exit here, and turns an interrupt into 130.
        status = app(standalone_mode=False) or 0
    except PoselineError as error:
        if debug:
            raise
        _fail(str(error), error.status)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; check the path, its rights and the disk", 2)
    except Exception as error:
        if interrupted:  # an interrupted import of compiled code ends in an error of its own
            _fail(STOPPED, INTERRUPTED)
        if debug:
            raise
        # click's own usage errors carry a status and know how to show themselves
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            _fail(f"{error.format_message()} (see poseline --help)", 2)  # type: ignore[attr-defined]
        _fail(f"internal error: {type(error).__name__}: {error} (add --debug for the traceback)".replace("\n", " "), 1)
    if status == INTERRUPTED:
        _fail(STOPPED, status)
    raise SystemExit(status)


def _interrupt(interrupted: list[int]) -> None:
    interrupted.append(signal.SIGINT)
    raise KeyboardInterrupt


def _fail(message: str, status: int) -> None:
    print(f"poseline: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()

"""The command line: a command parses, calls one function, prints results. Progress and errors go to standard error.

Every command stands in the list below; each file holds those of one kind.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from typing import Annotated

import typer

from pipeline.cli import evaluation, ground, later, live, networks, output, report, run
from pipeline.core import libraries
from pipeline.core.errors import PoselineError, one_line
from pipeline.core.version import VERSION

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
PATIENCE_S = 8.0  # from a first signal on; what is whole on the disk by then stays
STOPPED = "stopped; run the same command again to go on"
# Ctrl-C, a request of another process to end, a closed terminal.
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

app = typer.Typer(
    name="poseline",
    help="Long videos of people in, one motion table per person and an annotated video out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluations = typer.Typer(help="Measure accuracy against ground truth.", no_args_is_help=True)
models = typer.Typer(help="List, fetch and verify networks; make ONNX files of others.")
app.add_typer(evaluations, name="eval")
app.add_typer(models, name="models")


@app.callback()
def _poseline(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=lambda asked: _version(asked), help="Its version."),
    ] = False,
) -> None:
    pass


def _version(asked: bool) -> None:
    if asked:
        print(f"poseline {VERSION}")
        raise typer.Exit


app.command("run")(run.run_command)
app.command("live")(live.live_command)
app.command("track")(later.track_command)
app.command("people", cls=later.Several)(later.people_command)
app.command("render")(output.render_command)
app.command("plot")(output.plot_command)
app.command("report")(report.report_command)
app.command("ground")(ground.ground_command)
app.command("methods")(report.methods_command)
app.command("export")(output.export_command)
app.command("doctor")(networks.doctor_command)
models.callback(invoke_without_command=True)(networks.models_command)
models.command("list")(networks.models_list_command)
models.command("fetch")(networks.models_fetch_command)
models.command("add")(networks.models_add_command)
models.command("remove")(networks.models_remove_command)
models.command("verify")(networks.models_verify_command)
models.command("export")(networks.models_export_command)
evaluations.command("keypoints")(evaluation.eval_keypoints_command)
evaluations.command("calibrate")(evaluation.eval_calibrate_command)
evaluations.command("mot")(evaluation.eval_mot_command)
evaluations.command("pose-track")(evaluation.eval_pose_track_command)
evaluations.command("lift")(evaluation.eval_lift_command)


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and status 2."""
    debug = "--debug" in sys.argv
    _open_streams()
    stopped: list[int] = []
    with contextlib.suppress(ValueError):  # outside the main thread the caller handles signals
        for number in STOPPING:
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                signal.signal(number, lambda number, frame: _stop(number, stopped))
    try:
        # Typer returns the status of an Exit here, and turns an interrupt into 130.
        status = app(standalone_mode=False) or 0
        sys.stdout.flush()  # flushed here, where a broken pipe is caught
    except PoselineError as error:
        if debug:
            raise
        _fail(str(error), error.status)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except MemoryError as error:
        if debug:
            raise
        reason = f" ({error})" if str(error) else ""
        _fail(f"the memory is full{reason}; close other programs, or use a smaller video or runtime.batch_frames=1", 2)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; check the path, its rights and the disk", 2)
    except Exception as error:
        if stopped:  # an interrupted import of compiled code ends in an error of its own
            _fail(STOPPED, 128 + stopped[0])
        if debug:
            raise
        # click's own usage errors carry a status and know how to show themselves
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            said = error.format_message()  # type: ignore[attr-defined]
            if not said.strip():  # no command was given, and the help has been shown
                raise SystemExit(2) from None
            _fail(f"{said} (see poseline --help)", 2)
        _fail(_unexpected(error), 2 if isinstance(error, ImportError) else 1)
    if status == INTERRUPTED:
        _fail(STOPPED, 128 + stopped[0] if stopped else status)
    raise SystemExit(status)


def _unexpected(error: Exception) -> str:
    """The line for an error that poseline does not know, with the libraries that may be the reason."""
    said = f"internal error: {type(error).__name__}: {' '.join(str(error).split())} (add --debug for the traceback)"
    if isinstance(error, ImportError):
        name = (error.name or "").partition(".")[0] or "a library"
        remedy = libraries.OPENCV_REMEDY if name in ("cv2", "a library") else "install poseline again"
        said = f"{name} cannot be loaded: {' '.join(str(error).split())}; {remedy}, or see poseline doctor"
    return "; ".join([said, *libraries.outdated(), *libraries.untried()])


def _open_streams() -> None:
    """Open the three standard streams on the null device where the caller has closed them.

    Otherwise the first opened file would get a stream's number, and native code would print into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may hold characters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")


def _stop(number: int, stopped: list[int]) -> None:
    """End in good order at the first signal, within `PATIENCE_S`, and at once at the second."""
    if stopped:
        _leave(number)
    stopped.append(number)
    # An interrupt between the taking of a lock and its use leaves a lock that a thread may wait for without end.
    last = threading.Timer(PATIENCE_S, _leave, (number,))
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


def _leave(number: int) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"poseline: {STOPPED}\n".encode())
    os._exit(128 + number)


def _fail(message: str, status: int) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        print(f"poseline: {one_line(message)}", file=sys.stderr, flush=True)
    raise SystemExit(status)

"""The network in a zip archive. Neither the archive's names nor its sizes are trusted."""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from pipeline.core.errors import PoselineError
from pipeline.models.catalogue import megabytes

PIECE_BYTES = 1 << 20
MOST_BYTES = 2 << 30  # of a network whose size is not known
MOST_RATIO = 20  # times the archive's size that a network may have: weights hardly shrink
MOST_NETWORKS = 16  # in one archive
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError, ValueError)


def unpack(archive: Path, out: Path, wanted: Collection[str] = (), most: int = 0, said: str = "") -> str:
    """Write the network in the archive to ``out``; returns its SHA-256.

    Of several .onnx files the one with a ``wanted`` digest is taken, and with ``wanted`` there need be one. ``most`` is
    the largest size in bytes, 0 where it is not known. ``said`` is what errors call the archive, else its path. Names
    are only looked at for their ending. Raises PoselineError.
    """
    said = said or str(archive)
    most = most or min(MOST_BYTES, MOST_RATIO * archive.stat().st_size + PIECE_BYTES)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if m.filename.lower().endswith(".onnx") and not m.is_dir()]
            if not 1 <= len(members) <= (MOST_NETWORKS if wanted else 1):
                raise PoselineError(f"{said}: holds {len(members)} .onnx files; unpack it, and give the right one")
            for member in members:
                digest = _copy(opened, member, out, most, said)
                if digest in wanted or not wanted:
                    return digest
    except (*_DAMAGED, OSError) as error:
        out.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # of the disk; damaged bzip2 has no number
            raise
        why = " ".join(str(error).split())[:200]
        raise PoselineError(f"{said}: is a damaged or encrypted zip archive ({why}); get it again") from error
    except PoselineError:
        out.unlink(missing_ok=True)
        raise
    out.unlink(missing_ok=True)
    raise PoselineError(f"{said}: no file in it has the digest that the catalogue tells; get it from elsewhere")


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, out: Path, most: int, said: str) -> str:
    """Write one file of the archive, and return its SHA-256. PoselineError above ``most`` bytes."""
    digest, count = hashlib.sha256(), 0
    with opened.open(member) as source, out.open("wb") as target:
        while piece := source.read(PIECE_BYTES):
            count += len(piece)
            if count > most:
                raise PoselineError(f"{said}: unpacks to more than {megabytes(most)}; get it from elsewhere")
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()

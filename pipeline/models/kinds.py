"""What a file is that was given for an ONNX network and is none, and what to do then."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://?[^/]")  # one slash: a path drops the other
_HEAD_BYTES = 1024
_LFS = b"version https://git-lfs.github.com/"
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<error")
_ARCHIVES = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}


def is_address(text: str) -> bool:
    """Whether the text is an address such as https://host/file, and no path."""
    return bool(_ADDRESS.match(text))


def as_address(path: Path) -> str:
    """The address that was taken for a path, with both slashes behind its scheme."""
    scheme, rest = str(path).split(":/", 1)
    return f"{scheme}://{rest.lstrip('/')}"


def wrong(reference: str) -> str:
    """What is wrong with a path that should lead to an ONNX file, with the remedy; "" where nothing can be seen.

    Only the first KiB of a file is read. A missing file is left to whoever opens it.
    """
    if is_address(reference):
        return "is an address; download it, then poseline models add FILE --name NAME"
    file = Path(reference)
    if file.is_dir():
        return _folder(file)
    return wrong_content(file) if file.is_file() else ""


def wrong_content(file: Path) -> str:
    """The same for a file that is there."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head:
        return "is empty; copy or download it again"
    if head.startswith(_LFS):
        return "is a Git LFS pointer and not the network itself; run git lfs pull, or download the file itself"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "is a web page, as servers send it for an error or a login; look at it in a browser, and download again"
    if head.startswith(b"PK\x03\x04"):
        return _zip(file)
    for start, name in _ARCHIVES.items():
        if head.startswith(start):
            return f"is a {name} archive; unpack it, and give the .onnx file in it"
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        return "is a checkpoint of PyTorch; give it as mmdet: or mmpose:CONFIG@CHECKPOINT"
    return ""


def is_zip(file: Path) -> bool:
    """Whether the file begins as a zip archive does."""
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _zip(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "is a damaged zip archive; download it again"
    if any(name.endswith("data.pkl") for name in names):
        return "is a checkpoint of PyTorch; give it as mmdet: or mmpose:CONFIG@CHECKPOINT"
    return f"is a zip archive; poseline models add '{file}' --name NAME takes the network out of it"


def _folder(folder: Path) -> str:
    found = onnx_files(folder)
    if len(found) == 1:
        return f"is a folder; give the file in it, {found[0]}"
    return f"is a folder with {len(found) or 'no'} .onnx files; give an .onnx file"


def onnx_files(folder: Path, deep: int = 4) -> list[Path]:
    """The .onnx files in a folder and in folders up to ``deep`` below it, sorted."""
    return sorted(file for level in range(deep) for file in folder.glob("*/" * level + "*.onnx") if file.is_file())

"""PNG pictures in and out, 8 bits a channel: enough for a report's pictures and for a network's target picture.

W3C Portable Network Graphics, third edition (2025): chunks, filter types 0 to 4, colour types 0, 2, 4 and 6.
"""

import base64
import struct
import zlib
from pathlib import Path

import numpy as np

from tellapart.errors import UserMistake

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
LARGEST = 4096
"""Longest side of a picture that is read, in pixels."""


def encode_png(pixels: np.ndarray) -> bytes:
    """Return a PNG of `pixels`, uint8 of shape (height, width) or (height, width, 3)."""
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    lines = np.ascontiguousarray(pixels, dtype=np.uint8).reshape(height, -1)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), lines], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, body) for name, body in parts)


def data_uri(pixels: np.ndarray) -> str:
    """Return the address of a picture that holds its own PNG."""
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode("ascii")


def read_png(path: Path) -> np.ndarray:
    """Return the picture, uint8 of shape (height, width, channels). UserMistake where it is none we read."""
    try:
        return _decoded(path.read_bytes())
    except (OSError, ValueError, struct.error, zlib.error, KeyError) as error:
        raise UserMistake(f"{path} is not a PNG of 8 bits a channel, not interlaced ({error})") from error


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _decoded(data: bytes) -> np.ndarray:
    if not data.startswith(_SIGNATURE):
        raise ValueError("it does not start as one")
    at, body, head = len(_SIGNATURE), b"", b""
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        if name == b"IHDR":
            head = data[at + 8 : at + 8 + size]
        elif name == b"IDAT":
            body += data[at + 8 : at + 8 + size]
        at += size + 12
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    if depth != 8 or interlaced or not 0 < width <= LARGEST or not 0 < height <= LARGEST:
        raise ValueError(f"{width} x {height}, {depth} bits, interlaced: {interlaced}")
    channels = _CHANNELS[colour]
    stride = width * channels
    raw = zlib.decompressobj().decompress(body, height * (stride + 1))
    if len(raw) != height * (stride + 1):
        raise ValueError("it is cut short")
    return _unfiltered(raw, height, stride, channels).reshape(height, width, channels)


def _unfiltered(raw: bytes, height: int, stride: int, channels: int) -> np.ndarray:
    """Return the bytes of the lines, each with its filter undone."""
    lines = np.zeros((height, stride), np.uint8)
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        _undo(raw[start], line, above, channels)
        lines[row] = np.frombuffer(bytes(line), np.uint8)
        above = line
    return lines


def _undo(kind: int, line: bytearray, above: bytearray, channels: int) -> None:
    if kind > 4:
        raise ValueError(f"filter {kind}")
    if kind == 0:
        return
    for i in range(len(line)):
        left = line[i - channels] if i >= channels else 0
        corner = above[i - channels] if i >= channels else 0
        guesses = (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))
        line[i] = (line[i] + guesses[kind]) & 255


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    distances = (abs(estimate - left), abs(estimate - above), abs(estimate - corner))
    return (left, above, corner)[distances.index(min(distances))]

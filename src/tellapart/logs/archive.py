"""Entries of a ZIP archive in memory, zstd (method 93) included, with a bound on what they may grow to.

Nothing is ever written to disk, so an entry's name is only a name. Python's zipfile (before 3.14) lists such
archives but cannot decompress method 93: entries are cut out of the file and decompressed here.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from tellapart.errors import UserMistake
from tellapart.logs.value import short

LARGEST_ENTRY = 2**30
LARGEST_TOTAL = 8 * 2**30


class Archive:
    """A ZIP file, its entries read one at a time; raises UserMistake for anything that is not whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._total = 0
        try:
            with zipfile.ZipFile(path) as archive:
                self._entries = {info.filename: info for info in archive.infolist()}
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            NotImplementedError,
            struct.error,
            IndexError,
        ) as error:
            raise UserMistake(
                f"{path}: is not a whole ZIP archive ({error}); an .eval of a killed run is repaired by "
                "`inspect log recover`"
            ) from None

    @property
    def names(self) -> list[str]:
        """The entries' names, in the archive's order."""
        return list(self._entries)

    def read(self, name: str) -> bytes:
        """Return an entry's content; raises UserMistake where it is damaged, encrypted or too large."""
        info = self._entries[name]
        where = f"{self.path}: entry {short(name)}"
        if info.flag_bits & 1:
            raise UserMistake(f"{where} is encrypted")
        data = _inflate(self._packed(info, where), info.compress_type, where)
        self._total += len(data)
        if self._total > LARGEST_TOTAL:
            raise UserMistake(f"{self.path}: unpacks to more than {LARGEST_TOTAL >> 30} GiB")
        if zlib.crc32(data) != info.CRC:
            raise UserMistake(f"{where} is damaged (its checksum differs)")
        return data

    def _packed(self, info: zipfile.ZipInfo, where: str) -> bytes:
        if info.header_offset < 0:
            raise UserMistake(f"{where} is damaged (it begins before the file)")
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            head = file.read(30)
            if len(head) < 30 or head[:4] != b"PK\x03\x04":
                raise UserMistake(f"{where} is damaged (no local header)")
            name_length, extra_length = struct.unpack("<HH", head[26:30])
            file.seek(info.header_offset + 30 + name_length + extra_length)
            return file.read(min(info.compress_size, LARGEST_ENTRY))


def _inflate(packed: bytes, method: int, where: str) -> bytes:
    try:
        if method == zipfile.ZIP_STORED:
            return packed
        if method == zipfile.ZIP_DEFLATED:
            data = zlib.decompressobj(-15).decompress(packed, LARGEST_ENTRY + 1)
        elif method == 93:
            decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
            with decompressor.stream_reader(io.BytesIO(packed), read_across_frames=True) as stream:
                data = b"".join(_blocks(stream))
        else:
            raise UserMistake(f"{where} is packed by method {method}; known are stored, deflate and zstd")
    except (zlib.error, zstandard.ZstdError) as error:
        raise UserMistake(f"{where} is damaged ({error})") from None
    if len(data) > LARGEST_ENTRY:
        raise UserMistake(f"{where} unpacks to more than {LARGEST_ENTRY >> 20} MiB")
    return data


def _blocks(stream: zstandard.ZstdDecompressionReader) -> Iterator[bytes]:
    size = 0
    while size <= LARGEST_ENTRY and (block := stream.read(1 << 20)):
        size += len(block)
        yield block

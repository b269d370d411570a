"""Reading and writing of both formats: whole, cut anywhere, torn, damaged, padded, and far larger than the file."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.compression.content import CHUNK, Content, opened
from sfm_stream.compression.formats import BY_NAME, FORMATS, GZIP, ZSTD, DamagedError, Format, of_name

LINES = [f'{{"data":{{"id":"{n}","text":"hail, snow and 天气 {n * 7919 % 1000}"}}}}'.encode() for n in range(400)]
TEXT = b"\n".join([*LINES, b""])

formats = pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)


def compressed(kind: Format, text: bytes = TEXT) -> bytes:
    """One member or frame."""
    compressor = kind.compressor()
    return compressor.compress(text) + compressor.finish()


def cut(data: bytes, *at: int) -> Iterator[bytes]:
    """The bytes in pieces that end at these places."""
    ends = sorted({each % (len(data) + 1) for each in at} | {len(data)})
    return (data[start:end] for start, end in zip([0, *ends], ends, strict=False))


@formats
@given(at=st.lists(st.integers(0), max_size=8))
def test_a_file_is_read_however_its_bytes_are_cut(kind: Format, at: list[int]) -> None:
    """A pipe gives any number of bytes at a time."""
    content = Content(cut(compressed(kind), *at))
    assert b"".join(content) == TEXT
    assert (content.format, content.ending) == (kind, "whole")


@given(st.lists(st.integers(0), max_size=8))
def test_plain_text_is_read_as_it_is(at: list[int]) -> None:
    """Lines that nobody compressed are lines all the same."""
    content = Content(cut(TEXT, *at))
    assert list(content.lines()) == LINES
    assert (content.format, content.ending) == (None, "whole")


@pytest.mark.parametrize("text", [b"", b"\x1f", b"{}", b"\n\n"])
def test_a_short_file_is_plain_text(text: bytes) -> None:
    """Even where it might begin as a compressed one does."""
    content = Content([text])
    assert b"".join(content) == text
    assert content.ending == "whole"


@formats
def test_all_that_was_flushed_is_read_though_the_rest_be_lost(kind: Format) -> None:
    """That is what a flush promises."""
    compressor, file, flushed = kind.compressor(), b"", []
    for n, line in enumerate(LINES):
        file += compressor.compress(line + b"\n") + compressor.flush()
        flushed.append((len(file), n + 1))
    file += compressor.finish()
    for at in range(0, len(file), 97):
        content = Content([file[:at]])
        lines = list(content.lines())
        whole = max((count for end, count in flushed if end <= at), default=0)
        assert lines[:whole] == LINES[:whole]
        assert content.ending == ("torn" if at >= 4 else "whole"), "what has no head is taken for text"


@formats
@given(at=st.integers(0), value=st.integers(1, 255))
def test_a_changed_byte_is_never_taken_for_what_was_written(kind: Format, at: int, value: int) -> None:
    """Except where it changes nothing of the text: a gzip has the time of its making in its head."""
    file = bytearray(compressed(kind))
    file[at % len(file)] ^= value
    content = Content([bytes(file)])
    text = b"".join(content)
    assert content.ending != "whole" or content.format is None or text == TEXT


@formats
def test_what_can_be_read_before_damage_is_given(kind: Format) -> None:
    """No more is lost than a few kilobytes of the file before the byte that is wrong."""
    noise = random.Random(1).randbytes(300_000).hex().encode()
    file = compressed(kind, noise)
    content = Content([file[at : at + 4096] for at in range(0, len(file) - 5, 4096)] + [b"?" * 400_000])
    read = b"".join(content)
    assert content.ending == "damaged"
    assert noise.startswith(read[:590_000])
    assert len(read) > 400_000


@formats
def test_several_members_are_one_text(kind: Format) -> None:
    """As `cat a.gz b.gz` makes them; zeros that fill a block may lie between them and behind."""
    one, other = compressed(kind, TEXT), compressed(kind, b"more\n")
    content = Content(cut(one + bytes(700) + other + bytes(300), 5, len(one) + 3))
    assert b"".join(content) == TEXT + b"more\n"
    assert content.ending == "whole"


@formats
def test_what_follows_and_is_no_member_is_damage(kind: Format) -> None:
    """The text before it is given."""
    content = Content([compressed(kind), b"nonsense"])
    assert list(content.lines()) == LINES
    assert content.ending == "damaged"


@formats
def test_text_that_expands_far_comes_in_bounded_pieces(kind: Format, tmp_path: Path) -> None:
    """A file of a few kilobytes does not fill the memory with what it says."""
    size = 100 << 20
    compressor = kind.compressor()
    path = tmp_path / "zeros"
    path.write_bytes(b"".join(compressor.compress(bytes(1 << 20)) for _ in range(100)) + compressor.finish())
    with opened(path) as content:
        sizes = [len(piece) for piece in content]
    assert (sum(sizes), content.ending) == (size, "whole")
    assert max(sizes) <= CHUNK


@formats
def test_lines_longer_than_a_piece_are_whole(kind: Format) -> None:
    """A post of ten megabytes is a line as any other; what follows the last is no line."""
    lines = [b"a" * (10 << 20), b"", b"b" * CHUNK]
    content = Content([compressed(kind, b"\n".join([*lines, b"c"]))])
    assert list(content.lines()) == lines
    assert content.rest == b"c"


@formats
def test_every_level_that_is_offered_works(kind: Format) -> None:
    """From the first to the last."""
    for level in range(1, 10):
        compressor = kind.at(level).compressor()
        assert b"".join(Content([compressor.compress(TEXT) + compressor.finish()])) == TEXT


@formats
def test_a_wrong_sum_is_damage(kind: Format) -> None:
    """The text was read by then, and is not to be trusted."""
    file = compressed(kind)
    member = kind.decompressor()
    with pytest.raises(DamagedError):
        member.decompress(file[:-4] + bytes(4) if kind is ZSTD else file[:-8] + bytes(8))
    assert not member.eof


def test_other_tools_read_our_gzip() -> None:
    """Python's own among them."""
    assert gzip.decompress(compressed(GZIP)) == TEXT


def test_a_files_name_tells_its_format() -> None:
    """Of a segment as of a capture file."""
    base = "streamsample-2026-11-24T20-15-00Z.jsonl"
    for name, kind in [("gz", "gzip"), ("gz.part", "gzip"), ("zst", "zstd"), ("zst.part", "zstd")]:
        assert of_name(f"{base}.{name}") is BY_NAME[kind]
    assert of_name(base) is None


@formats
@pytest.mark.parametrize("head", [b"", b"\0\0", b"{not compressed}\n"])
def test_a_file_whose_head_is_not_what_its_name_says_is_not_taken_for_text(
    kind: Format, head: bytes, tmp_path: Path
) -> None:
    """What a damaged disk or a crash left is not handed on as posts; what has the head of the other format is read."""
    path = tmp_path / f"a.jsonl{kind.suffix}"
    path.write_bytes(head)
    with opened(path) as content:
        assert list(content.lines()) == []
    assert content.ending != "whole"
    other = next(each for each in FORMATS if each is not kind)
    path.write_bytes(compressed(other))
    with opened(path) as content:
        assert list(content.lines()) == LINES
    assert (content.format, content.ending) == (other, "whole")


@formats
def test_a_format_is_loaded_where_it_is_used_alone(kind: Format) -> None:
    """A program holds the memory of what it uses."""
    code = f"""if True:
        import sys
        from sfm_stream.compression.formats import BY_NAME
        compressor = BY_NAME[{kind.name!r}].compressor()
        print(*("zlib_ng.zlib_ng" in sys.modules, any("_zstd" in name for name in sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == (["True", "False"] if kind is GZIP else ["False", "True"])

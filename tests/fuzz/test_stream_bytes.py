"""The bytes of a stream, cut anywhere, and bytes that are none."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.body import BodyError, inflated, unchunked
from sfm_stream.sources.x.client import Client, Dropped, XRefused

LINES = st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=12)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Played:
    """A server that answers each connection with the bytes it is given, and closes."""

    def __init__(self) -> None:
        self.answer: list[bytes] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            with peer:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += peer.recv(65536)
                try:
                    for part in self.answer:
                        peer.sendall(part)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(65536):
                        pass
                except OSError:
                    pass

    def received(self, *answer: bytes) -> tuple[list[bytes], int, Exception | None]:
        """What a client makes of the answer: its lines, the bytes of a torn one, and how it ended."""
        self.answer = list(answer)
        lines: list[bytes] = []
        client = Client(Secret("t"), self.url, lines.extend)
        try:
            client.filter()
        except Dropped as dropped:
            return lines, client.torn_bytes, dropped
        return lines, client.torn_bytes, None


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    server = Played()
    yield server
    server.server.close()


def cut(text: bytes, places: list[int]) -> list[bytes]:
    """`text` in pieces, none of them empty."""
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(ends)]


def chunks(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@given(
    lines=LINES, places=st.lists(st.integers(0, 1000)), reads=st.lists(st.integers(0, 2000)), end=st.integers(0, 3000)
)
def test_what_came_before_a_cut_is_there_and_nothing_else(
    lines: list[bytes], places: list[int], reads: list[int], end: int
) -> None:
    """However the lines are cut into chunks, the chunks into reads, and wherever the connection ends."""
    text = b"".join(line + b"\r\n" for line in lines)
    coded = chunks(cut(text, places))
    arrived = coded[:end]
    got = b""
    try:
        for piece in unchunked(cut(arrived, reads)):
            got += piece
        assert got == text
    except BodyError:
        assert end < len(coded)
    assert text.startswith(got)
    # All of the content that arrived is there: what is missing of the text is missing of the chunks.
    assert len(coded) - len(arrived) >= len(text) - len(got) or got == text


@given(lines=LINES, places=st.lists(st.integers(0, 1000), max_size=8), end=st.integers(0, 1500), gzipped=st.booleans())
def test_whole_lines_before_a_cut_all_arrive_unaltered(
    played: Played, lines: list[bytes], places: list[int], end: int, gzipped: bool
) -> None:
    """Through sockets, HTTP and compression: each line whose end arrived, no other, and the torn one is counted."""
    lines = [line for line in lines if not line.lstrip().startswith(b"<")]
    text = b"".join(line + b"\r\n" for line in lines)
    pieces = cut(text, places)
    if gzipped:
        deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
        pieces = [deflate.compress(piece) + deflate.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    coded = chunks(pieces)[:end]
    head = HEAD + (b"Content-Encoding: gzip\r\n" if gzipped else b"") + b"Transfer-Encoding: chunked\r\n\r\n"
    got, torn, dropped = played.received(head, coded)
    sent = [line for line in lines if line]
    assert got == sent[: len(got)]
    assert dropped is not None
    plain = b"".join(unbroken(coded)) if not gzipped else b"".join(partly_inflated(unbroken(coded)))
    whole = [line.removesuffix(b"\r") for line in plain.split(b"\n")[:-1]]
    assert got == [line for line in whole if line]
    assert torn == len(plain.rpartition(b"\n")[2])


def unbroken(coded: bytes) -> list[bytes]:
    """The content of chunks up to where they end, by a reading of another kind: byte by byte."""
    found, at = [], 0
    while (line := coded.find(b"\r\n", at)) >= 0 and (size := int(coded[at:line], 16)):
        found.append(coded[line + 2 : line + 2 + size])
        at = line + 2 + size + 2
    return found


def partly_inflated(pieces: list[bytes]) -> list[bytes]:
    inflate = zlib.decompressobj(31)
    return [inflate.decompress(piece) for piece in pieces]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_no_bytes_are_too_odd_for_the_codings(pieces: list[bytes]) -> None:
    """They end, or they raise the one error that there is."""
    for coding in (unchunked, inflated):
        try:
            for _ in coding(pieces):
                pass
        except BodyError:
            pass


@given(
    st.binary(max_size=300)
    | st.tuples(
        st.sampled_from([HEAD, b"HTTP/1.1 103 X\r\n\r\n" + HEAD, b"HTTP/1.1 503 No\r\n"]),
        st.sampled_from(
            [b"", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Content-Length: 7\r\n"]
        ),
        st.binary(max_size=40).map(lambda value: b"X: " + value + b"\r\n") | st.just(b""),
        st.just(b"\r\n"),
        st.binary(max_size=200)
        | st.binary(max_size=50).map(lambda value: chunks([value]))
        | st.just(gzip.compress(b"x\n")),
    ).map(b"".join)
)
def test_whatever_a_server_sends_only_documented_errors_come_of_it(played: Played, answer: bytes) -> None:
    """`XRefused` and `Dropped`, with short reasons; no line is longer than what was sent."""
    try:
        lines, _, ended = played.received(answer)
    except XRefused as refused:
        lines, ended = [], refused
    assert ended is not None
    assert len(str(ended)) < 400
    assert sum(map(len, lines)) <= len(answer)

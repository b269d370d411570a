"""`sfm-stream read`: every line of every file, in order; what is damaged costs itself and is told."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sfm_stream.cli import cli
from sfm_stream.compression.formats import ZSTD
from sfm_stream.errors import FindingsError, UsageError
from sfm_stream.export.reader import strict

DAY = "twitterfilter-storms/2026/11/24/20"


def post(number: int, text: str = "hail") -> bytes:
    made = f"2026-11-24T20:{number // 60:02}:{number % 60:02}.000Z"
    return json.dumps({"data": {"id": str(10**18 + number), "text": text, "created_at": made}}).encode()


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of two gzip members in the tree, one of zstd beside it, and a segment that is being written."""
    (tmp_path / DAY).mkdir(parents=True)
    first = gzip.compress(joined([post(1), post(2)])) + gzip.compress(joined([post(3)]))
    (tmp_path / DAY / "twitterfilter-storms-2026-11-24T20-00-00Z.jsonl.gz").write_bytes(first)
    zstd = ZSTD.compressor()
    second = zstd.compress(joined([post(400, "#Rain")])) + zstd.finish()
    (tmp_path / "twitterfilter-storms-2026-11-24T20-05-00Z.jsonl.zst").write_bytes(second)
    segment = gzip.compress(joined([post(700)]) + b'{"data":{"id":"9')
    (tmp_path / "twitterfilter-storms-2026-11-24T20-10-00Z.jsonl.gz.part").write_bytes(segment[:-6])
    (tmp_path / "twitterfilter-other-2026-11-24T20-05-30Z.gz").write_bytes(gzip.compress(joined([post(420, "other")])))
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["read", *map(str, arguments)])


def numbers(result: Result) -> list[int]:
    assert result.exit_code == 0, result.output
    return [int(json.loads(line)["data"]["id"]) - 10**18 for line in result.stdout.splitlines()]


def test_all_files_of_a_filter_are_read_in_order_of_arrival(data: Path) -> None:
    """The tree, a loose file and the segment; two members of gzip, and zstd; nothing of other filters."""
    assert numbers(run("storms", "--dir", data)) == [1, 2, 3, 400, 700]


def test_without_a_name_all_programs_are_read(data: Path) -> None:
    assert sorted(numbers(run("--dir", data))) == [1, 2, 3, 400, 420, 700]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--from", "2026-11-24T20:00:02"), [2, 3, 400, 700]),
        (("--to", "2026-11-24T20:00:03"), [1, 2]),
        (("--from", "2026-11-24T20:00:02", "--to", "2026-11-24T20:06"), [2, 3]),
        (("--match", "#rain OR from:nobody"), [400]),
        (("--from", "2026-11-25"), []),
    ],
)
def test_posts_are_chosen_by_time_and_by_what_matches(
    data: Path, options: tuple[str, ...], expected: list[int]
) -> None:
    assert numbers(run("storms", "--dir", data, *options)) == expected


def test_a_sample_has_its_size_its_order_and_is_the_same_again(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(joined([post(number) for number in range(500)]))
    drawn = numbers(run("--sample", 40, file))
    assert len(drawn) == 40
    assert drawn == sorted(drawn) == numbers(run("--sample", 40, file))
    assert drawn != list(range(40))


def test_what_is_damaged_costs_itself_and_is_told(tmp_path: Path) -> None:
    odd = b'{"data":{"id":"5","text":"half \\ud83d and \\u0000"}}'
    file = tmp_path / "odd.jsonl.gz"
    file.write_bytes(gzip.compress(joined([post(1), b"{torn", odd, b"", post(2)])))
    result = run(file)
    assert isinstance(result.exception, FindingsError)
    assert str(result.exception) == "1 line left out that is no JSON"
    assert [json.loads(line)["data"]["text"] for line in result.stdout.splitlines()] == ["hail", "half � and �", "hail"]
    assert run("--raw", file).stdout_bytes == joined([post(1), b"{torn", odd, post(2)])


def test_a_file_that_stops_early_gives_its_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "twitterfilter-a-2026-11-24T20-00-00Z.jsonl.gz"
    whole = gzip.compress(joined([post(number) for number in range(5000)]))
    file.write_bytes(whole[: len(whole) // 2])
    result = run(file)
    assert isinstance(result.exception, FindingsError)
    ids = [int(json.loads(line)["data"]["id"]) - 10**18 for line in result.stdout.splitlines()]
    assert 1000 < len(ids) < 5000
    assert ids == list(range(len(ids)))
    assert "stops before its end" in result.stderr


def test_a_name_that_is_not_there_brings_the_nearest(data: Path) -> None:
    result = run("storm", "--dir", data)
    assert isinstance(result.exception, UsageError)
    assert "twitterfilter-storms" in str(result.exception)


def test_standard_input_is_a_file_too(data: Path) -> None:
    command = [sys.executable, "-m", "sfm_stream", "read", "-"]
    done = subprocess.run(command, input=gzip.compress(joined([post(1)])), capture_output=True, check=True)
    assert done.stdout == joined([post(1)])


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(joined([post(number) for number in range(20_000)]))
    command = f"{sys.executable} -m sfm_stream read {file} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout == joined([post(0)]) + b"0\n"
    assert done.stderr == b""


def test_follow_shows_the_last_lines_and_then_what_comes_over_the_end_of_a_file(tmp_path: Path) -> None:
    begun = tmp_path / "twitterfilter-a-2026-11-24T20-00-00Z.jsonl.gz.part"
    file = begun.open("wb", buffering=0)
    import zlib

    stream = zlib.compressobj(wbits=31)
    file.write(stream.compress(joined([post(number) for number in range(20)])) + stream.flush(zlib.Z_SYNC_FLUSH))
    command = [sys.executable, "-m", "sfm_stream", "read", "a", "--follow", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert [process.stdout.readline() for _ in range(10)] == [post(number) + b"\n" for number in range(10, 20)]
        file.write(stream.compress(joined([post(20)])) + stream.flush(zlib.Z_SYNC_FLUSH))
        assert process.stdout.readline() == post(20) + b"\n"
        file.write(stream.flush())
        begun.rename(begun.with_name(begun.name.removesuffix(".part")))
        time.sleep(0.1)
        begun.with_name("twitterfilter-a-2026-11-24T20-15-00Z.jsonl.gz.part").write_bytes(
            gzip.compress(joined([post(21)]))
        )
        assert process.stdout.readline() == post(21) + b"\n"
        process.terminate()
        watchdog.cancel()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b' {"a": 1}\r', b'{"a": 1}'),
        (b'{"a":"\xe2\x80\xa8"}', b'{"a":"\xe2\x80\xa8"}'),
        (b'{"a":NaN}', b'{"a":null}'),
        (b'\xef\xbb\xbf{"a":"\\ud83d"}', '{"a":"�"}'.encode()),
        (b"[" * 5000, None),
    ],
)
def test_strict_lines_are_json_that_every_reader_takes(line: bytes, shown: bytes | None) -> None:
    assert strict(line) == shown

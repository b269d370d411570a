"""`sfm-stream export`: what goes in comes out whole, and what the stream told to be gone does not."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sfm_stream.cli import cli
from sfm_stream.export import run as export_run
from sfm_stream.sources import registry
from sfm_stream.sources.rows import NEUTRAL
from tests.support import bluesky_events

HOSTILE = [
    'a "quoted" word, a comma; and a semicolon',
    "two\nlines\r\nand a third",
    "\u2028 ends a line for some readers, \x85 for others",
    "ضفدع 🐸👩\u200d👩\u200d👧 \u202eright to left\u202c",
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@name said so",
    "'tis an apostrophe",
    "\ttab",
    "x" * 25_000,
    " blanks around ",
]


def post(number: int, text: str, **parts: Any) -> bytes:
    made = f"2026-11-24T20:00:{number % 60:02}.000Z"
    data = {"id": str(10**18 + number), "text": text, "created_at": made, "author_id": "77", **parts}
    author = {"id": "77", "username": "Someone", "name": "S"}
    return json.dumps({"data": data, "includes": {"users": [author]}}).encode()


def write(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return write(tmp_path / "in.jsonl.gz", [post(number, text) for number, text in enumerate(HOSTILE)])


def run(*arguments: object, source: str = "x") -> Result:
    return CliRunner().invoke(cli, ["export", "--source", source, *map(str, arguments)])


def exported(path: Path, *arguments: object, source: str = "x") -> str:
    done = run(*arguments, "-o", path, source=source)
    assert done.exit_code == 0, done.output
    return done.output


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


IDS = [str(10**18 + number) for number in range(len(HOSTILE))]


def test_csv_gives_every_text_and_id_back_as_it_was(hostile: Path, tmp_path: Path) -> None:
    """And says that some cells are what a spreadsheet would run."""
    said = exported(tmp_path / "out.csv", hostile)
    assert [row["text"] for row in table(tmp_path / "out.csv")] == HOSTILE
    assert [row["id"] for row in table(tmp_path / "out.csv")] == IDS
    assert "5 cells begin with = + - or @" in said


def test_csv_for_a_spreadsheet_has_nothing_that_it_would_run_or_round(hostile: Path, tmp_path: Path) -> None:
    """An apostrophe comes before such text and long numbers; a byte order mark says that it is UTF-8."""
    exported(tmp_path / "out.csv", hostile, "--excel")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    rows = table(tmp_path / "out.csv")
    assert not [row for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert [row["text"].removeprefix("'") for row in rows] == HOSTILE
    assert [row["id"] for row in rows] == [f"'{each}" for each in IDS]


def test_xlsx_has_text_and_ids_as_text(hostile: Path, tmp_path: Path) -> None:
    """openpyxl, which has no part in writing it, reads strings, and no formula among them."""
    openpyxl = pytest.importorskip("openpyxl")
    exported(tmp_path / "out.xlsx", hostile)
    header, *rows = openpyxl.load_workbook(tmp_path / "out.xlsx")["posts"].iter_rows()
    places = {cell.value: index for index, cell in enumerate(header)}
    cells = [row[places["text"]] for row in rows]
    # XML cannot hold a carriage return; Office's way to write one is known to Excel, and not to openpyxl.
    assert [cell.value.replace("_x000D_", "\r") for cell in cells] == HOSTILE
    assert {cell.data_type for cell in cells} == {"s"}
    assert [row[places["id"]].value for row in rows] == IDS


def test_parquet_has_typed_columns_and_the_line_itself(hostile: Path, tmp_path: Path) -> None:
    """Times are timestamps, ids text, and `raw` is all that was sent."""
    parquet = pytest.importorskip("pyarrow.parquet")
    exported(tmp_path / "out.parquet", hostile)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert str(found.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert found.column("text").to_pylist() == HOSTILE
    assert found.column("id").to_pylist() == IDS
    assert [json.loads(line)["data"]["text"] for line in found.column("raw").to_pylist()] == HOSTILE


def test_json_lines_ids_and_addresses(tmp_path: Path) -> None:
    """Lists are lists in JSON; each id and each address stands once."""
    links = {"entities": {"urls": [{"expanded_url": "https://example.org/a"}], "hashtags": [{"tag": "hail"}]}}
    taken = write(tmp_path / "in.jsonl.gz", [post(1, "one", **links), post(2, "two", **links), post(2, "two", **links)])
    exported(tmp_path / "out.jsonl", taken)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["text"], row["tags"]) for row in rows] == [("one", ["hail"]), ("two", ["hail"]), ("two", ["hail"])]
    exported(tmp_path / "ids.txt", taken, "--format", "ids")
    assert (tmp_path / "ids.txt").read_text().split() == IDS[1:3]
    exported(tmp_path / "urls.txt", taken, "--format", "urls")
    assert (tmp_path / "urls.txt").read_text() == "https://example.org/a\n"


def test_unique_leaves_repeats_out_and_counts_them(tmp_path: Path) -> None:
    taken = write(tmp_path / "in.jsonl.gz", [post(1, "one"), post(2, "two"), post(1, "one")])
    assert "1 repeated" in exported(tmp_path / "out.csv", taken, "--unique")
    assert [row["text"] for row in table(tmp_path / "out.csv")] == ["one", "two"]


def test_what_was_deleted_is_left_out_and_counted(tmp_path: Path) -> None:
    """As the stream told later; `--with-deleted` leaves it in."""
    lines = [bluesky_events.post("stays", did=bluesky_events.OTHER), bluesky_events.post("goes")]
    lines.append(bluesky_events.commit(operation="delete"))
    taken = write(tmp_path / "in.jsonl.gz", lines)
    said = exported(tmp_path / "out.csv", taken, source="bluesky")
    assert [row["text"] for row in table(tmp_path / "out.csv")] == ["stays"]
    assert "1 deleted since" in said
    exported(tmp_path / "all.csv", taken, "--with-deleted", source="bluesky")
    assert [row["text"] for row in table(tmp_path / "all.csv")] == ["stays", "goes", ""]


def test_pseudonyms_are_the_same_for_the_same_and_tell_nobody(tmp_path: Path) -> None:
    """With a key of one's own, in a file that others cannot read."""
    taken = write(tmp_path / "in.jsonl.gz", [post(1, "hello @Someone"), post(2, "again")])
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o644)
    refused = run(taken, "--pseudonymise", key, "-o", tmp_path)
    assert "everybody on this machine may use the key" in str(refused.exception)
    key.chmod(0o600)
    exported(tmp_path / "out.csv", taken, "--pseudonymise", key)
    rows = table(tmp_path / "out.csv")
    assert rows[0]["account"] == rows[1]["account"] != ""
    assert rows[0]["text"] == f"hello @{rows[0]['account']}"
    content = (tmp_path / "out.csv").read_text().lower()
    assert "someone" not in content
    assert IDS[1] not in content


def test_a_sample_is_the_same_each_time(tmp_path: Path) -> None:
    taken = write(tmp_path / "in.jsonl.gz", [post(number, f"text {number}") for number in range(500)])
    exported(tmp_path / "one.csv", taken, "--sample", 50)
    exported(tmp_path / "two.csv", taken, "--sample", 50)
    assert len(table(tmp_path / "one.csv")) == 50
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xlsx", "parquet"])
def test_a_run_that_was_ended_leaves_nothing_under_the_name_and_the_next_makes_the_same_bytes(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Nothing of the time, the machine or the run is in a file."""
    whole, again = tmp_path / f"whole.{suffix}", tmp_path / f"again.{suffix}"
    exported(whole, hostile)

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export_run, "sync_directory", end)
        patch.setattr(Path, "replace", end)
        run(hostile, "-o", again)
    assert not again.exists()
    exported(again, hostile)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(whole.read_bytes()).digest()
    assert not list(tmp_path.glob(".*.part"))


def test_a_data_package_and_a_readme_say_what_it_is(hostile: Path, tmp_path: Path) -> None:
    """Columns, counts and the checksum, for programs and for people."""
    exported(tmp_path / "out.csv", hostile)
    (resource,) = json.loads((tmp_path / "datapackage.json").read_bytes())["resources"]
    digest = hashlib.sha256((tmp_path / "out.csv").read_bytes()).hexdigest()
    assert (resource["path"], resource["hash"]) == ("out.csv", f"sha256:{digest}")
    header = next(csv.reader((tmp_path / "out.csv").open(encoding="utf-8", newline="")))
    assert [field["name"] for field in resource["schema"]["fields"]] == header
    readme = (tmp_path / "README.md").read_text()
    assert digest in readme
    assert "12 rows" in readme


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--columns", "txt"], "there is no column 'txt'"),
        (["--excel", "--format", "ids"], "--excel is for csv"),
        (["--format", "urls", "--columns", "id"], "takes no --columns"),
        (["--format", "xlsx", "--columns", "+raw"], "raw does not fit into cells of XLSX"),
    ],
)
def test_what_does_not_go_together_is_said(hostile: Path, tmp_path: Path, options: list[str], told: str) -> None:
    """In one line, before anything is written."""
    done = run(hostile, *options, "-o", tmp_path / "out")
    assert done.exit_code != 0
    assert told in str(done.exception) + done.output
    assert not (tmp_path / "out").is_file()


def test_the_docs_have_every_column() -> None:
    """Those of all sources, and each source's own, in the words of the table."""
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    for name, (_, what, _) in NEUTRAL.items():
        assert f"| `{name}` | {what} |" in page, name
    for name in registry.names():
        for column in registry.source(name).rows().columns:
            if column.name not in NEUTRAL:
                assert f"| `{column.name}` | {column.what} |" in page, (name, column.name)


@pytest.mark.parametrize("change", ["rows", "from", "streams", "hash"])
def test_a_descriptor_of_another_release_is_left_alone(hostile: Path, tmp_path: Path, change: str) -> None:
    """The export is done, and says where its own descriptor is."""
    exported(tmp_path / "one.csv", hostile)
    descriptor = tmp_path / "datapackage.json"
    content = json.loads(descriptor.read_bytes())
    (resource,) = content["resources"]
    del (resource if change == "hash" else resource["sfm-stream"])[change]
    descriptor.write_text(json.dumps(content))
    said = exported(tmp_path / "two.csv", hostile)
    assert "is not of this program's making: the descriptor is two.csv.datapackage.json" in said
    assert json.loads(descriptor.read_bytes()) == content

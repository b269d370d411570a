"""What people read exports with reads them whole: pandas, Polars, DuckDB, openpyxl and frictionless, as they come.

R and Spark are asked where they are installed: `Rscript` with readr (Debian's r-cran-readr), and a Python with
pyspark, which `SFM_SPARK_PYTHON` names: it takes a third of a gigabyte, and Java.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from sfm_stream.cli import cli

duckdb = pytest.importorskip("duckdb")
frictionless = pytest.importorskip("frictionless")
openpyxl = pytest.importorskip("openpyxl")
pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

TEXTS = [
    'a "quoted" word, a comma; and a semicolon',
    "two\nlines\r\nand a third",
    "\u2028 ends a line for some readers, \x85 for others",
    "ضفدع 🐸👩\u200d👩\u200d👧 \u202eright to left\u202c",
    *("=HYPERLINK(1)", "+1", "-1", "@name said so", "'tis an apostrophe", "\ttab", " blanks around "),
    *("NA", "null", "None", "nan", "007", "1e5", "true", "2026-11-24", "\\N", "\\"),
    "x" * 25_000,
    "half a surrogate \ufffd, and no \ufffd NUL",
]
IDS = [str(9_007_199_254_740_993 + number) for number in range(len(TEXTS))]
"""The first number that a spreadsheet's cannot hold, and those after it."""

Table = list[tuple[str, str]]


class Export(NamedTuple):
    """A finished export: its file, and the descriptor beside it."""

    file: Path
    descriptor: Path


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture file; what no reader could take, a half surrogate and NUL, comes as X would send it."""
    lines = []
    for number, (identity, text) in enumerate(zip(IDS, TEXTS, strict=True)):
        sent = json.dumps(text).replace(r"\ufffd,", r"\ud83d,").replace(r"\ufffd NUL", r"\u0000 NUL")
        geo = '"geo": {"coordinates": {"type": "Point", "coordinates": [-0.5, 51.5]}},' if number == 3 else ""
        made = f"2026-11-24T20:00:{number:02}.000Z"
        lines.append(f'{{"data": {{"id": "{identity}", {geo} "created_at": "{made}", "text": {sent}}}}}\n')
    path = tmp_path_factory.mktemp("captured") / "posts.jsonl.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


@pytest.fixture(scope="module")
def export(posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Export]:
    """Exports in a format."""

    def made(form: str) -> Export:
        here = tmp_path_factory.mktemp(form)
        file = here / f"posts.{form}"
        done = CliRunner().invoke(cli, ["export", "--source", "x", str(posts), "-o", str(file)])
        assert done.exit_code == 0, done.output
        return Export(file, here / "datapackage.json")

    return made


def pandas_csv(file: Path) -> Table:
    read = pandas.read_csv(file, dtype=str, keep_default_na=False)
    return list(zip(read.id, read.text, strict=True))


def polars_csv(file: Path) -> Table:
    return polars.read_csv(file, infer_schema=False).select("id", "text").rows()  # type: ignore[no-any-return]


def duckdb_csv(file: Path) -> Table:
    return duckdb.execute("SELECT id, text FROM read_csv(?, all_varchar = true)", [str(file)]).fetchall()  # type: ignore[no-any-return]


def pandas_parquet(file: Path) -> Table:
    read = pandas.read_parquet(file)
    return list(zip(read.id, read.text, strict=True))


def polars_parquet(file: Path) -> Table:
    return polars.read_parquet(file).select("id", "text").rows()  # type: ignore[no-any-return]


def duckdb_parquet(file: Path) -> Table:
    return duckdb.execute("SELECT id, text FROM read_parquet(?)", [str(file)]).fetchall()  # type: ignore[no-any-return]


def openpyxl_xlsx(file: Path) -> Table:
    header, *rows = openpyxl.load_workbook(file)["posts"].iter_rows(values_only=True)
    places = header.index("id"), header.index("text")
    # XML cannot hold a carriage return; Office's way to write one is known to Excel, and not to openpyxl.
    return [(row[places[0]], row[places[1]].replace("_x000D_", "\r")) for row in rows]


def pandas_jsonl(file: Path) -> Table:
    read = pandas.read_json(file, lines=True, dtype=False)
    return list(zip(read.id, read.text, strict=True))


@pytest.mark.parametrize(
    ("form", "reader"),
    [
        ("csv", pandas_csv),
        ("csv", polars_csv),
        ("csv", duckdb_csv),
        ("parquet", pandas_parquet),
        ("parquet", polars_parquet),
        ("parquet", duckdb_parquet),
        ("xlsx", openpyxl_xlsx),
        ("jsonl", pandas_jsonl),
    ],
)
def test_every_id_and_text_comes_back_as_it_was(
    export: Callable[[str], Export], form: str, reader: Callable[[Path], Table]
) -> None:
    """With the options that the README beside an export gives for the reader."""
    assert reader(export(form).file) == list(zip(IDS, TEXTS, strict=True))


def asked(command: list[str], script: str, file: Path) -> Table:
    """What a program of another environment reads; it writes JSON, a row a line."""
    done = subprocess.run([*command, script, str(file)], capture_output=True, text=True, check=True, timeout=240)
    return [(row["id"], row["text"]) for row in map(json.loads, done.stdout.splitlines())]


@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")
def test_r_reads_each_text_as_it_was(export: Callable[[str], Export]) -> None:
    """With the line of the README; R ends a text at NUL, of which there is none."""
    # Code points, since R's own JSON is a package that nobody needs for this.
    script = """
        file <- commandArgs(trailingOnly = TRUE)[1]
        read <- readr::read_csv(file, col_types = readr::cols(.default = "c"), na = "", trim_ws = FALSE)
        for (row in seq_len(nrow(read))) {
          text <- paste(utf8ToInt(read$text[row]), collapse = ", ")
          cat(sprintf('{"id": "%s", "text": [%s]}\n', read$id[row], text))
        }
    """
    found = asked(["Rscript", "-e"], script, export("csv").file)
    assert [(identity, "".join(map(chr, text))) for identity, text in found] == list(zip(IDS, TEXTS, strict=True))


@pytest.mark.skipif("SFM_SPARK_PYTHON" not in os.environ, reason="SFM_SPARK_PYTHON names no Python with pyspark")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_spark_reads_each_text_as_it_was(export: Callable[[str], Export], form: str) -> None:
    """In local mode."""
    script = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
file = sys.argv[1]
if file.endswith(".csv"):
    options = dict(header=True, multiLine=True, escape='"', nullValue="\\0", emptyValue="", maxCharsPerColumn=-1)
    read = spark.read.csv(file, ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False, lineSep="\\n", **options)
else:
    read = spark.read.parquet(file)
for row in read.select("id", "text").collect():
    print(json.dumps(row.asDict()))
"""
    assert asked([os.environ["SFM_SPARK_PYTHON"], "-c"], script, export(form).file) == list(
        zip(IDS, TEXTS, strict=True)
    )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_descriptor_is_valid_and_describes_the_file(export: Callable[[str], Export], form: str) -> None:
    """`frictionless validate datapackage.json` reads all rows by the schema."""
    report = frictionless.validate(str(export(form).descriptor))
    assert report.valid, report.flatten(["fieldName", "type", "note"])
    assert report.tasks[0].stats["rows"] == len(TEXTS)

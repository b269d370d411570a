"""What lies beside an export: a Data Package descriptor for programs, and a README for people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sfm_stream import __version__, clock, reading
from sfm_stream.durable import replace_file
from sfm_stream.export.columns import Field
from sfm_stream.export.files import Span
from sfm_stream.export.formats import ExportFormat
from sfm_stream.record import journal, last_run, status
from sfm_stream.record.gaps import coverage
from sfm_stream.record.history import during, versions
from sfm_stream.sources.rows import ValueType

DESCRIPTOR, README = "datapackage.json", "README.md"
_TYPES = {
    ValueType.TEXT: "string",
    ValueType.TIME: "datetime",
    ValueType.INTEGER: "integer",
    ValueType.NUMBER: "number",
    ValueType.BOOLEAN: "boolean",
    ValueType.JSON: "any",
}
_OURS = "sfm-stream"
_FIRST_LINE = "<!-- made by sfm-stream export; the next export replaces it -->"


class Origin(NamedTuple):
    """Where the posts of an export come from.

    Attributes:
        program: The program; "" for files that were named.
        source: The source's title.
        files: How many capture files were read.
        first: The earliest time of a post; None where there is none.
        last: The latest.
        counts: Lines, by what became of them.
        terms: What is asked of those who pass the posts on.
    """

    program: str
    source: str
    files: int
    first: str | None
    last: str | None
    counts: Mapping[str, int]
    terms: str


def describe(
    path: Path,
    form: ExportFormat,
    fields: Sequence[Field],
    origins: Sequence[Origin],
    *,
    rows: int,
    span: Span,
    options: Mapping[str, object],
    notes: Sequence[str],
    state: Path | None,
) -> dict[str, Any]:
    """The descriptor's entry of a finished file.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    described = [_field(each, form) for each in fields]
    resource: dict[str, Any] = {
        "name": re.sub(r"[^a-z0-9._-]+", "-", path.name.lower()),
        "path": path.name,
        "mediatype": form.mediatype,
        "hash": f"sha256:{digest}",
    }
    size = path.stat().st_size
    if form.name != "parquet":  # of which frictionless counts no bytes, and so finds them wrong
        resource["bytes"] = size
    if form.name in ("csv", "jsonl", "parquet", "xlsx"):
        resource |= {"format": form.name, "encoding": "utf-8"} if form.name == "csv" else {"format": form.name}
        if form.name == "csv":
            resource["dialect"] = {"delimiter": ",", "quoteChar": '"', "doubleQuote": True, "header": True}
        # pandas, by which frictionless reads Parquet, has no numbers that are missing but these.
        missing = ["", "nan"] if form.name == "parquet" else [""]
        resource["schema"] = {"fields": described, "missingValues": missing}
    resource[_OURS] = {
        "version": __version__,
        "rows": rows,
        "bytes": size,
        "from": clock.text(span.start) if span.start else None,
        "to": clock.text(span.end) if span.end else None,
        "options": dict(options),
        "notes": list(notes),
        "streams": [_origin(each, span, state) for each in origins],
        "terms": list(dict.fromkeys(each.terms for each in origins)),
    }
    return resource


def keep(directory: Path, resource: dict[str, Any]) -> list[str]:
    """Writes descriptor and README of a directory, which say of earlier exports there what they said.

    Returns:
        What a person should know.

    Raises:
        OSError: They cannot be written.
    """
    known, notes = _known(directory / DESCRIPTOR)
    if known is None:
        name = f"{resource['path']}.{DESCRIPTOR}"
        notes.append(f"{directory / DESCRIPTOR} is not of this program's making: the descriptor is {name}")
        resources = [resource]
    else:
        name = DESCRIPTOR
        others = [each for each in known if each["path"] != resource["path"] and (directory / each["path"]).is_file()]
        resources = sorted([*others, resource], key=lambda each: str(each["path"]))
    package = {
        "profile": "data-package",
        "name": re.sub(r"[^a-z0-9._-]+", "-", (directory.resolve().name or "export").lower()),
        "title": "Posts collected by sfm-stream",
        "resources": resources,
    }
    text = msgspec.json.format(msgspec.json.encode(package), indent=2) + b"\n"
    replace_file(directory / name, text)
    readme = directory / README
    if name != DESCRIPTOR or (readme.exists() and not _is_ours(readme)):
        readme = directory / f"{resource['path']}.{README}"
    replace_file(readme, _readme(resources).encode())
    return notes


def _field(field: Field, form: ExportFormat) -> dict[str, Any]:
    described: dict[str, Any] = {"name": field.name, "type": _TYPES[field.kind], "description": field.what}
    if field.kind is ValueType.BOOLEAN and form.name == "csv":
        described |= {"trueValues": ["true"], "falseValues": ["false"]}
    return described


def _origin(origin: Origin, span: Span, state: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "program": origin.program or None,
        "source": origin.source,
        "files": origin.files,
        "first": origin.first,
        "last": origin.last,
        "counts": dict(sorted(origin.counts.items())),
    }
    if not origin.program or state is None:
        return found | {"filters": None, "gaps": None, "unknown": "no journal and no history of it were at hand"}
    try:
        return found | {"filters": _filters(origin, span, state), "gaps": _gaps(origin, span, state)}
    except reading.UnreadableError as error:
        return found | {"filters": None, "gaps": None, "unknown": str(error)}


def _filters(origin: Origin, span: Span, state: Path) -> list[dict[str, Any]]:
    known = versions(state, origin.program)
    start = span.start or (clock.parse(origin.first) if origin.first else None)
    end = span.end or (clock.parse(origin.last) if origin.last else None)
    return [
        {
            "asked": clock.text(each.time),
            "in_force": clock.text(each.in_force) if each.in_force else None,
            "sha256": each.sha256,
            "settings": each.settings,
        }
        for each in (during(known, start, end) if start and end else known)
    ]


def _gaps(origin: Origin, span: Span, state: Path) -> list[dict[str, Any]]:
    alive = status.is_alive(state, origin.program)
    outage = last_run.read(state, origin.program, killed=not alive).outage
    entries = journal.read(journal.journal_path(state, origin.program))
    found = coverage(origin.program, entries, outage, clock.now(), span.start)
    return [
        {
            "from": clock.text(gap.start),
            "to": clock.text(gap.end) if gap.end else None,
            "cause": gap.cause,
            "planned": gap.planned,
            "recovered": gap.recovered,
        }
        for gap in found.gaps
        if span.end is None or gap.start < span.end
    ] + [
        {"from": clock.text(loss.time), "to": None, "cause": loss.what, "planned": False, "recovered": False}
        for loss in found.losses
        if span.end is None or loss.time < span.end
    ]


def _known(path: Path) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """The entries of a descriptor of ours; None where it is another's, or of a release that says other things."""
    try:
        found = msgspec.json.decode(reading.read_small(path, 1 << 28), type=dict[str, Any])
        entries = found["resources"]
        if all(_OURS in each and isinstance(each["path"], str) for each in entries):
            _readme(entries)  # which asks for all that is needed of them
            return list(entries), []
    except FileNotFoundError:
        return [], []
    except (OSError, LookupError, TypeError, ValueError, AttributeError, *reading.DAMAGE):
        pass
    return None, []


def _is_ours(readme: Path) -> bool:
    try:
        with readme.open("rb") as file:
            return file.readline().strip() == _FIRST_LINE.encode()
    except OSError:
        return False


def _readme(resources: Sequence[Mapping[str, Any]]) -> str:
    lines = [_FIRST_LINE, "# Posts collected by sfm-stream", "", f"`{DESCRIPTOR}` says the same for programs.", ""]
    for resource in resources:
        lines += _of_file(resource)
    return "\n".join(lines).rstrip() + "\n"


def _of_file(resource: Mapping[str, Any]) -> list[str]:
    ours = resource[_OURS]
    size = ours["bytes"] if "bytes" in ours else resource["bytes"]  # where they stood before
    span = f"from {ours['from'] or 'the beginning'} to {ours['to'] or 'the end of what was collected'}"
    lines = [f"## {resource['path']}", "", f"{ours['rows']:,} rows, {span}; {size:,} bytes.", ""]
    lines += [f"    {resource['hash'].removeprefix('sha256:')}  {resource['path']}", ""]
    if ours["options"]:
        lines += ["Made with " + ", ".join(f"`--{key} {value}`" for key, value in ours["options"].items()) + ".", ""]
    lines += [f"- {note}" for note in ours["notes"]] + ([""] if ours["notes"] else [])
    for stream in ours["streams"]:
        counts = ", ".join(f"{key} {value:,}" for key, value in stream["counts"].items())
        lines.append(f"**{stream['program'] or 'files'}** ({stream['source']}): {counts}.")
        if stream["first"]:
            lines.append(f"Posts of {stream['first']} to {stream['last']}.")
        lines.append("")
        if stream.get("unknown"):
            lines += [f"What was asked for and what is missing is not known: {stream['unknown']}.", ""]
        for version in stream["filters"] or ():
            settings = {key: value for key, value in version["settings"].items() if key not in _PATHS}
            text = msgspec.json.encode(settings).decode()
            lines.append(f"- asked for since {version['asked']}: `{text}`")
        missing = [gap for gap in stream["gaps"] or () if not gap["recovered"]]
        if stream["gaps"] is not None:
            lines += ["", f"Gaps that were not made good: {len(missing) or 'none is known'}.", ""]
        lines += [f"- {gap['from']} to {gap['to'] or '?'}: {gap['cause']}" for gap in missing[:50]]
        lines += [f"- and {len(missing) - 50:,} more, in `{DESCRIPTOR}`"] if len(missing) > 50 else []
    if "schema" in resource:
        lines += ["", "| column | type | what |", "|---|---|---|"]
        lines += [
            f"| `{each['name']}` | {each['type']} | {each['description']} |" for each in resource["schema"]["fields"]
        ]
    if resource.get("format") == "csv":
        lines += ["", *_READERS]
    lines += ["", *(f"Terms: {each}" for each in ours["terms"]), ""]
    return lines


_PATHS = frozenset({"data_dir", "state_dir"})
_READERS = (
    "Ids are text: readers that take them for numbers take their last digits off.",
    "",
    "    pandas.read_csv(FILE, dtype=str, keep_default_na=False)",
    "    polars.read_csv(FILE, infer_schema=False)",
    "    duckdb: SELECT * FROM read_csv('FILE', all_varchar = true)",
    '    readr: read_csv(FILE, col_types = cols(.default = "c"), na = "", trim_ws = FALSE)',
)

"""Edits of supervisord.conf as text: every other line stays, and each edit can be taken back exactly.

A line that we add ends in MARK; a line that we replace stays as a comment after WAS. So `undo` needs nothing but the
text, also where people edited the file in between.

The file is read as supervisor reads it: Python's configparser with `;` and `#` as comments, also behind a value; a
line indented deeper than its option continues it; of an option given twice the last counts.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

MARK = "; added by sfm-stream"
WAS = ";before sfm-stream: "
DEFAULT_SOCKET = "/var/run/supervisor.sock"
"""Debian's path of the socket."""

_COMMENTS = (";", "#")
_RPC = "supervisor.rpcinterface:make_main_rpcinterface"
_EQUAL: Mapping[str, Callable[[str, str], bool]] = {"chmod": lambda a, b: _octal(a) == _octal(b)}


class Line(NamedTuple):
    """A line and its own terminator, which is empty only at the end of the file."""

    text: str
    end: str


class Section(NamedTuple):
    """A section's header: the index of its line, and how far it is indented."""

    name: str
    line: int
    indent: str


class Option(NamedTuple):
    """An option: the indices of the lines that hold its value, and how far the first is indented."""

    section: str
    name: str
    lines: tuple[int, ...]
    indent: str


class Outline(NamedTuple):
    """Where the sections and options of a file stand."""

    sections: list[Section]
    options: list[Option]


def edit(text: str, *, pattern: str, socket: Mapping[str, str], here: str) -> str:
    """The text with `pattern` in ``[include] files`` and the options `socket` in ``[unix_http_server]``.

    Sections that supervisorctl cannot do without are added where they are missing.

    Args:
        text: The file as it is; earlier edits of ours are taken back first.
        pattern: An absolute pattern of program files.
        socket: Options such as chmod and chown; none leaves the socket to the operator.
        here: The directory of the file, to which relative patterns refer.

    Raises:
        ValueError: supervisor cannot read this text.
    """
    lines = _split(undo(text))
    before = parse(_join(lines))
    if not before.has_section("supervisord"):
        raise ValueError("it has no [supervisord] section")
    if not includes(before, pattern, here):
        _include(lines, pattern)
    if not before.has_section("unix_http_server"):
        _append(lines, "[unix_http_server]", f"file={DEFAULT_SOCKET}")
    for name, value in socket.items():
        _set(lines, "unix_http_server", name, value)
    if not before.has_section("rpcinterface:supervisor"):
        _append(lines, "[rpcinterface:supervisor]", f"supervisor.rpcinterface_factory = {_RPC}")
    if not before.has_section("supervisorctl"):
        path = before.get("unix_http_server", "file", fallback=DEFAULT_SOCKET).partition("\n")[0]
        _append(lines, "[supervisorctl]", f"serverurl=unix://{path}")
    return _join(lines)


def undo(text: str) -> str:
    """The text as it was before `edit`; edits of others stay."""
    kept: list[Line] = []
    for line in _split(text):
        if line.text.endswith(MARK):
            if kept:
                kept[-1] = kept[-1]._replace(end=line.end)
        else:
            kept.append(line._replace(text=line.text.removeprefix(WAS)))
    return _join(kept)


def parse(text: str) -> configparser.RawConfigParser:
    """The text as supervisor understands it.

    Raises:
        ValueError: supervisor cannot read it either.
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=_COMMENTS, strict=False)
    try:
        parser.read_file(line.text + "\n" for line in _split(text))
    except configparser.Error as error:
        raise ValueError(" ".join(str(error).split())) from error
    return parser


def includes(parser: configparser.RawConfigParser, pattern: str, here: str) -> bool:
    """Whether the file includes `pattern` already, in whatever spelling."""
    patterns = parser.get("include", "files", fallback="").replace("%(here)s", here).split()
    return os.path.normpath(pattern) in {os.path.normpath(os.path.join(here, each)) for each in patterns}  # noqa: PTH118


def outline(lines: list[Line]) -> Outline:
    """Finds sections and options by configparser's own steps, which it does not tell the line numbers of."""
    found = Outline([], [])
    section = ""
    open_option = False
    depth = 0
    for index, line in enumerate(lines):
        value = _without_comment(line.text)
        if not value:
            continue
        indent = line.text[: len(line.text) - len(line.text.lstrip())]
        if open_option and len(indent) > depth:
            last = found.options[-1]
            found.options[-1] = last._replace(lines=(*last.lines, index))
            continue
        depth = len(indent)
        if header := configparser.RawConfigParser.SECTCRE.match(value):
            section = header.group("header")
            found.sections.append(Section(section, index, indent))
            open_option = False
        elif option := configparser.RawConfigParser.OPTCRE.match(value):
            name = option.group("option").rstrip().lower()
            found.options.append(Option(section, name, (index,), indent))
            open_option = True
    return found


def _without_comment(text: str) -> str:
    if text.strip().startswith(_COMMENTS):
        return ""
    return re.sub(r"(^|(?<=\s))[;#].*", "", text, count=1).strip()


def _split(text: str) -> list[Line]:
    pieces = re.split(r"(\r\n|\r|\n)", text)
    lines = [Line(*pair) for pair in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]
    return lines if lines[-1].text else lines[:-1]


def _join(lines: list[Line]) -> str:
    return "".join(line.text + line.end for line in lines)


def _insert(lines: list[Line], after: int, *texts: str) -> None:
    """Adds marked lines behind line `after`, with line ends as they are there."""
    anchor = lines[after]
    end = anchor.end or lines[0].end or "\n"
    added = [Line(f"{text}  {MARK}", end) for text in texts]
    added[-1] = added[-1]._replace(end=anchor.end)
    lines[after : after + 1] = [anchor._replace(end=end), *added]


def _append(lines: list[Line], *texts: str) -> None:
    _insert(lines, len(lines) - 1, *texts)


def _include(lines: list[Line], pattern: str) -> None:
    found = outline(lines)
    if files := [each for each in found.options if (each.section, each.name) == ("include", "files")]:
        _insert(lines, files[-1].lines[-1], f"{files[-1].indent}    {pattern}")
    elif any(each.name == "include" for each in found.sections):
        _add_option(lines, found, "include", f"files = {pattern}")
    else:
        _append(lines, "[include]", f"files = {pattern}")


def _set(lines: list[Line], section: str, name: str, value: str) -> None:
    """Gives an option its value; the line that said otherwise becomes a comment."""
    found = outline(lines)
    same = [each for each in found.options if (each.section, each.name) == (section, name)]
    if not same:
        _add_option(lines, found, section, f"{name}={value}")
        return
    present = parse(_join(lines)).get(section, name)
    if present == value or _EQUAL.get(name, str.__eq__)(present, value):
        return
    for index in same[-1].lines:
        lines[index] = lines[index]._replace(text=WAS + lines[index].text)
    _insert(lines, same[-1].lines[-1], f"{same[-1].indent}{name}={value}")


def _add_option(lines: list[Line], found: Outline, section: str, text: str) -> None:
    """Adds an option where it neither becomes part of the one before nor takes in the one behind."""
    header = [each for each in found.sections if each.name == section][-1]
    behind = next((each for each in found.sections if each.line > header.line), None)
    end = behind.line if behind else len(lines)
    if own := [each for each in found.options if header.line < each.lines[0] < end]:
        _insert(lines, own[-1].lines[-1], own[-1].indent + text)
    else:
        _insert(lines, header.line, (behind.indent if behind else "") + text)


def _octal(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        return -1

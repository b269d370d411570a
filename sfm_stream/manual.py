"""Manual pages and shell completion, made of what the commands say of themselves.

``python -m sfm_stream.manual DIR`` writes them below ``DIR``, as they lie in ``share/``: a wheel brings them, and a
deployment links them to where ``man`` and shells look. A test compares them with the commands.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from sfm_stream import errors
from sfm_stream.cli import cli

_NAME = "sfm-stream"
_SHELLS = {
    "bash": f"bash-completion/completions/{_NAME}",
    "fish": f"fish/vendor_completions.d/{_NAME}.fish",
    "zsh": f"zsh/site-functions/_{_NAME}",
}
_EXAMPLES = "Examples:"


def files() -> Iterator[tuple[str, str]]:
    """The path below ``share/`` and the content of each file."""
    for context in _contexts(click.Context(cli, info_name=_NAME, **cli.context_settings)):
        yield f"man/man1/{_page(context)}.1", "".join(f"{line}\n" for line in _manual(context))
    for shell, path in _SHELLS.items():
        made = get_completion_class(shell)
        assert made is not None  # noqa: S101 - for the type checker
        script = made(cli, {}, _NAME, "_SFM_STREAM_COMPLETE")
        yield path, script.source_template % script.source_vars()


def write(folder: Path) -> None:
    """Writes all of them, and removes the pages of commands that are no more."""
    made = dict(files())
    for path, content in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    for page in (folder / "man" / "man1").iterdir():
        if f"man/man1/{page.name}" not in made:
            page.unlink()


def _contexts(context: click.Context) -> Iterator[click.Context]:
    """A command and all below it."""
    yield context
    for name, command in _commands(context):
        yield from _contexts(click.Context(command, info_name=name, parent=context))


def _commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            if (command := group.get_command(context, name)) is not None:
                yield name, command


def _page(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _manual(context: click.Context) -> Iterator[str]:
    command = context.command
    name, usage = _page(context), command.collect_usage_pieces(context)
    yield f'.TH "{_text(name.upper())}" 1 "" "{_NAME}"'
    yield from (".SH NAME", f"{_text(name)} \\- {_text(command.get_short_help_str(limit=1000).rstrip('.'))}")
    yield from (".SH SYNOPSIS", f".B {_text(context.command_path)}", _text(" ".join(usage)))
    yield from (".SH DESCRIPTION", *_paragraphs(command.help or ""))
    if commands := list(_commands(context)):
        yield ".SH COMMANDS"
        for each, below in commands:
            page = f"{_text(name)}\\-{_text(each)}"
            yield from (".TP", f".BR {page} (1)", _text(below.get_short_help_str(limit=1000)))
    yield ".SH OPTIONS"
    for parameter in command.get_params(context):
        if (record := parameter.get_help_record(context)) is not None and record[1]:
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))
    if command.epilog:
        yield from (".SH EXAMPLES", *_paragraphs(command.epilog))
    if context.parent is None:
        yield from (".SH EXIT STATUS", *_statuses())
    else:
        pages = dict.fromkeys((_page(context.parent), _NAME))
        yield from (".SH SEE ALSO", ", ".join(f"\\fB{_text(each)}\\fR(1)" for each in pages))


def _paragraphs(text: str) -> Iterator[str]:
    """A help text; paragraphs that click leaves as they stand are left here, too."""
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\f")[0].split("\n\n")):
        as_it_stands, _, rest = paragraph.strip("\n").partition("\b\n")
        if number:
            yield ".PP"
        if as_it_stands:
            yield _text(" ".join(paragraph.split()))
        else:
            lines = [line for line in rest.splitlines() if line != _EXAMPLES]
            yield from (".nf", *(_text(line.strip()) for line in lines), ".fi")


def _statuses() -> Iterator[str]:
    """The exit codes, each as its class explains it."""
    yield from (".TP", ".B 0", "Done, or stopped as asked.")
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.SfmError)]
    for kind in sorted(kinds, key=lambda each: each.exit_code):
        said = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0] if kind is not errors.SfmError else _OTHER
        yield from (".TP", f".B {kind.exit_code}", _text(" ".join(said.split())))


_OTHER = "A fault in the program itself, or none of the following."


def _text(text: str) -> str:
    """Text in which nothing means anything to roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`")
    return re.sub(r"^(?=[.'])", r"\\&", escaped, flags=re.MULTILINE)


if __name__ == "__main__":
    write(Path(sys.argv[1]))

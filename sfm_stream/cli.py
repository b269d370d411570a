"""The command line. Thin: a command imports what it needs, so that `--help` stays quick and a capture small."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

from sfm_stream import __version__
from sfm_stream.errors import SfmError
from sfm_stream.table import printable
from sfm_stream.usage import examples

_COMMANDS = {
    "gaps": "sfm_stream.commands.gaps:gaps",
    "status": "sfm_stream.commands.status:status",
    "alert": "sfm_stream.commands.alert:alert",
    "audit": "sfm_stream.commands.audit:audit",
    "check": "sfm_stream.commands.check:check",
    "dataset": "sfm_stream.commands.dataset:dataset",
    "estimate": "sfm_stream.commands.estimate:estimate",
    "export": "sfm_stream.commands.export:export",
    "exports": "sfm_stream.commands.exports:exports",
    "filterstream": "sfm_stream.commands.capture:filterstream",
    "history": "sfm_stream.commands.history:history",
    "metrics": "sfm_stream.commands.metrics:metrics",
    "organizedata": "sfm_stream.commands.organizedata:organizedata",
    "read": "sfm_stream.commands.read:read",
    "report": "sfm_stream.commands.report:report",
    "rules": "sfm_stream.commands.rules:rules",
    "simulate": "sfm_stream.simulator.command:simulate",
    "sources": "sfm_stream.commands.sources:sources",
    "streamsample": "sfm_stream.commands.capture:streamsample",
    "validate": "sfm_stream.commands.validate:validate",
}
"""All commands: name -> module:attribute."""


class _LazyGroup(click.Group):
    """A group that imports a command from `_COMMANDS` only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


def main() -> NoReturn:
    """Runs the command line; every error is one line on stderr and its own exit code (see `sfm_stream.errors`)."""
    try:
        sys.exit(cli.main(prog_name="sfm-stream", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except SfmError as error:
        for line in filter(None, str(error).splitlines()):
            click.echo(f"sfm-stream: {printable(line)}", err=True)
        sys.exit(error.exit_code)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "sfm-stream status", "sfm-stream read storms --from 2026-11-01 | jq .data.text", "man sfm-stream-read"
    ),
)
@click.version_option(__version__)
def cli() -> None:
    """Keeps social-media streams flowing into an archive."""

"""``sfm-stream simulate [SOURCE]``: a source, simulated on loopback."""

from __future__ import annotations

import click

from sfm_stream.sources import registry
from sfm_stream.usage import examples


class _Sources(click.Group):
    """One command for each source that can be simulated, imported when it is asked for.

    Without a source's name the options are those of the default one: program files of deployed hosts say
    ``simulate --port 8970``.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(registry.names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        return registry.simulator(cmd_name) if cmd_name in registry.names() else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args and (not args[0].startswith("-") or args[0] in self.get_help_option_names(ctx))
        return super().parse_args(ctx, args if named else [registry.DEFAULT, *args])


@click.command(
    cls=_Sources,
    subcommand_metavar="[SOURCE] [OPTIONS]",
    epilog=examples("sfm-stream simulate --port 8970", f"sfm-stream simulate {registry.names()[-1]} --rate 200"),
)
def simulate() -> None:
    """Be a source, on loopback: its streams, limits and failures. The first line printed is its URL."""

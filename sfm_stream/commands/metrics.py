"""The command `metrics`: how things stand, for Prometheus."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import click

from sfm_stream.places import config_dir_option, state_dir_option
from sfm_stream.usage import examples

FILE = "sfm.prom"


@click.command(
    epilog=examples(
        "sudo sfm-stream metrics",
        "sudo sfm-stream metrics --textfile /var/lib/prometheus/node-exporter",
    )
)
@click.option(
    "--textfile",
    type=click.Path(path_type=Path),
    help=f"Write {FILE} in this directory, from which node_exporter takes it, in place of printing.",
)
@config_dir_option
@state_dir_option
def metrics(textfile: Path | None, config_dir: Path, state_dir: Path | None) -> None:
    """Print how the streams of this host stand, in Prometheus' text format.

    docs/monitoring.md lists the metrics.
    """
    from sfm_stream.errors import StorageError, UsageError
    from sfm_stream.report.apart import apart
    from sfm_stream.report.judge import judge
    from sfm_stream.report.look import look

    try:
        from sfm_stream.report import metrics as rendering
    except ImportError as error:
        raise UsageError(
            f"this needs the package prometheus-client ({error}): pip install 'sfm-stream[metrics]'"
        ) from error
    # Apart: who has become the owner of the records may not write where root does.
    found = apart(lambda: rendering.text(judge(*look(config_dir, state_dir))))
    if textfile is None:
        click.echo(found.decode(), nl=False)
        return
    try:
        _write(textfile / FILE, found)
    except OSError as error:
        raise StorageError(f"{error.filename or textfile}: the metrics cannot be written: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    """Replaces the file in one step; everybody may read it, as the exporter's own user must.

    The parents of Debian's directory belong to the exporter's user. So root goes there by descriptors, through no link,
    and writes only into what is root's own.
    """
    from sfm_stream.durable import write_all

    folder = _open_folder(path.parent)
    new = f".{path.name}.new"
    try:
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
        try:
            write_all(descriptor, content)
            os.fchmod(descriptor, 0o644)
        finally:
            os.close(descriptor)
        os.replace(new, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _open_folder(path: Path) -> int:
    """A descriptor of a directory in which nobody but this user may put a name."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open("/", flags)
    for part in Path(os.path.abspath(path)).parts[1:]:  # noqa: PTH100 - links stay, to be refused
        inner = os.open(part, flags, dir_fd=folder)
        os.close(folder)
        folder = inner
    status = os.fstat(folder)
    if os.geteuid() == 0 and (status.st_uid or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        os.close(folder)
        raise PermissionError(errno.EPERM, "it must be root's, and writable for root alone", str(path))
    return folder

"""Work that root starts and that must go on as another user, while root itself has something left to do."""

from __future__ import annotations

import os
from collections.abc import Callable

from sfm_stream.errors import SfmError

LIMIT = 16 << 20
"""Bytes that are taken of an answer."""


def apart(work: Callable[[], bytes]) -> bytes:
    """Does `work` in a child process, which may become somebody else for good; returns what it returns.

    The child's answer is bytes and nothing else: who it became may be less trusted.

    Raises:
        SfmError: As `work` raised it, by its class and its words; or the child died.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        answer, code = _tried(work)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(answer)
        os._exit(code)  # the child must never go on as its parent
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read(LIMIT)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        error = SfmError(answer.decode(errors="replace") or f"the process that looked ended with {code}")
        error.exit_code = code
        raise error
    return answer


def _tried(work: Callable[[], bytes]) -> tuple[bytes, int]:
    try:
        return work(), 0
    except SfmError as error:
        return str(error).encode(), error.exit_code
    except BaseException as error:  # noqa: BLE001 - told by the parent
        return f"a fault of the program: {error!r}".encode(), SfmError.exit_code

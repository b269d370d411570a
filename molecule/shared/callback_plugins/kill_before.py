"""Kills the play with SIGKILL when a task begins whose name has the text of SFM_KILL_BEFORE, as a power cut would."""

from __future__ import annotations

import os
import signal

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: kill_before
type: aggregate
short_description: Kill the play before a task
description: For the tests of interrupted plays alone.
"""


class CallbackModule(CallbackBase):
    """Counts nothing, prints nothing, kills."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_before"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task, is_conditional):  # noqa: ANN001, ANN201, ARG002, D102 - Ansible's
        if os.environ["SFM_KILL_BEFORE"] in task.get_name():
            os.kill(os.getpid(), signal.SIGKILL)

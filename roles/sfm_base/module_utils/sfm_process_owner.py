"""The user that the programs run as, and what the host lets that user do."""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat

from ansible.module_utils.sfm_paths import Step


class Owner:
    """The process owner, who may not exist yet."""

    def __init__(self, name: str, group_name: str) -> None:
        self.name = name
        self.groups: list[int] = []
        try:
            entry = pwd.getpwnam(name)
            self.uid, self.gid = entry.pw_uid, entry.pw_gid
            self.groups += os.getgrouplist(name, entry.pw_gid)
        except KeyError:
            self.uid = self.gid = -1
        try:
            self.groups.append(grp.getgrnam(group_name).gr_gid)
        except KeyError:
            return

    def stopped_at(self, steps: list[Step]) -> Step | None:
        """The first directory that the owner cannot pass: tried, or read from modes before there is an owner."""
        if self.uid == -1:
            return next((step for step in steps if not self._passes(step.status)), None)
        passable = self.tries(os.X_OK, [step.path for step in steps])
        return next((step for step, passes in zip(steps, passable, strict=True) if not passes), None)

    def _passes(self, status: os.stat_result) -> bool:
        bit = stat.S_IXGRP if status.st_gid in self.groups else stat.S_IXOTH
        return bool(status.st_mode & bit)

    def tries(self, access: int, paths: list[str]) -> list[bool]:
        """What the kernel allows the owner, asked by a process that is the owner's: ACLs and mounts count too."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups(self.groups)
                os.setgid(self.gid)
                os.setuid(self.uid)
                os.write(writer, json.dumps([os.access(path, access) for path in paths]).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            text = answer.read()
        os.waitpid(child, 0)
        allowed: list[bool] = json.loads(text or b"null") or [False] * len(paths)
        return allowed

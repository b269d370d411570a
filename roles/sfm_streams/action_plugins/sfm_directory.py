"""Renders the contents of a directory's files on the controller, and hands them to the module in one transfer."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

_ITEMS = "_sfm_directory_items"
_END = f"\x1e{uuid.uuid4().hex}\x1e"
"""Ends each file in what is rendered; no content can hold it."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """See the documentation of the module; `template` and `items` become its `files`."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        template, items = arguments.pop("template", None), arguments.pop("items", None)
        if (template is None) != (items is None) or (template is not None and "files" in arguments):
            raise AnsibleActionFail("either template and items, or files, must be given")
        if template is not None:
            arguments["files"] = self._rendered(template, items, variables)
        result.update(self._execute_module(module_name="sfm_directory", module_args=arguments, task_vars=variables))
        return result

    def _rendered(self, template: str, items: list[dict[str, Any]], variables: dict[str, Any]) -> list[dict[str, Any]]:
        path = Path(self._find_needle("templates", template))
        text = path.read_text(encoding="utf-8")
        source = trust_as_template(f"{{% for item in {_ITEMS} %}}{text}{_END}{{% endfor %}}")
        # What ansible.builtin.template does by default: a line with only a block leaves no blank line behind.
        overrides = {"trim_blocks": True, "keep_trailing_newline": True}
        templar = self._templar.copy_with_new_env(
            searchpath=[str(path.parent)], available_variables={**variables, _ITEMS: items}
        )
        # All at once: each call of the engine takes milliseconds, and reads the variables anew.
        rendered = str(templar.template(source, escape_backslashes=False, overrides=overrides)).split(_END)
        return [
            {"name": item["name"], "content": content, "mode": item.get("mode")}
            for item, content in zip(items, rendered[:-1], strict=True)
        ]

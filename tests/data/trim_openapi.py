"""Trims X's OpenAPI description to the schemas that the tests validate answers with.

Run: ``python tests/data/trim_openapi.py openapi.json > tests/data/x-openapi.json`` with X's description
(https://api.x.com/2/openapi.json; the copy kept here is of version 2.167). What it changes:

- Descriptions and examples go; ``nullable`` becomes JSON Schema's ``null``.
- Some names are those of the wire: X's description says ``referenced_posts`` where its parameters, and what it sends,
  say ``referenced_tweets``.
- Posts, users and what else is listed in STRICT may have no property that the description does not know.
- A problem of a type that the description does not list (``duplicate-rules`` ...) needs a type and a title.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOTS = (
    *("StreamPostsResponse", "StreamPostsSampleResponse", "GetRulesResponse", "UpdateRulesRequest"),
    *("UpdateRulesResponse", "GetRuleCountsResponse", "GetConnectionHistoryResponse", "GetUsageResponse"),
    *("DeleteConnectionsByUuidsResponse", "DeleteConnectionsByEndpointResponse", "DeleteAllConnectionsResponse"),
    *("GetUsersByUsernamesResponse", "Problem", "Error"),
)
WIRE_NAMES = {
    "Post": {
        "referenced_tweets": "referenced_posts",
        "note_tweet": "note_post",
        "edit_history_tweet_ids": "edit_history_post_ids",
    },
    "User": {"most_recent_tweet_id": "most_recent_post_id", "pinned_tweet_id": "pinned_post_id"},
    "Expansions": {"tweets": "posts"},
}
STRICT = ("Post", "User", "Place", "Poll", "Media", "Expansions", "Connection", "Usage", "StreamPostsResponse")
REF = "#/components/schemas/"


def main() -> None:
    """Reads the description named on the command line; writes the trimmed one to standard output."""
    schemas = json.loads(Path(sys.argv[1]).read_bytes())["components"]["schemas"]
    trimmed: dict[str, Any] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in trimmed:
            trimmed[name] = clean(schemas[name], waiting)
    for name, aliases in WIRE_NAMES.items():
        properties = trimmed[name]["properties"]
        properties.update({wire: properties.pop(described) for wire, described in aliases.items()})
    for name in STRICT:
        trimmed[name]["additionalProperties"] = False
    known = [trimmed[each["$ref"].removeprefix("#/$defs/")] for each in trimmed["Problem"]["oneOf"]]
    types = [kind for each in known for kind in each["properties"]["type"]["enum"]]
    other = {"required": ["type", "title"], "properties": {"type": {"type": "string", "not": {"enum": types}}}}
    trimmed["Problem"]["oneOf"].append({"type": "object", **other})
    json.dump({"$defs": dict(sorted(trimmed.items()))}, sys.stdout, indent=1, sort_keys=True)
    print()  # noqa: T201


def clean(node: Any, waiting: list[str], *, names: bool = False) -> Any:
    """A schema without what validation does not need; the schemas it refers to go to `waiting`."""
    if isinstance(node, list):
        return [clean(each, waiting) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and not names:
        name = node["$ref"].removeprefix(REF)
        waiting.append(name)
        return {"$ref": f"#/$defs/{name}"}
    dropped = () if names else ("description", "example", "discriminator", "nullable", "format", "default")
    kept = {key: clean(value, waiting, names=key == "properties") for key, value in node.items() if key not in dropped}
    if node.get("nullable") is True and not names:
        kept = {"anyOf": [kept, {"type": "null"}]}
    return kept


if __name__ == "__main__":
    main()

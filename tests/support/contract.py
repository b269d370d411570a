"""X's OpenAPI description as the judge of answers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = json.loads((Path(__file__).parents[1] / "data" / "x-openapi.json").read_bytes())


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**SCHEMAS, "$ref": f"#/$defs/{name}"})


def check(name: str, body: Any) -> None:
    """Fails unless the body is as the schema of that name says."""
    errors = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in _validator(name).iter_errors(body)
    ]
    assert not errors, f"not a {name}: {errors[:5]} in {json.dumps(body)[:2000]}"

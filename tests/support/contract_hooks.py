"""What `support.contract_tests` changes of the requests that Schemathesis makes up; loaded by its own process."""

from __future__ import annotations

import json
import zlib
from typing import Any

import schemathesis
from schemathesis.core import NOT_SET


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Give every other request that should be right the body of the document's example: made-up flows are seldom such that
    there is something to go on with. Which ones depends on what was made up, so that a run can be repeated.
    """
    if case.body is NOT_SET or case.meta is None or case.meta.generation.mode is not schemathesis.GenerationMode.POSITIVE:
        return
    content = case.operation.definition.raw["requestBody"]["content"]["application/json"]
    if zlib.crc32(json.dumps(case.body, default=str, sort_keys=True).encode()) % 2:
        case.body = content["example"]

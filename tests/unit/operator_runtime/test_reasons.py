"""Every reason that the operator can give has a line in the documentation that says what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import whisper_operator

SOURCE = Path(whisper_operator.__file__).parent
DOCS = Path(__file__).parents[3] / "docs"
# Who makes reasons, and at which place among the arguments they stand.
MAKERS = {"Verdict": 0, "Known": 1, "News": 1, "ended": 1}
RETURNED_BY = {"_reason", "_said"}
REASON = re.compile(r"^[A-Z][a-z]+([A-Z][a-z]+)*$")
# Of a condition that is as it should be.
CONTENT = {"AsDesired", "Ready"}


def constants(node: ast.expr | None) -> Iterator[str]:
    """The strings that an expression can be, as far as they stand in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.match(node.value):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)
    elif isinstance(node, ast.Tuple) and node.elts:
        yield from constants(node.elts[0])


def reasons(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            place = MAKERS.get(getattr(node.func, "id", ""))
            if place is not None and len(node.args) > place:
                yield from constants(node.args[place])
            for keyword in node.keywords:
                if keyword.arg == "reason":
                    yield from constants(keyword.value)
        elif isinstance(node, ast.FunctionDef) and node.name in RETURNED_BY:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    yield from constants(inner.value)
        elif isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "reason" for t in node.targets):
            yield from constants(node.value)


def test_every_reason_has_an_entry() -> None:
    found = {reason for path in SOURCE.rglob("*.py") for reason in reasons(ast.parse(path.read_text()))} - CONTENT
    assert {"OutOfMemory", "VolumeFull", "WebhookFailed", "MigrationFailed", "Queued"} <= found, "the search is blind"
    pages = "".join((DOCS / page).read_text() for page in ("troubleshooting.md", "tls.md"))
    rows = [line.split("|")[1] for line in pages.splitlines() if line.startswith("| ")]
    explained = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert found - explained == set()

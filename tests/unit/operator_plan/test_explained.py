"""`kubectl explain` answers what a field is, in which unit, and what leaving it out means: of every field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from whisper_operator.crdgen.crds import every

Schema = dict[str, Any]
# The end of a field's name → the word that its description must have.
UNITS = {
    "Seconds": "second",
    "Ms": "millisecond",
    "Bytes": "byte",
    "Percent": "percent",
    "progress": "percent",
}
# These are no choice of one value: left out they are empty, which their description need not say.
COLLECTIONS = ("array", "object")


def fields() -> Iterator[tuple[str, Schema, bool]]:
    """Every field of both kinds: its path, its schema, and whether it must be given."""

    def walk(node: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
        for name, child in node.get("properties", {}).items():
            yield f"{path}.{name}", child, name in node.get("required", ())
            yield from walk(child.get("items", child), f"{path}.{name}")

    for crd in every():
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            yield from walk(schema["properties"][part], f"{crd['spec']['names']['singular']}.{part}")


FIELDS = {path: (schema, required) for path, schema, required in fields()}


def said(schema: Schema) -> str:
    return str(schema.get("description", ""))


def test_every_field_has_a_sentence() -> None:
    assert len(FIELDS) > 200
    assert [path for path, (schema, _) in FIELDS.items() if not re.match(r".{8,}[.)]$", said(schema), re.S)] == []


def test_what_is_counted_in_something_says_in_what() -> None:
    silent = [
        path
        for path, (schema, _) in FIELDS.items()
        for end, word in UNITS.items()
        if path.endswith(end) and word not in said(schema).lower()
    ]
    assert silent == []


def test_sizes_show_how_they_are_written() -> None:
    sizes = {path: schema for path, (schema, _) in FIELDS.items() if schema.get("x-kubernetes-int-or-string")}
    assert len(sizes) >= 5
    assert [path for path, schema in sizes.items() if not re.search(r"\d[KMG]i\b", said(schema))] == []


def test_what_may_be_left_out_says_what_that_means() -> None:
    """Of the spec; by its description, which the generator ends with the default that the API server fills in."""
    silent = [
        path
        for path, (schema, required) in FIELDS.items()
        if ".spec." in path and not required and schema.get("type") not in COLLECTIONS
        if not re.search(r"default|absent", said(schema), re.I)
    ]
    assert silent == []


@pytest.mark.parametrize("crd", every(), ids=lambda crd: crd["spec"]["names"]["kind"])
def test_columns_have_descriptions_and_names_are_short(crd: Schema) -> None:
    columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
    assert all(said(column) for column in columns)
    assert crd["spec"]["names"]["shortNames"] and crd["spec"]["names"]["categories"] == ["whisper"]

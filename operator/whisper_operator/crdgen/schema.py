"""From a pydantic model to a structural OpenAPI 3.0 schema that the API server takes."""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = (
    *("description", "type", "format", "enum", "default", "pattern", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("required", "anyOf", "properties", "items", "additionalProperties"),
)


def structural(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """The schema of `model` with references inlined. `defaults`: whether the API server should fill values in."""
    raw = model.model_json_schema(by_alias=True)
    return _walk(raw, raw.get("$defs", {}), defaults)


def _walk(node: Schema, defs: dict[str, Schema], defaults: bool) -> Schema:
    node = _unwrapped(node, defs)
    if "const" in node:
        node["enum"] = [node["const"]]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in node:  # OpenAPI 3.0 has a flag beside the limit
            node[limit], node[bound] = node[bound], True
    out = {key: node[key] for key in (*_KEPT, *sorted(k for k in node if k.startswith("x-kubernetes-"))) if key in node}
    _set_default(out, node, defaults)
    if "properties" in node:
        out["properties"] = {name: _walk(child, defs, defaults) for name, child in node["properties"].items()}
    if "items" in node:
        out["items"] = _walk(node["items"], defs, defaults)
    extra = out.pop("additionalProperties", None)
    if isinstance(extra, dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = _walk(extra, defs, defaults)
    return out


def _unwrapped(node: Schema, defs: dict[str, Schema]) -> Schema:
    """`node` without $ref and without Optional's anyOf; what a field says goes before what its type says."""
    node = dict(node)
    options = node.get("anyOf")
    if options and {"type": "null"} in options:
        (inner,) = (option for option in options if option != {"type": "null"})
        del node["anyOf"]
        node = _merged(_unwrapped(inner, defs), node)
    if "$ref" in node:
        target = defs[node.pop("$ref").removeprefix("#/$defs/")]
        node = _merged(_unwrapped(target, defs), node)
    return node


def _merged(base: Schema, over: Schema) -> Schema:
    rules = [*base.get("x-kubernetes-validations", ()), *over.get("x-kubernetes-validations", ())]
    return {**base, **over, **({"x-kubernetes-validations": rules} if rules else {})}


def _set_default(out: Schema, node: Schema, defaults: bool) -> None:
    """Scalars and filled lists are defaulted by the API server; whole objects only where `x-default` says so."""
    value = out.pop("default", None)
    if not defaults:
        return
    if "x-default" in node:
        out["default"] = node["x-default"]
    elif value is not None and value not in ("", [], {}) and not isinstance(value, dict):
        out["default"] = value
        if "default" not in out.get("description", "").lower():
            shown = str(value).lower() if isinstance(value, bool) else value
            out["description"] = f"{out['description']} Default: {shown}."

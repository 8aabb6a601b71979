"""A strategic merge patch of a pod template, as `kubectl patch` merges it: lists by what names their items."""

from collections.abc import Mapping
from typing import Any

# The field that names the items of a list, by the list's own name. Every other list is replaced as a whole.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "resourceClaims": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
_DIRECTIVE = "$patch"


def patched(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the patch merged into it. null removes a field; an item with `$patch: delete` goes; `$patch: replace`
    in a map puts the rest of the patch in its place."""
    if patch.get(_DIRECTIVE) == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    merged = dict(base)
    for key, value in patch.items():
        if key == _DIRECTIVE:
            continue
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            before = merged.get(key)
            merged[key] = patched(before if isinstance(before, Mapping) else {}, value)
        elif isinstance(value, list) and key in _KEYS:
            merged[key] = _items(merged.get(key) or [], value, _KEYS[key])
        else:
            merged[key] = value
    return merged


def _items(base: list[Any], patch: list[Any], name: str) -> list[Any]:
    """The items by name: those of the base in their order, then what is new."""
    found = {item.get(name): item for item in base if isinstance(item, Mapping)}
    for item in patch:
        if not isinstance(item, Mapping) or item.get(_DIRECTIVE) == "replace":
            continue
        if item.get(_DIRECTIVE) == "delete":
            found.pop(item.get(name), None)
        else:
            found[item.get(name)] = patched(found.get(item.get(name), {}), item)
    return list(found.values())

"""Reads a Dockerfile as far as it says what an image depends on. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    """One instruction, its lines joined: `COPY`, `--from=build /out /out`."""

    verb: str
    rest: str


@dataclass(frozen=True)
class Stage:
    """`FROM base AS name` and what follows it; without AS the name is the stage's number."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]


def parse(text: str) -> list[Instruction]:
    """The instructions, without comments and with continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    words = [line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [Instruction(verb.upper(), " ".join(rest[0].split()) if rest else "") for verb, *rest in words]


def stages(text: str, args: Mapping[str, str]) -> list[Stage]:
    """The stages in order; `args` go before the defaults of the ARGs that stand before the first FROM."""
    values: dict[str, str] = {}
    found: list[tuple[str, str, list[Instruction]]] = []
    for instruction in parse(text):
        if instruction.verb == "FROM":
            words = _substitute(instruction.rest, values).split()
            name = words[2] if len(words) == 3 else str(len(found))
            found.append((name, words[0], []))
        elif found:
            found[-1][2].append(instruction)
        elif instruction.verb == "ARG":
            name, _, default = instruction.rest.partition("=")
            values[name] = args.get(name, default.strip('"'))
    return [Stage(name, base, tuple(instructions)) for name, base, instructions in found]


def _substitute(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)


def needed(all_stages: Sequence[Stage], target: str | None) -> list[Stage]:
    """The stages that `target` (the last one if None) is made of, itself included, in the file's order.

    Raises: KeyError for a target that the file does not have.
    """
    by_name = {stage.name: stage for stage in all_stages}
    if target and target not in by_name:
        raise KeyError(f"no stage {target!r}")
    seen: set[str] = set()
    waiting = [target or all_stages[-1].name]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in seen:
            seen.add(name)
            waiting += [by_name[name].base, *re.findall(r"--from=(\S+)", _copies(by_name[name]))]
    return [stage for stage in all_stages if stage.name in seen]


def _copies(stage: Stage) -> str:
    return "\n".join(step.rest for step in stage.instructions if step.verb == "COPY")


def sources(some_stages: Sequence[Stage]) -> list[str]:
    """The paths of the context that the stages copy, sorted."""
    copied: set[str] = set()
    for stage in some_stages:
        for line in _copies(stage).splitlines():
            words = line.split()
            if not any(word.startswith("--from=") for word in words):
                copied.update([word for word in words if not word.startswith("--")][:-1])
    return sorted(copied)

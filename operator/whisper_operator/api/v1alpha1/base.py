"""What every resource shares: strict frozen models, CEL rules, metadata, and errors that name the field."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from whisper_operator.errors import InvalidSpec

QUANTITY = r"^([0-9]+(\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
MAX_QUANTITY = 24


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Schema extra: CEL rules as (expression, sentence that names the field and says what to change)."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def keyed(key: str) -> dict[str, Any]:
    """Schema extra: a list whose items are unique by this field, and merged by it under server-side apply."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


UNIQUE: dict[str, Any] = {"x-kubernetes-list-type": "set"}
FREE: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) and not isinstance(value, bool) else value),
    StringConstraints(pattern=QUANTITY, max_length=MAX_QUANTITY),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY,
            "maxLength": MAX_QUANTITY,
        }
    ),
]
ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253)]
Image = Annotated[str, StringConstraints(pattern=r"^[^\s]+$", min_length=1, max_length=512)]


class Model(BaseModel):
    """A frozen value: camelCase outside, snake_case inside. Unknown fields are errors: the operator may be too old."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=False
    )


class Lenient(BaseModel):
    """What the API server wrote: fields that we do not know are none of our business."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Metadata(Lenient):
    """The parts of metadata that decisions are made from."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class LocalRef(Model):
    """An object in the same namespace, by name."""

    name: ObjectName = Field(description="Name of the object, in the namespace of this resource.")


class Resource(Lenient):
    """A custom resource as it came from the API server."""

    KIND: ClassVar[str]
    metadata: Metadata

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """metadata.namespace."""
        return self.metadata.namespace

    @property
    def key(self) -> str:
        """`namespace/name`, for logs."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """The resource in `body`.

        Raises: InvalidSpec, whose message names each wrong field and says what to change.
        """
        try:
            return cls.model_validate({"spec": {}, **body})
        except ValidationError as error:
            raise InvalidSpec("; ".join(explain(error))) from None


def explain(error: ValidationError) -> list[str]:
    """One sentence for each wrong field; a list that is too short only because its items are wrong says nothing new."""
    problems = error.errors()
    deep = [p["loc"] for p in problems]
    return [
        sentence(p)
        for p in problems
        if not any(len(d) > len(p["loc"]) and d[: len(p["loc"])] == p["loc"] for d in deep)
    ]


def path(location: Sequence[int | str]) -> str:
    """`("spec", "models", 0, "name")` as people write it: `spec.models[0].name`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def sentence(problem: Mapping[str, Any]) -> str:
    """One pydantic error as a sentence with the field in camelCase."""
    where, kind, given = path(problem["loc"]), problem["type"], problem.get("input")
    match kind:
        case "extra_forbidden":
            return f"{where} is not known to this operator: remove it, or upgrade the operator"
        case "missing":
            return f"{where} is missing: set it"
        case "value_error":
            return f"{where}: {str(problem['msg']).removeprefix('Value error, ')}"
    shown = f" (it is {given!r})" if isinstance(given, str | int | float) else ""
    return f"{where}: {str(problem['msg']).removeprefix('Input ')}{shown}"

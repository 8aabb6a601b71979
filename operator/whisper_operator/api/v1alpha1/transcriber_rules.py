"""CEL rules of a WhisperTranscriber that look at more than one field."""

from whisper_operator.api.v1alpha1.base import rules

_STORES = {"postgres": "8Gi", "redis": "1Gi", "objects": "20Gi"}
# Written with has() where optional selection (.?) would be shorter: the API server cannot bound the cost of comparing
# values that came out of an optional, and refuses the rule. Fields with a default are always there.


def _external(field: str) -> str:
    return " || ".join(f"(has({side}.{field}) && has({side}.{field}.external))" for side in ("self", "oldSelf"))


def _class_stays(field: str) -> tuple[str, str]:
    """A volume's class is set at birth; while the store stays managed it cannot change."""

    def given(side: str) -> str:
        managed = f"{side}.{field}.managed"
        return f"(has({side}.{field}) && has({managed}) && has({managed}.storageClassName))"

    same = f"self.{field}.managed.storageClassName == oldSelf.{field}.managed.storageClassName"
    return (
        f"{_external(field)} || ({given('self')} == {given('oldSelf')} && (!{given('self')} || {same}))",
        f"spec.{field}.managed.storageClassName cannot be changed: move the data to a new WhisperTranscriber instead",
    )


def _never_shrinks(field: str, default: str) -> tuple[str, str]:
    def size(side: str) -> str:
        managed = f"has({side}.{field}) && has({side}.{field}.managed)"
        return f"({managed} ? quantity(string({side}.{field}.managed.storage)) : quantity('{default}'))"

    return (
        f"{_external(field)} || {size('self')}.compareTo({size('oldSelf')}) >= 0",
        f"spec.{field}.managed.storage cannot shrink: volumes only grow",
    )


def _secret(item: str) -> str:
    return f"has({item}.source) && has({item}.source.s3) && has({item}.source.s3.secretRef)"


SPEC_RULES = rules(
    (
        "!has(self.defaultModel) || !has(self.models) || self.models.exists(m, m.name == self.defaultModel || "
        "(has(m.aliases) && self.defaultModel in m.aliases))",
        "spec.defaultModel must be the name or an alias of one of spec.models",
    ),
    (
        "!has(self.models) || self.models.all(m, self.models.filter(n, n.name == m.name || "
        "(has(n.aliases) && m.name in n.aliases)).size() == 1)",
        "spec.models[].aliases must not repeat the name of a model",
    ),
    (
        "!has(self.models) || self.models.all(m, !has(m.aliases) || m.aliases.all(a, self.models.filter(n, "
        "has(n.aliases) && a in n.aliases).size() == 1))",
        "spec.models[].aliases must not give the same alias to two models",
    ),
    (
        "!has(self.models) || self.models.all(m, m.engine == self.models[0].engine)",
        "spec.models[].engine must be the same for all models: make a second WhisperTranscriber for the other engine",
    ),
    (
        "!has(self.models) || self.models.all(m, m.?computeType.orValue('auto') != 'float16') || "
        "self.?workers.?gpu.hasValue() || self.?workers.?resourceProfile.orValue('cpu') != 'cpu'",
        "spec.models[].computeType float16 needs GPUs: set spec.workers.gpu, or choose int8 or auto",
    ),
    (
        f"!has(self.models) || self.models.all(m, !({_secret('m')}) || self.models.all(n, !({_secret('n')}) || "
        "n.source.s3.secretRef.name == m.source.s3.secretRef.name))",
        "spec.models[].source.s3.secretRef must be the same Secret for all models",
    ),
    *(
        (
            f"!has(self.networkPolicy) || !has(self.networkPolicy.egress.{field}) || "
            f"(has(self.{field}) && has(self.{field}.external))",
            f"spec.networkPolicy.egress.{field} is for one of yours: remove it, or set spec.{field}.external",
        )
        for field in _STORES
    ),
    (
        "!has(self.networkPolicy) || !has(self.networkPolicy.egress.tracing) || has(self.tracing)",
        "spec.networkPolicy.egress.tracing is for a collector: remove it, or set spec.tracing",
    ),
    (
        "!has(self.models) || !has(self.networkPolicy) || !self.networkPolicy.enabled || "
        "self.networkPolicy.egress.public.enabled || has(self.networkPolicy.egress.workers) || "
        "!self.models.exists(m, has(m.source) && (has(m.source.huggingFace) || has(m.source.s3)))",
        "spec.models[].source huggingFace and s3 must be reached: set spec.networkPolicy.egress.public.enabled, "
        "or name the mirror in spec.networkPolicy.egress.workers",
    ),
    *(_class_stays(field) for field in _STORES),
    *(_never_shrinks(field, default) for field, default in _STORES.items()),
)

# On the resource itself: metadata.name is all that CEL may read there beside spec.
ROOT_RULES = rules(
    (
        "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must start with a letter, hold only a-z, 0-9 and -, and have at most 40 characters: "
        "it begins the names of Services and pods",
    )
)

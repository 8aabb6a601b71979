"""Which models the service has, and which one a request means."""

from collections import Counter
from collections.abc import Sequence

from pydantic import ValidationError

from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.settings import InvalidSettings, Settings, explain

WHISPER = "whisper-1"
"""What every OpenAI client sends where the user chose nothing."""


class Catalogue:
    """The models in order, one of them the default. `whisper-1` means the default unless a model claims the name."""

    def __init__(self, specs: Sequence[ModelSpec], default: str = "") -> None:
        """Raises InvalidSettings for no model, a name used twice, or an unknown default."""
        names = Counter(name for spec in specs for name in (spec.name, *spec.aliases))
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise InvalidSettings([f"WHISPER_MODELS: the name {name!r} is used twice." for name in twice])
        found = next((spec for spec in specs if not default or spec.answers_to(default)), None)
        if found is None:
            raise InvalidSettings([f"WHISPER_DEFAULT_MODEL: {default!r} is not one of {', '.join(sorted(names))}."])
        self.specs = tuple(specs)
        self.default = found

    def find(self, name: str | None) -> ModelSpec | None:
        """The model that a request means by `name`; None asks for the default."""
        if not name:
            return self.default
        named = next((spec for spec in self.specs if spec.answers_to(name)), None)
        return named or (self.default if name == WHISPER else None)


def catalogue(settings: Settings) -> Catalogue:
    """The models in the settings. Raises InvalidSettings."""
    specs, problems = [], []
    for index, model in enumerate(settings.models):
        try:
            specs.append(ModelSpec.model_validate(model))
        except ValidationError as error:
            problems += explain(error, f"models[{index}]")
    if problems:
        raise InvalidSettings(problems)
    return Catalogue(specs, settings.default_model)

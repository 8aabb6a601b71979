"""Whom a TranscriptionJob tells of its end."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from whisper_operator.api.v1alpha1.base import UNIQUE, Model, ObjectName, SecretKey, rules

WEBHOOK_URL = r"^https?://[^\s/?#@]+([/?]\S*)?$"
Event = Literal["transcription.job.completed", "transcription.job.failed", "transcription.job.cancelled"]
EVENTS: tuple[Event, ...] = get_args(Event)
WebhookUrl = Annotated[str, StringConstraints(pattern=WEBHOOK_URL, max_length=2048)]


class SecretUrl(Model):
    """A key of a Secret that holds a URL."""

    name: ObjectName = Field(description="Name of the Secret, in the namespace of this resource.")
    key: SecretKey = Field("url", description="Key whose value is the URL.")


class JobWebhook(
    Model,
    json_schema_extra=rules(
        ("has(self.url) != has(self.urlSecretRef)", "spec.webhook takes exactly one of url and urlSecretRef")
    ),
):
    """Where to, and what."""

    url: WebhookUrl | None = Field(
        None,
        description="http:// or https:// URL that gets a POST. Private addresses are refused unless the transcriber's "
        "spec.fetch.allowPrivateNetworks is true. Default: the one of urlSecretRef.",
    )
    url_secret_ref: SecretUrl | None = Field(None, description="Secret with the URL, if the URL itself is a secret.")
    events: tuple[Event, ...] = Field(
        (), max_length=len(EVENTS), json_schema_extra=UNIQUE, description="Ends that are told. Default: all."
    )
    transcript: bool = Field(False, description="Send the text along; otherwise only where the result is.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.url is None) == (self.url_secret_ref is None):
            raise ValueError("takes exactly one of url and urlSecretRef")
        return self

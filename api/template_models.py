"""Wire models of what callers ask of templates: new ones, new versions, previews and test messages."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from api.accept_rules import stored_fallback
from api.models import Body, Flag, JsonObject, Text
from api.notification_models import Channels, FallbackRule, TemplateName, To
from api.recipient_models import Locale, Zone
from api.topic_models import TOPIC_NAME
from domain.locales import normalise
from domain.notifications import OnUnknown
from domain.recipients import Channel
from domain.templates import Part
from domain.variables import ABSENT, Variable, VariableType

MOST_PARTS = 100
MOST_VARIABLES = 200
Name = Annotated[str, Path(description="The template.", max_length=128, examples=["invoice.due"])]
Number = Annotated[int, Path(description="The version.", ge=1, le=2**31 - 1)]
VersionChoice = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] | Literal["latest", "published"]
NamedTopic = Annotated[str, StringConstraints(pattern=TOPIC_NAME, max_length=64)]
PartLocale = Annotated[str, StringConstraints(max_length=64), AfterValidator(normalise)]


class Defaults(Body):
    """What holds where a notification says nothing else."""

    fallback: dict[Channel, FallbackRule] = Field(default_factory=dict)
    on_unknown: OnUnknown = OnUnknown.PREFER_SILENCE
    critical: Flag = False
    require_known_recipient: Flag = Field(default=False, description="Refuse addresses that no recipient has.")

    def stored(self) -> dict[str, Any]:
        """Returns the defaults as they are stored."""
        return {**self.model_dump(mode="json", exclude={"fallback"}), "fallback": stored_fallback(self.fallback)}


class NewTemplate(Body):
    """A template to be; its content comes with its versions."""

    name: TemplateName = Field(examples=["invoice.due"])
    description: str = Field(default="", max_length=500)
    channels: Channels | None = Field(default=None, description="In the order to try; that of the parts by default.")
    defaults: Defaults = Field(default_factory=Defaults)
    topic: NamedTopic | None = Field(default=None, description="What it is about; its recipients may choose by that.")


class TemplateChanges(Body):
    """What to change; what is left out stays. `defaults` are replaced as a whole."""

    description: str | None = Field(default=None, max_length=500)
    channels: list[Channel] | None = Field(default=None, max_length=len(Channel))
    defaults: Defaults | None = None
    topic: NamedTopic | None = Field(default=None, description="Null lets it belong to no topic.")


class NewPart(Body):
    """What a version says over one channel in one locale."""

    channel: Channel
    locale: PartLocale = Field(examples=["hi-IN", "default"])
    content: JsonObject


class NewVariable(Body):
    """A variable of the template."""

    name: str = Field(min_length=1, max_length=128, examples=["order.total"])
    type: VariableType = VariableType.STRING
    required: Flag = True
    default: Any = None
    example: Any = None
    description: str = Field(default="", max_length=500)

    def variable(self) -> Variable:
        """Returns the variable as the domain knows it; null is a value where it was given."""
        given = {name: getattr(self, name) if name in self.model_fields_set else ABSENT for name in _OPTIONAL}
        return Variable(name=self.name, type=self.type, required=self.required, description=self.description, **given)


_OPTIONAL = ("default", "example")


class Content(Body):
    """Parts and the variables that they use."""

    parts: list[NewPart] = Field(min_length=1, max_length=MOST_PARTS)
    variables: list[NewVariable] = Field(default_factory=list, max_length=MOST_VARIABLES)

    def domain_parts(self) -> tuple[Part, ...]:
        """Returns the parts as the domain knows them."""
        return tuple(Part(channel=part.channel, locale=part.locale, content=part.content) for part in self.parts)

    def schema_of_variables(self) -> tuple[Variable, ...]:
        """Returns the variables as the domain knows them."""
        return tuple(variable.variable() for variable in self.variables)

    def stored_parts(self) -> list[dict[str, Any]]:
        """Returns the parts as they are stored."""
        return [part.model_dump() | {"channel": part.channel.value} for part in self.parts]

    def stored_variables(self) -> list[dict[str, Any]]:
        """Returns the variables as they are stored: without a default or example that was not given."""
        return [
            {
                name: value
                for name, value in (variable.model_dump() | {"type": variable.type.value}).items()
                if name not in _OPTIONAL or name in variable.model_fields_set
            }
            for variable in self.variables
        ]

    def content_hash(self) -> str:
        """Returns the fingerprint of the content: the order of parts and of keys does not matter."""
        parts = sorted(self.stored_parts(), key=lambda part: (part["channel"], part["locale"]))
        both = {"parts": parts, "variables": self.stored_variables()}
        canonical = json.dumps(both, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


class NewVersion(Content):
    """The next version of a template."""

    note: str = Field(default="", max_length=500, description="What changed, for people.")


class Preview(Body):
    """What to render: a stored version, or content that is not stored yet."""

    version: VersionChoice | None = Field(default=None, description="`latest` unless `content` is given.")
    content: Content | None = None
    channel: Channel
    locale: Locale | None = None
    zone: Zone = "UTC"
    data: JsonObject = Field(default_factory=dict)
    examples: Flag = Field(default=True, description="Fill in the variables' examples where data is missing.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.version is not None and self.content is not None:
            raise ValueError("give either version or content")
        return self


class TestSend(Body):
    """A real message from a version, published or not, to one address."""

    __test__ = False

    to: To
    version: VersionChoice = "latest"
    channel: Channel | None = None
    locale: Locale | None = None
    sender: Text | None = None
    data: JsonObject = Field(default_factory=dict)
    examples: Flag = Field(default=True, description="Fill in the variables' examples where data is missing.")

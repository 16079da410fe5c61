"""What is wrong with the content of a version, all of it at once."""

import channels
from api.template_models import Content
from channels import TemplateError
from domain.faults import Fault
from domain.templates import TemplateVersion, check_version
from domain.uses import check_uses


def check_content(name: str, content: Content) -> tuple[Fault, ...]:
    """Returns every fault of a version to be; pointers start at its body."""
    parts, schema = content.domain_parts(), content.schema_of_variables()
    version = TemplateVersion(name=name, number=0, parts=parts, variables=schema)
    faults = list(check_version(version))
    for index, part in enumerate(parts):
        place = f"/parts/{index}/content"
        found = channels.check(part.channel, part.content)
        if not found:
            try:
                uses = channels.variables(part.channel, part.content)
            except TemplateError as error:
                found = error.faults
            else:
                found = check_uses(schema, uses.required, uses.optional)
        faults += [fault.under(place) for fault in found]
    return tuple(faults)

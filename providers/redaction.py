"""Makes what a provider says fit for operators: its facts without addresses, links, tokens or secrets."""

import re
from collections.abc import Iterable

LONGEST = 400
_HIDDEN = "…"
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_EMAIL = re.compile(r"""[^\s<>()\[\]:;,"']+@[^\s<>()\[\]:;,"']+""")
_PHONE = re.compile(r"\+?\d(?:[\s().-]?\d){8,}")
# Access tokens and signatures are long runs without spaces; words, codes and template names are shorter.
_TOKEN = re.compile(r"(?=[\w=+/.-]*\d)(?=[\w=+/.-]*[A-Za-z])[\w=+/.-]{40,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def facts(text: str, *, secrets: Iterable[str] = ()) -> str:
    """Returns `text` on one line of bounded length, with whatever could identify a person or open a door hidden."""
    line = text.encode("utf-8", "replace").decode("utf-8")
    for secret in secrets:
        if secret:
            line = line.replace(secret, _HIDDEN)
    line = _CONTROL.sub(" ", line)
    for hidden in (_LINK, _EMAIL, _TOKEN, _PHONE):
        line = hidden.sub(_HIDDEN, line[: LONGEST * 4])
    line = " ".join(line.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + _HIDDEN

"""Words by which people end or resume messages, per language; the whole message must be the word.

The English words are those that carriers in North America demand (CTIA Messaging Principles and Best Practices). The
other lists hold what stands alone for this wish: a word that usually answers a question ("no", "si") is in none.
"""

import unicodedata
from collections.abc import Iterable
from enum import StrEnum


class Wish(StrEnum):
    """What a word asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


STOP: dict[str, tuple[str, ...]] = {
    "en": ("stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "optout", "opt out", "revoke"),
    "hi": ("रोकें", "रोको", "बंद", "बंद करें", "बंद करो", "band karo", "band kare"),
    "de": ("stopp", "abmelden", "abbestellen", "austragen"),
    "fr": ("arret", "arrêt", "arreter", "arrêter", "désabonner", "desabonner", "désinscrire"),
    "es": ("alto", "parar", "baja", "darme de baja", "cancelar suscripción"),
    "pt": ("pare", "parar", "sair", "descadastrar", "cancelar inscrição"),
    "it": ("ferma", "disiscrivi", "annulla iscrizione"),
    "nl": ("afmelden", "uitschrijven"),
    "id": ("berhenti",),
    "ar": ("إيقاف", "توقف", "الغاء الاشتراك", "إلغاء الاشتراك"),
    "bn": ("বন্ধ", "বন্ধ করুন"),
    "mr": ("थांबवा", "बंद करा"),
    "gu": ("બંધ", "બંધ કરો"),
    "ta": ("நிறுத்து", "நிறுத்தவும்"),
    "te": ("ఆపు", "ఆపండి"),
}
START: dict[str, tuple[str, ...]] = {
    "en": ("start", "unstop", "subscribe", "optin", "opt in"),
    "hi": ("शुरू", "शुरू करें", "शुरू करो", "चालू करें", "shuru karo"),
    "de": ("anmelden", "abonnieren"),
    "fr": ("abonner", "reprendre"),
    "es": ("suscribir", "suscribirme"),
    "pt": ("inscrever", "assinar"),
    "it": ("iscrivi", "iscrivimi"),
    "nl": ("aanmelden",),
    "id": ("mulai", "langganan"),
    "ar": ("اشتراك",),
    "bn": ("শুরু", "শুরু করুন"),
    "mr": ("सुरू करा",),
    "gu": ("શરૂ કરો",),
    "ta": ("தொடங்கு",),
    "te": ("ప్రారంభించు",),
}
HELP: dict[str, tuple[str, ...]] = {
    "en": ("help", "info"),
    "hi": ("मदद", "सहायता"),
    "de": ("hilfe",),
    "fr": ("aide",),
    "es": ("ayuda",),
    "pt": ("ajuda",),
    "it": ("aiuto",),
}

LONGEST = 60
"""Characters of a message beyond which it is no word."""


def normalised(text: str) -> str:
    """Returns a text as words are compared: one form of each letter, no case, no punctuation, single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # Marks of Indian scripts are vowels and stay; format characters (joiners, directions) and symbols go.
    kept = ("" if unicodedata.category(c) == "Cf" else c if _is_letter(c) else " " for c in folded)
    return " ".join("".join(kept).split())


def wish_of(text: str | None, *, stops: Iterable[str] = (), starts: Iterable[str] = ()) -> Wish | None:
    """Returns what a message asks for when it is one of the words and nothing else.

    `stops` and `starts` are words of a tenant besides those known everywhere; a STOP of anybody outranks a START.
    """
    if text is None or len(text) > LONGEST:
        return None
    said = normalised(text)
    if not said:
        return None
    if said in _STOPS or said in map(normalised, stops):
        return Wish.STOP
    if said in _STARTS or said in map(normalised, starts):
        return Wish.START
    return Wish.HELP if said in _HELPS else None


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _all(words: dict[str, tuple[str, ...]]) -> frozenset[str]:
    return frozenset(normalised(word) for listed in words.values() for word in listed)


_STOPS, _STARTS, _HELPS = _all(STOP), _all(START), _all(HELP)

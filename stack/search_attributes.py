"""The search attributes that our workflows carry, with their types as Temporal names them."""

_KEYWORDS = ("Tenant", "Template", "Resource", "Trigger", "Status", "Channel")
_KEYWORD_LISTS = ("Notification",)

SEARCH_ATTRIBUTES: dict[str, str] = {
    **{f"Carillon{name}": "Keyword" for name in _KEYWORDS},
    **{f"Carillon{name}": "KeywordList" for name in _KEYWORD_LISTS},
}

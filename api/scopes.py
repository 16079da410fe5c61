"""What an API key may be allowed to do."""

from enum import StrEnum


class Scope(StrEnum):
    """A permission of an API key; `*` stands for all of them."""

    EVERYTHING = "*"
    NOTIFICATIONS_SEND = "notifications:send"
    NOTIFICATIONS_READ = "notifications:read"
    TEMPLATES_WRITE = "templates:write"
    TEMPLATES_READ = "templates:read"
    FLOWS_WRITE = "flows:write"
    FLOWS_READ = "flows:read"
    SERIES_WRITE = "series:write"
    SERIES_READ = "series:read"
    SCHEDULES_WRITE = "schedules:write"
    SCHEDULES_READ = "schedules:read"
    EVENTS_WRITE = "events:write"
    RECIPIENTS_WRITE = "recipients:write"
    RECIPIENTS_READ = "recipients:read"
    ACCOUNTS_WRITE = "accounts:write"
    ACCOUNTS_READ = "accounts:read"
    KEYS_WRITE = "keys:write"
    AUDIT_READ = "audit:read"

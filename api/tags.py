"""The groups of operations, in the order in which the documentation shows them."""

TAGS = [
    {"name": "Notifications", "description": "What must reach whom: accept, find, cancel, send again."},
    {"name": "Parked", "description": "What cannot go on by itself: counted by cause, resumed or dropped."},
    {"name": "Templates", "description": "What is said: immutable versions per channel and locale."},
    {"name": "Flows", "description": "What series do: definitions, checked, played through, published, paused."},
    {"name": "Series", "description": "Runs of flows: started once for their key, followed, steered, stopped."},
    {
        "name": "Replies",
        "description": "What people answered and nobody knows to what: given to a series, or dismissed.",
    },
    {
        "name": "Operations",
        "description": "What is done with many at once: how far it is, what was refused, stopping it.",
    },
    {
        "name": "Events",
        "description": "What happened at yours: starts series, is heard by those that run, fits its schema.",
    },
    {"name": "Schedules", "description": "What happens by itself, by the calendar: series started, events taken."},
    {"name": "Recipients", "description": "Whom it reaches: people, and their addresses."},
    {"name": "Consent", "description": "What people want to get: topics, their choices, and links to change them."},
    {"name": "Uploads", "description": "Files that notifications carry."},
    {"name": "Accounts", "description": "Through whom it goes: accounts at providers, with sealed configuration."},
    {"name": "Limits", "description": "How much may go out, and what of it is used up."},
    {"name": "Keys", "description": "API keys of the tenant and what each may do."},
    {"name": "Findings", "description": "What had stalled or did not fit, and what housekeeping did about it."},
    {"name": "Audit", "description": "Who changed what, and when."},
    {"name": "Callbacks", "description": "Where providers report; each request is authenticated by its signature."},
    {"name": "Tenants", "description": "For the operator: who may use this installation."},
    {"name": "Process", "description": "For machines that watch this one."},
]

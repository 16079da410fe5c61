"""What the demo tenant starts with: templates as the provider approved them, our templates on top, and a recipient."""

from typing import Any

RECIPIENT_ID = "asha"
RECIPIENT: dict[str, Any] = {
    "name": "Asha Rao",
    "locale": "en-IN",
    "zone": "Asia/Kolkata",
    "addresses": [
        {"kind": "phone", "value": "+15550109999"},
        {"kind": "email", "value": "asha@example.com"},
    ],
}

APPROVED: list[dict[str, Any]] = [
    {
        "name": "order_shipped_v1",
        "language": "en",
        "components": [
            {
                "type": "BODY",
                "text": "Hello {{1}}, your order {{2}} is on its way.",
                "example": {"body_text": [["A", "B"]]},
            },
            {
                "type": "BUTTONS",
                "buttons": [{"type": "QUICK_REPLY", "text": "Thank you"}, {"type": "QUICK_REPLY", "text": "Call me"}],
            },
        ],
    },
]

_WHATSAPP = {
    "kind": "template",
    "name": "order_shipped_v1",
    "language": "en",
    "body": ["{{ name }}", "{{ order }}"],
    "buttons": [
        {"index": 0, "type": "quick_reply", "value": "thanks"},
        {"index": 1, "type": "quick_reply", "value": "call"},
    ],
}
_MAIL = {
    "subject": "Your order {{ order }} is on its way",
    "mjml": (
        "<mjml><mj-body><mj-section><mj-column>"
        "<mj-text font-size='20px'>Hello {{ name }},</mj-text>"
        "<mj-text>your order <b>{{ order }}</b> is on its way.</mj-text>"
        "<mj-button href='https://shop.example/orders/{{ order }}'>Follow it</mj-button>"
        "</mj-column></mj-section></mj-body></mjml>"
    ),
}
_VARIABLES = [
    {"name": "name", "type": "string", "example": "Asha"},
    {"name": "order", "type": "string", "example": "A-1001"},
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "template": {
            "name": "order.shipped",
            "description": "An order left the house: WhatsApp first, e-mail where that does not work.",
            "channels": ["whatsapp", "email"],
        },
        "version": {
            "parts": [
                {"channel": "whatsapp", "locale": "default", "content": _WHATSAPP},
                {"channel": "email", "locale": "default", "content": _MAIL},
            ],
            "variables": _VARIABLES,
            "note": "the first one",
        },
    },
]

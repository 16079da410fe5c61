"""Flow files that are right, that are wrong by their shape, and that are wrong by what they mean."""

from typing import Any

SEND: dict[str, Any] = {"send": "hello"}


def flow(*steps: Any, **members: Any) -> dict[str, Any]:
    return {"name": "f", "steps": list(steps) or [SEND], **members}


GOOD = {
    "a send": flow(),
    "all of a send": flow(
        {
            "send": "a.b_c-d", "id": "first", "channels": ["email", "sms"], "critical": True, "taps": "once",
            "data": {"amount": "event.data.amount"}, "to": "data.other", "expires": "10m",
            "fallback": {"email": {"within": 300, "success": "delivered", "after_unknown": True}, "sms": {}},
        }
    ),
    "nothing said": flow({"send": "a", "id": None, "channels": None, "to": None, "expires": None}),
    "a text for within": flow({"send": "a", "fallback": {"email": {"within": "PT10M"}}}),
    "a short text for within": flow({"send": "a", "fallback": {"email": {"within": "1d12h"}}}),
    "lengths": flow(
        *({"wait": one} for one in ("45s", "1h30m", "3d", "2w", "P1M", "PT36H", "P1Y2M3W4DT5H6M7S", "0d1s"))
    ),
    "moments": flow(
        {"wait": {"until": "due_at", "offset": "-3d", "at": "09:00"}, "past": "skip"},
        {"wait": {"until": "2026-06-01T09:00+05:30", "offset": None, "at": None}},
        {"wait": {"until": "2026-06-01 09:00:01.5Z", "offset": "+PT0S"}},
        {"wait": {"next": "23:59", "weekdays": ["mon", "mon"]}},
    ),
    "something heard": flow(
        {"wait_for": "reply"},
        {"wait_for": ["tap:a*", "reaction:👍", "event:a.b*", "delivered"], "timeout": "1d", "from": "now",
         "then": [SEND], "on_timeout": [SEND]},
        {"wait_for": ["read"], "on_timeout": [], "timeout": None},
    ),
    "branches": flow({"branch": [{"when": "true", "steps": []}], "otherwise": [SEND]}),
    "rounds": flow(
        {"repeat": [SEND], "every": "1m", "most": 1},
        {"repeat": [SEND], "every": "P1D", "at": "09:00", "until": "false", "most": 10_000},
        {"repeat": [SEND], "rule": "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=2", "at": "09:00", "most": 3, "every": None},
        {"repeat": [{"wait_for": "reply"}], "most": 3},
    ),
    "rules": flow(
        *(
            {"repeat": [SEND], "rule": one, "most": 3}
            for one in ("FREQ=DAILY", "BYDAY=-1MO,+1TU;FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=1,02;BYMONTHDAY=-1",
                        "FREQ=WEEKLY;COUNT=5;UNTIL=20271231;WKST=SU", "FREQ=YEARLY;BYYEARDAY=1,-366;BYSETPOS=1",
                        "FREQ=YEARLY;BYWEEKNO=53,-1")
        )
    ),
    "digests": flow({"digest": "*", "window": "1h"}, {"digest": ["a.*", "b"], "window": "1h", "most": 5}),
    "the others": flow(
        {"throttle": 3, "per": "1d"}, {"call": "https://example.com/a", "data": {"a": "data.b"}},
        {"update": {"a": "data.b"}}, {"update": {}, "profile": {"name": "data.n"}},
        {"update": {}, "consents": {"news": "granted"}}, {"stop": "enough"}, {"stop": True},
    ),
    "the flow itself": flow(
        title="T", on=["a.b", "c*"], match="true", key="event.id", to={"phone": "event.data.p"}, again="ignore",
        stop_when=["reply", "event:a"], stop_if="false",
        quiet_hours={"from": "21:00", "to": "09:00", "days": ["sat"], "mode": "skip"},
    ),
    "quiet for holidays alone": flow(quiet_hours={"holidays": "india"}),
    "quiet that lets go bit by bit": flow(
        quiet_hours={"from": "21:00", "to": "09:00", "spread": "30m", "holidays": "india", "mode": "hold"}
    ),
    "a wait that leaves holidays out": flow({"wait": {"next": "09:00", "holidays": "india"}}),
    "consent that is asked": flow(
        {"confirm": "may_we", "topic": "offers", "channel": "email", "channels": ["email"], "timeout": "3d",
         "data": {"a": "data.b"}, "then": [SEND], "on_denied": [{"stop": "refused"}], "on_timeout": [SEND]},
        {"confirm": "may_we", "topic": "news"},
    ),
    "a word for a list": flow(on="a.b", to={"recipient": "event.data.r"}, stop_when="tap:a"),
    "no events": flow(on=[], stop_when=[], to=None, match=None, key=None, quiet_hours=None),
}  # fmt: skip

BAD = {
    "no steps": {"name": "f"},
    "an empty list of steps": flow() | {"steps": []},
    "many steps": {"name": "f", "steps": [SEND] * 101},
    "a list": [SEND],
    "no name": {"steps": [SEND]},
    "a loud name": flow(name="Reminder"),
    "the name of the schema": flow(name="schema"),
    "an unknown member": flow(stepps=[]),
    "no kind": flow({"id": "a"}),
    "two kinds": flow({"send": "a", "wait": "3d"}),
    "a member of another kind": flow({"send": "a", "timeout": "3d"}),
    "an unknown kind": flow({"sent": "a"}),
    "an id with spaces": flow({"send": "a", "id": "a b"}),
    "a channel twice": flow({"send": "a", "channels": ["email", "email"]}),
    "no channel": flow({"send": "a", "channels": []}),
    "an unknown channel": flow({"send": "a", "fallback": {"pigeon": {}}}),
    "a word for yes": flow({"send": "a", "critical": "yes"}),
    "an expression that is a number": flow({"send": "a", "data": {"a": 5}}),
    "a loud variable": flow({"send": "a", "data": {"Amount": "data.a"}}),
    "an empty expression": flow({"send": "a", "to": ""}),
    "within no time": flow({"send": "a", "fallback": {"email": {"within": 0}}}),
    "within no time as a text": flow({"send": "a", "fallback": {"email": {"within": "PT0S"}}}),
    "within no short time": flow({"send": "a", "fallback": {"email": {"within": "0h"}}}),
    "within months": flow({"send": "a", "fallback": {"email": {"within": "P1M"}}}),
    "within words": flow({"send": "a", "fallback": {"email": {"within": "soon"}}}),
    **{
        f"a length like {one!r}": flow({"wait": one})
        for one in ("", "0s", "P0D", "3", "d", "3 d", " 3d", "3d ", "-3d", "3d2w", "P", "PT", "P1DT", "1000000h", 3,
                    None, "PT1.5H", "3D", "p1d", "\N{FULLWIDTH DIGIT THREE}d")
    },
    **{
        f"a moment like {one!r}": flow({"wait": one})
        for one in ({}, {"until": "Due"}, {"until": "2026-06-01"}, {"until": "2026-06-01T09:00"},
                    {"until": "20260601T0900Z"},
                    {"until": "2026-13-01T09:00Z"}, {"until": "a", "offset": "3"}, {"until": "a", "at": "9:00"},
                    {"next": "24:00"}, {"next": "09:00", "weekdays": []}, {"next": "09:00", "weekdays": ["monday"]},
                    {"next": "09:00", "until": "a"}, {"until": "a", "past": "skip"})
    },
    "a past that is unknown": flow({"wait": "3d", "past": "later"}),
    "nothing awaited": flow({"wait_for": []}),
    "too much awaited": flow({"wait_for": ["reply"] * 21}),
    **{
        f"what nobody hears: {one!r}": flow({"wait_for": one})
        for one in ("answer", "tap:", "tap:a b", "reply:a", "event", "event:a..b", "reaction:* ", 5, None)
    },
    "what ends it is unknown": flow(stop_when="answer"),
    "a timeout without one": flow({"wait_for": "reply", "on_timeout": [SEND]}),
    "a timeout that is null": flow({"wait_for": "reply", "timeout": None, "on_timeout": [SEND]}),
    "no case": flow({"branch": []}),
    "a case without a condition": flow({"branch": [{"steps": []}]}),
    "a wrong step deep below": flow(
        {"branch": [{"when": "true", "steps": [{"wait_for": "reply", "then": [{"send": 5}]}]}]}
    ),
    "no round": flow({"repeat": [], "every": "1d", "most": 3}),
    "rounds without an end": flow({"repeat": [SEND], "every": "1d"}),
    "too many rounds": flow({"repeat": [SEND], "every": "1d", "most": 10_001}),
    "two clocks": flow({"repeat": [SEND], "every": "1d", "rule": "FREQ=DAILY", "most": 3}),
    **{
        f"rounds every {one!r}": flow({"repeat": [SEND], "every": one, "most": 3})
        for one in ("59s", "0m30s", "PT59S", "P0DT5S", "00000001s")
    },
    **{
        f"a time of day every {one!r}": flow({"repeat": [SEND], "every": one, "at": "09:00", "most": 3})
        for one in ("24h", "1d1h", "PT24H", "P1DT1S", None)
    },
    "rounds without a clock": flow({"repeat": [SEND], "most": 3}),
    "rounds whose clock is null": flow({"repeat": [SEND], "every": None, "rule": None, "most": 3}),
    **{
        f"a rule like {one!r}": flow({"repeat": [SEND], "rule": one, "most": 3})
        for one in ("", "FREQ=HOURLY", "BYDAY=MO", "FREQ=DAILY;", "FREQ=DAILY;FREQ=WEEKLY", "FREQ=DAILY;COUNT=0",
                    "FREQ=DAILY;UNTIL=2026-01-01", "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY; COUNT=3", "freq=DAILY",
                    "FREQ=WEEKLY;BYDAY=mo", "FREQ=WEEKLY;BYDAY=", "FREQ=YEARLY;BYMONTH=13", "FREQ=DAILY;INTERVAL=0",
                    "FREQ=YEARLY;BYMONTH=1_0", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=DAILY;COUNT=1;BYDAY=MO;COUNT=2")
    },
    "a digest without a window": flow({"digest": "a"}),
    "a digest of nothing": flow({"digest": [], "window": "1h"}),
    "a pattern with a star within": flow({"digest": "a*b", "window": "1h"}),
    "a throttle without its time": flow({"throttle": 3}),
    "a throttle of none": flow({"throttle": 0, "per": "1d"}),
    "a number as a text": flow({"throttle": "3", "per": "1d"}),
    "a call that is no link": flow({"call": "ftp://example.com"}),
    "a call with a space": flow({"call": "https://example.com/a b"}),
    "nothing changed": flow({"update": {}}),
    "nothing changed at all": flow({"update": {}, "profile": {}, "consents": {}}),
    "an unknown member of the profile": flow({"update": {"a": "data.a"}, "profile": {"age": "data.a"}}),
    "an unknown choice": flow({"update": {}, "consents": {"news": "maybe"}}),
    "a stop that is none": flow({"stop": False}),
    "a stop that is a number": flow({"stop": 1}),
    "for nobody": flow(on="a"),
    "for nobody, said so": flow(on=["a"], to=None),
    "for two": flow(to={"phone": "data.p", "email": "data.e"}),
    "for none of all": flow(to={}),
    "for null": flow(on="a", to={"phone": None}),
    "an unknown way again": flow(again="retry"),
    "quiet without a beginning": flow(quiet_hours={"to": "09:00", "holidays": "india"}),
    "quiet at no time": flow(quiet_hours={"mode": "hold"}),
    "a spread of what is left out": flow(
        quiet_hours={"from": "21:00", "to": "09:00", "mode": "skip", "spread": "30m"}
    ),
    "a calendar of no name": flow(quiet_hours={"holidays": "In dia"}),
    "consent without a topic": flow({"confirm": "may_we"}),
    "consent over a channel twice": flow({"confirm": "may_we", "topic": "news", "channels": ["sms", "sms"]}),
    "quiet without an end": flow(quiet_hours={"from": "21:00"}),
    "quiet on no day": flow(quiet_hours={"from": "21:00", "to": "09:00", "days": []}),
    "a long title": flow(title="t" * 201),
    "many events": flow(on=["a"] * 51, to={"phone": "data.p"}),
}  # fmt: skip

# The reader looks at what a schema cannot say; each of these is a shape that fits.
MEANING = {
    "a length of more than ten years": flow({"wait": "99999d"}),
    "a day that no month has": flow({"wait": {"until": "2026-02-30T09:00Z"}}),
    "a year far away": flow({"wait": {"until": "2300-01-01T09:00Z"}}),
    "a rule that never comes": flow({"repeat": [SEND], "rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "most": 3}),
    "a rule of a day that is none": flow({"repeat": [SEND], "rule": "FREQ=DAILY;UNTIL=20260230", "most": 3}),
    "an unknown name": flow(stop_if="evnt.a == 1"),
    "no expression": flow(stop_if="1 +"),
    "two steps of one name": flow({"send": "a", "id": "x"}, {"send": "b", "id": "x"}),
    "too many steps in all": flow(*[{"branch": [{"when": "true", "steps": [SEND] * 6}]}] * 99),
    "a spread over days": flow(quiet_hours={"from": "21:00", "to": "09:00", "spread": "13h"}),
    "quiet for ever": flow(quiet_hours={"from": "21:00", "to": "21:00"}),
    "within more than ninety days": flow({"send": "a", "fallback": {"email": {"within": "P91D"}}}),
}

"""`GET /mailbox`: what arrived by SMTP, as JSON, as HTML, as raw bytes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from sandbox.mailbox import Mail, Mailbox

Handler = Callable[[Request], Awaitable[Response]]
_MOST = 1000
# A mail may bring its own styles and inlined images, but no script, no form and nothing from elsewhere.
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRoom:
    """Serves the mailbox."""

    mailbox: Mailbox

    def mount(self, app: FastAPI) -> None:
        """Adds the routes."""
        app.router.add_route("/mailbox", self._list, methods=["GET"])
        for path, handler in (("", self._one), ("/html", self._html), ("/raw", self._raw)):
            app.router.add_route(f"/mailbox/{{id}}{path}", self._of(handler), methods=["GET"])

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        try:
            limit = min(max(int(query.get("limit", 50)), 1), _MOST)
            before = int(query["before"]) if "before" in query else None
        except ValueError:
            return JSONResponse({"status": 400, "detail": "limit and before are numbers"}, 400)
        mails = self.mailbox.newest_first(query.get("to"), before, limit)
        following = mails[-1].seq if len(mails) == limit else None
        return JSONResponse({"mails": [mail.summary() for mail in mails], "next_before": following})

    def _of(self, handler: Callable[[Mail], Response]) -> Handler:
        async def answer(request: Request) -> Response:
            mail = self.mailbox.find(request.path_params["id"])
            return (
                JSONResponse({"status": 404, "detail": "there is no such mail"}, 404) if mail is None else handler(mail)
            )

        return answer

    def _one(self, mail: Mail) -> Response:
        return JSONResponse(self.mailbox.shown(mail))

    def _html(self, mail: Mail) -> Response:
        html = self.mailbox.shown(mail)["html"]
        return HTMLResponse(html, headers={"Content-Security-Policy": _MAIL_POLICY})

    def _raw(self, mail: Mail) -> Response:
        return Response(self.mailbox.raw(mail), media_type="message/rfc822")

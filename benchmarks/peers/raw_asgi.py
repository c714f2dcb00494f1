"""The limit: an ASGI app on uvicorn that reads the body and answers a constant. It predicts nothing."""

from starlette.types import Receive, Scope, Send

ANSWER = b"[152.13348416289594]"
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))],
}
BODY = {"type": "http.response.body", "body": ANSWER}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    more_body = True
    while more_body:
        message = await receive()
        more_body = message.get("more_body", False)
    await send(START)
    await send(BODY)

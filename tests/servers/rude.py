"""A real HTTP server on a real socket that does what bad servers do, one act per request."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FINE = "fine"


class RudeServer:
    """Answers chat completions; `acts` says how, one for each request, the last for all others.

    Acts: ``fine``; a status ("500", "429:7" with Retry-After); ``drop`` (closes without a word);
    ``midway`` (a chunked body that breaks off); ``short`` (fewer bytes than Content-Length says);
    ``half`` (well-formed HTTP, truncated JSON); ``html``; ``hang`` (no answer until the end);
    ``no_NAME`` (400 when the request has a field of that name, else fine); ``refusal``; ``long``
    (finish_reason length); ``abort`` (half of the words, finish_reason abort).

    Attributes:
        weights: log-probabilities told where a reply's text has the first of them as a quoted
            value, if asked for.
        requests: bodies received, in order.
        content: what fine replies say; a function of the request's body, or text.
    """

    def __init__(self) -> None:
        self.acts: deque[str] = deque([FINE])
        self.requests: list[dict[str, Any]] = []
        self.weights: dict[str, float] = {}
        self.content: Any = '{"length": 1, "word": "a"}'
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> "RudeServer":
        rude = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                rude._act(self, body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - base class's
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def will(self, *acts: str) -> None:
        """Set what the next requests meet."""
        self.acts = deque(acts)

    def _act(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            self.requests.append(body)
            act = self.acts.popleft() if len(self.acts) > 1 else self.acts[0]
        if act.startswith("no_"):
            act = "400" if act.removeprefix("no_") in body else FINE
        name, _, more = act.partition(":")
        if name.isdigit():
            headers = {"Retry-After": more} if more else {}
            _send(handler, int(name), b'{"error": {"message": "secret words"}}', headers)
        elif act == "html":
            _send(handler, 200, b"<html>gateway</html>", {"Content-Type": "text/html"})
        elif act == "hang":
            self._over.wait(30)
        elif act == "drop":
            handler.close_connection = True
        else:
            self._reply(handler, body, act)

    def _reply(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], act: str) -> None:
        said = self.content(body) if callable(self.content) else self.content
        message = {"role": "assistant", "content": said}
        if act == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I will not."}
        if act == "abort":
            message = {"role": "assistant", "content": said[: len(said) // 2]}
        finish = {"long": "length", "abort": "abort"}.get(act, "stop")
        told: dict[str, Any] = {}
        if body.get("logprobs") and self.weights:
            told = {"logprobs": {"content": _tokens(said, self.weights), "refusal": None}}
        data = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "served",
            "choices": [{"index": 0, "message": message, "finish_reason": finish, **told}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        raw = json.dumps(data).encode()
        if act == "half":
            raw = raw[: len(raw) // 2]
        if act == "midway":
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"%x\r\n%s\r\n" % (20, raw[:20]))
            handler.close_connection = True
        elif act == "short":
            _send(handler, 200, raw[:20], length=len(raw))
            handler.close_connection = True
        else:
            _send(handler, 200, raw)


def _tokens(said: str, weights: Mapping[str, float]) -> list[dict[str, Any]]:
    """A reply as three tokens: what comes before the weighed one, that one, the rest."""
    before, mark, after = said.rpartition(f'"{next(iter(weights))}"')
    top = [{"token": t, "logprob": w, "bytes": None} for t, w in weights.items()]
    if not mark:
        return [{"token": said, "logprob": 0.0, "bytes": None, "top_logprobs": []}]
    plain: dict[str, Any] = {"logprob": 0.0, "bytes": None, "top_logprobs": []}
    return [{"token": before + '"', **plain}, {**top[0], "top_logprobs": top},
            {"token": '"' + after, **plain}]  # fmt: skip


def _send(
    handler: BaseHTTPRequestHandler,
    status: int,
    raw: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
) -> None:
    handler.send_response(status)
    base = {"Content-Type": "application/json", "Content-Length": str(length or len(raw))}
    for name, value in {**base, **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(raw)

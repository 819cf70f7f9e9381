"""A small server that speaks enough of the OpenAI API, good and bad; run as a process of its own.

What it answers hangs on words in the last message: ``garbage``, ``ignore`` (prose around the JSON,
as servers do that ignore response_format), ``wrong`` (JSON of another shape), ``fence``, ``cut``,
``fail`` (500 always), ``flaky`` (500 once per message), ``broken`` (no JSON body), ``empty`` (no
choices), ``slow``, ``patient`` (10 s, less when it is alone), ``die`` (the process ends); else JSON
with the message's length.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

SEEN: list[dict[str, Any]] = []
STATE = {"now": 0, "most": 0}
LOCK = Lock()


class Handler(BaseHTTPRequestHandler):
    """Chat completions on POST, what was seen on GET."""

    def do_GET(self) -> None:
        self._send(200, {"seen": SEEN, "most_at_once": STATE["most"]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            SEEN.append({**body, "authorization": self.headers.get("Authorization")})
            STATE["now"] += 1
            STATE["most"] = max(STATE["most"], STATE["now"])
        try:
            self._answer(body)
        finally:
            with LOCK:
                STATE["now"] -= 1

    def _answer(self, body: dict[str, Any]) -> None:
        content = body["messages"][-1]["content"]
        text = content if isinstance(content, str) else content[0]["text"]
        times = sum(seen["messages"] == body["messages"] for seen in SEEN)
        if "die" in text:
            os._exit(1)
        if "slow" in text:
            time.sleep(0.15)
        if "patient" in text:
            alone = ticks = 0
            while alone < 15 and ticks < 100:
                time.sleep(0.1)
                alone, ticks = (alone + 1 if STATE["now"] == 1 else 0), ticks + 1
        if "fail" in text or ("flaky" in text and times == 1):
            self._send(500, {"error": {"message": f"out of memory at {text}"}})
        elif "broken" in text:
            self._send(200, None)
        elif "empty" in text:
            self._send(200, {"id": "x", "object": "chat.completion", "choices": []})
        else:
            self._send(200, completion(body["model"], reply_to(text), "cut" in text))

    def _send(self, status: int, data: Any) -> None:
        raw = b"<html>not json" if data is None else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def reply_to(text: str) -> str:
    good = json.dumps({"length": len(text), "word": text.split()[0]})
    forms = {
        "garbage": "I am afraid I cannot do that.",
        "ignore": f"Sure! Let me think {{hm}}. Here it is: {good} Anything else?",
        "wrong": '{"length": "many"}',
        "fence": f"```json\n{good}\n```",
        "cut": good[: len(good) // 2],
    }
    return next((form for word, form in forms.items() if word in text), good)


def completion(model: str, text: str, is_cut: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "length" if is_cut else "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": f"{model}-served",
        "choices": [choice], "usage": usage,
    }  # fmt: skip


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()

"""Many contests side by side: their requests go to the engine together, each request once."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel

from labeling.vision.prompts import Request
from labeling.vision.protocol import Play
from voxcurate.chat.engine import request_hash
from voxcurate.protocols import ChatEngine, Reply

K = TypeVar("K")
T = TypeVar("T")


def play(engine: ChatEngine | None, plays: Sequence[Play[T]]) -> list[T]:
    """What each play returns, in order.

    All plays move a step at a time. A request that several make (the skeleton of a scan is looked
    at once, whatever classes are judged on it) is sent once.

    Args:
        engine: None for plays that ask nothing.
        plays: not yet begun.
    """
    results: dict[int, T] = {}
    known: dict[str, Reply] = {}
    waiting: dict[int, list[Request]] = {}
    for n, one in enumerate(plays):
        _advance(one, n, None, waiting, results)
    while waiting:
        keys = {n: [key_of(request) for request in requests] for n, requests in waiting.items()}
        asked = {
            key: request
            for n, requests in waiting.items()
            for key, request in zip(keys[n], requests, strict=True)
            if key not in known
        }
        if asked:
            assert engine is not None
            known.update(_ask(engine, asked))
        for n in list(waiting):
            del waiting[n]
            _advance(plays[n], n, [known[key] for key in keys[n]], waiting, results)
    return [results[n] for n in range(len(plays))]


def joined(plays: Mapping[K, Play[T]]) -> Play[dict[K, T]]:
    """Several plays as one: at each step it asks what all of them want."""
    results: dict[int, T] = {}
    waiting: dict[int, list[Request]] = {}
    every = list(plays.values())
    for n, one in enumerate(every):
        _advance(one, n, None, waiting, results)
    while waiting:
        asked = dict(waiting)
        replies = iter((yield [request for requests in asked.values() for request in requests]))
        for n, requests in asked.items():
            del waiting[n]
            _advance(every[n], n, [next(replies) for _ in requests], waiting, results)
    return {name: results[n] for n, name in enumerate(plays)}


def _advance(
    one: Play[T],
    n: int,
    replies: list[Reply] | None,
    waiting: dict[int, list[Request]],
    results: dict[int, T],
) -> None:
    try:
        waiting[n] = next(one) if replies is None else one.send(replies)
    except StopIteration as done:
        results[n] = done.value


def _ask(engine: ChatEngine, asked: dict[str, Request]) -> dict[str, Reply]:
    schemas: dict[type[BaseModel], list[str]] = {}
    for key, request in asked.items():
        schemas.setdefault(request.schema, []).append(key)
    found: dict[str, Reply] = {}
    for schema, keys in schemas.items():
        replies = engine.chat([asked[key].conversation for key in keys], schema)
        found.update(zip(keys, replies, strict=True))
    return found


def key_of(request: Request) -> str:
    """The same for requests that ask the same."""
    return request_hash(request.conversation, request.schema, "")

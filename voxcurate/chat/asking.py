"""Asking for many replies: each request once, those that begin alike together, as they come."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel

from voxcurate.chat.engine import request_hash
from voxcurate.protocols import ChatEngine, Message, Reply

Conversation = Sequence[Message]
PORTION = 64  # requests handed at once to an engine that does not tell replies as they come


def grouped(
    conversations: Sequence[Conversation], schema: type[BaseModel], model: str
) -> dict[str, list[int]]:
    """Places of the conversations by their requests' hash: what is asked twice is one entry."""
    places: dict[str, list[int]] = {}
    for place, conversation in enumerate(conversations):
        places.setdefault(request_hash(conversation, schema, model), []).append(place)
    return places


def by_beginning(
    groups: dict[str, list[int]], conversations: Sequence[Conversation]
) -> dict[str, list[int]]:
    """The same groups; those that begin alike stand side by side, so that a prefix cache finds what
    they share before it has to make room."""
    return dict(sorted(groups.items(), key=lambda item: _words(conversations[item[1][0]])))


def _words(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in conversation]


def given_to_all(places: Sequence[int], reply: Reply) -> Iterator[tuple[int, Reply]]:
    """A reply at each place that asked for it; its cost is the first one's alone."""
    for n, place in enumerate(places):
        if n:
            reply = replace(reply, tokens_in=0, tokens_out=0, seconds=0.0, gpu_s=0.0)
        yield place, reply


def in_order(found: Iterable[tuple[int, Reply]]) -> list[Reply]:
    """Replies that came in any order, in the order of their places."""
    replies = dict(found)
    return [replies[place] for place in range(len(replies))]


def as_they_come(
    engine: ChatEngine,
    conversations: Sequence[Conversation],
    schema: type[BaseModel],
    *,
    portion: int = PORTION,
) -> Iterator[tuple[int, Reply]]:
    """Places and replies, each as soon as the engine tells it.

    Engines that work on many requests at once have ``stream`` and are given them all; the others
    get `portion` at a time.
    """
    stream = getattr(engine, "stream", None)
    if stream is not None:
        yield from stream(conversations, schema)
        return
    for start in range(0, len(conversations), portion):
        replies = engine.chat(conversations[start : start + portion], schema)
        yield from enumerate(replies, start)

"""The feed: order, determinism whatever the threads do, and what a checkpoint needs."""

import time

import pytest

from training.data.feeding import Feed
from training.mix.sampling import Draw


class Source:
    """Draws that depend on what was learnt; cutting takes longer for even steps."""

    def __init__(self):
        self.learnt = 0
        self.drawn = []

    def draw(self, step):
        self.drawn.append(step)
        return (Draw("labelled", 100 * step + self.learnt, (1.0, 2.0, 3.0), -1),)

    def cut(self, step, draws):
        time.sleep(0.01 if step % 2 == 0 else 0)
        return step, draws[0].case


def consumed(threads, *, ahead=2, last=7, stop=None):
    source = Source()
    feed = Feed(source.draw, source.cut, last=last, ahead=ahead, threads=threads)
    feed.start(0)
    found = []
    for step in range(last):
        if step == stop:
            waiting, learnt = feed.waiting(), source.learnt
            feed.close()
            source = Source()
            source.learnt = learnt
            feed = Feed(source.draw, source.cut, last=last, ahead=ahead, threads=threads)
            feed.start(step, waiting)
        found.append(feed.next())
        source.learnt += 1
    feed.close()
    return found


def test_batches_come_in_order_and_know_what_was_learnt_two_steps_before():
    expected = [(step, 100 * step + max(0, step - 2)) for step in range(7)]
    assert consumed(3) == expected


@pytest.mark.parametrize("threads", [0, 1, 4])
@pytest.mark.parametrize("stop", [None, 1, 3, 6])
def test_threads_and_interruptions_change_nothing(threads, stop):
    assert consumed(threads, stop=stop) == consumed(2)


def test_nothing_is_drawn_beyond_the_last_step():
    source = Source()
    feed = Feed(source.draw, source.cut, last=3, ahead=5, threads=1)
    feed.start(0)
    feed.next()
    assert source.drawn == [0, 1, 2]
    feed.close()


def test_without_looking_ahead_each_step_knows_all():
    assert consumed(1, ahead=0) == [(step, 101 * step) for step in range(7)]


def test_an_error_of_a_thread_is_the_caller_s():
    def broken(step, draws):
        raise OSError("gone")

    feed = Feed(Source().draw, broken, last=3, ahead=1, threads=2)
    feed.start(0)
    with pytest.raises(OSError, match="gone"):
        feed.next()
    feed.close()

"""Items in little memory: by number, by key, by subject, whatever their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxcurate import worklist
from voxcurate.worklist import Item, LazyItems, Marks, Places, Worklist, fingerprint

NAMES = st.text(alphabet="ab/_ä", min_size=1, max_size=4)


def marked(item):
    return fingerprint("t", item, "1", None)


def lists(items):
    return Worklist(items, marked)


@given(st.lists(st.tuples(NAMES, NAMES), unique_by=lambda pair: "/".join(pair), max_size=30))
def test_it_answers_as_dictionaries_would(names):
    items = [Item(subject, variant, n) for n, (subject, variant) in enumerate(names)]
    work = lists(items)
    marks = {item.key: marked(item) for item in items}
    places = {item.key: (item.subject, item.variant, marked(item)) for item in items}
    assert dict(Marks(work)) == marks
    assert dict(Places(work)) == dict(Places(work).items()) == places
    assert list(Places(work)) == list(places)
    assert [work.number(item.key) for item in items] == list(range(len(items)))
    assert work.number("not there") is None
    without = frozenset(range(0, len(items), 2))
    rest = {key: place for n, (key, place) in enumerate(places.items()) if n not in without}
    assert dict(Places(work, without)) == rest
    assert all(items[n].key not in Places(work, without) for n in without)


@given(st.lists(NAMES, max_size=30), st.integers(1, 5))
def test_parts_hold_every_item_once_and_no_subject_twice(subjects, size):
    items = [Item(subject, str(n)) for n, subject in enumerate(subjects)]
    parts = list(lists(items).parts(size))
    assert sorted(n for part in parts for n in part) == list(range(len(items)))
    seen = [{items[n].subject for n in part} for part in parts]
    assert sum(map(len, seen)) == len(set(subjects))


@pytest.mark.parametrize("names", [[("a", ""), ("a", "")], [("a/b", ""), ("a", "b")]])
def test_two_items_of_one_key_are_refused(names):
    with pytest.raises(ValueError, match="two items called a"):
        lists([Item("x"), *(Item(*pair) for pair in names)])


def test_names_whose_hashes_agree_are_told_apart(monkeypatch):
    monkeypatch.setattr(worklist, "hash", len, raising=False)
    work = lists([Item("aa"), Item("bb"), Item("cc", "d"), Item("eeee")])
    keys = ["aa", "bb", "cc/d", "eeee"]
    assert [work.number(key) for key in keys] == [0, 1, 2, 3]
    assert list(Places(work)) == keys
    with pytest.raises(ValueError, match="two items called bb"):
        lists([Item("aa"), Item("bb"), Item("bb")])


def test_lazy_items_are_made_when_looked_at_and_not_kept():
    made = []

    def make(number):
        made.append(number)
        return Item(f"s{number}", inputs=number)

    items = LazyItems(4, make)
    assert (len(items), made) == (4, [])
    assert [item.subject for item in items] == ["s0", "s1", "s2", "s3"]
    assert items[-1] == make(3)
    assert [item.subject for item in items[1:3]] == ["s1", "s2"]
    with pytest.raises(IndexError):
        items[4]
    assert dict(Marks(lists(items))) == dict(Marks(lists(list(items))))

"""Nothing planted in any kind of place is written, and the search would see it if it were."""

import pytest

from benchmarks.deid.attributes import every_attribute
from benchmarks.deid.base import slice_of
from benchmarks.deid.people import person
from benchmarks.deid.places import PLACES
from benchmarks.deid.search import forms_of_day, forms_of_name, left
from cleaning.deid.config import DeidConfig
from cleaning.deid.filescan import FileScan
from cleaning.deid.identities import Identities
from cleaning.deid.instance import Deidentifier, Origin

SEED = 12
# of places that tell who it is in every file: there the search finds something anyway
IN_PLAIN_PLACES = {
    *("LO patient id", "DA birth", "DA study", "DA range", "DA old form", "DA holding text"),
    *("UI instance", "UI holding text", "wrong VR: name as LO", "wrong VR: date as LO"),
}
KEPT_BYTES = {"JPEG comment"}  # pixels stay as they are: the search stops the file
# what the search takes for no identifier: an age, and a class that has a UID's form
UNSEEN = {"AS over 89 years", "UI class holding text"}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.kind)
def test_nothing_is_left_and_the_search_would_see_it(place):
    who = person(SEED, place.kind)
    data = place.file(slice_of(who, study="s", series="x", number=1), who)
    tool = Deidentifier(DeidConfig(keep_risky=True), b"k" * 32)
    done = tool.run(data, Origin("p", "s", "e", "i"))
    content = b"".join(done.content)
    known = Identities()
    known.add_file(data)
    search = FileScan(known.finish(done.shift_days))
    if place.kind in KEPT_BYTES:
        assert search.scan(content)
        return
    if done.content[0][158:400].find(b"1.2.840.10008.1.2.1.99") < 0:
        for name in (who.last, who.stranger):
            assert not left(content, forms_of_name(name))
        assert not left(content, iter([who.number.encode(), who.patient_id.encode()]))
        assert not left(content, forms_of_day(who.day))
    assert search.scan(content) == []
    found = {find.where for find in search.scan(data)}
    assert found - set(PLAIN_FINDS) or place.kind in {*UNSEEN, *IN_PLAIN_PLACES}


@pytest.mark.parametrize("nested", [False, True])
def test_no_attribute_of_the_standard_keeps_a_stranger_s_word(nested):
    data, words = every_attribute(nested=nested)
    tool = Deidentifier(DeidConfig(keep_risky=True), b"k" * 32)
    content = b"".join(tool.run(data, Origin("p", "s", "e", "i")).content).lower()
    left_in = {words[word] for word in words if word.lower().encode() in content}
    assert left_in == {"Manufacturer", "ManufacturerModelName"}
    assert len(words) > 2500


def _plain_finds():
    """What the search finds in a source file in which nothing is planted."""
    who = person(SEED, "nothing")
    from benchmarks.deid.base import encoded

    data = encoded(slice_of(who, study="s", series="x", number=1))
    known = Identities()
    known.add_file(data)
    return [find.where for find in FileScan(known.finish(-1)).scan(data)]


PLAIN_FINDS = _plain_finds()

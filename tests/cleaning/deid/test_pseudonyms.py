"""New ids: the same for the same key, another for another, and none for what the standard names."""

import re

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from cleaning.deid.pseudonyms import Pseudonyms, is_nobody
from voxcurate.ids import keyed

KEY = b"k" * 32
uids = st.lists(st.integers(0, 10**9), min_size=4, max_size=8).map(lambda n: ".".join(map(str, n)))


@given(uids)
def test_uids_are_valid_and_hang_on_the_key(old):
    old = f"1.3.{old}"
    new = Pseudonyms(KEY).uid(old)
    assert UID(new).is_valid
    assert re.fullmatch(r"2\.25\.\d{30,39}", new)
    assert len(new) <= 64
    assert Pseudonyms(KEY).uid(f"{old}\0") == new
    assert Pseudonyms(b"x" * 32).uid(old) != new


def test_uids_are_uuids_of_version_8():
    number = int(Pseudonyms(KEY).uid("1.2.3").removeprefix("2.25."))
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0x3 == 2


def test_uids_of_the_standard_and_empty_ones_stay():
    assert Pseudonyms(KEY).uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert Pseudonyms(KEY).uid("") == ""


def test_a_patient_has_the_hash_that_ingest_gives_him():
    assert Pseudonyms(KEY).patient(" 0012345678 ") == keyed("patient::0012345678", KEY)


def test_a_placeholder_is_no_patient():
    names = Pseudonyms(KEY)
    assert all(map(is_nobody, ("", "ANON", "0000", "unknown", "xXxX")))
    assert names.patient("ANON", "one") != names.patient("ANON", "two")
    assert names.patient("", "one") == names.patient("UNKNOWN", "one")


def test_dates_move_back_by_a_year_at_most():
    shifts = {Pseudonyms(KEY).shift_days(f"p{n}") for n in range(200)}
    assert min(shifts) >= -365
    assert max(shifts) <= -1
    assert len(shifts) > 50

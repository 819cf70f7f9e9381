"""Days move, times stay, and what is no date goes."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.deid.dates import age_at, clean_age, clean_time, day_of, shift_date, shift_moment

days = st.dates(date(1902, 1, 1), date(2090, 12, 31))


@given(days, days, st.integers(-365, -1))
def test_intervals_stay(one, other, shift):
    moved = [day_of(shift_date(f"{day:%Y%m%d}", shift)) for day in (one, other)]
    assert moved[1] - moved[0] == other - one
    assert moved[0] == one + timedelta(shift)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("20200301", "20200229"),
        ("20200301 ", "20200229"),
        ("2020.03.01", "20200229"),
        ("2020-03-01", "20200229"),
        ("20200301\\20190101", "20200229\\20181231"),
        ("20200301-20200310", "20200229-20200309"),
        ("-20200310", "-20200309"),
        ("202003", "202003"),
        ("", ""),
        ("20201345", ""),
        ("DOE JOHN", ""),
        ("20200301x", ""),
        ("00010101", ""),  # the day before it has no date
    ],
)
def test_dates(value, wanted):
    assert shift_date(value, -1) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("20200301101112.123456", "20200229101112.123456"),
        ("20200301101112+0100", "20200229101112"),
        ("20200301-20200310", "20200229-20200309"),
        ("20200301101112-20200310101112", "20200229101112-20200309101112"),
        ("2020", "2020"),
        ("20200301JOHN", ""),
        ("202003011", ""),
    ],
)
def test_moments(value, wanted):
    assert shift_moment(value, -1) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("101112.5", "101112.5"),
        ("10:11:12", "10:11:12"),
        ("10", "10"),
        ("DOE", ""),
        ("19800503", ""),
    ],
)
def test_times(value, wanted):
    assert clean_time(value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("045Y", "045Y"),
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("101Y", "090Y"),
        ("999M", "999M"),
        ("018m", "018M"),
        ("DOE", ""),
        ("45", ""),
    ],
)
def test_ages(value, wanted):
    assert clean_age(value) == wanted


def test_age_at():
    born = date(2000, 6, 15)
    assert age_at(born, date(2040, 6, 14)) == "039Y"
    assert age_at(born, date(2040, 6, 15)) == "040Y"
    assert age_at(born, date(2000, 6, 20)) == "005D"
    assert age_at(born, date(2001, 6, 15)) == "011M"
    assert age_at(born, date(2095, 1, 1)) == "090Y"
    assert age_at(born, date(1999, 1, 1)) == ""

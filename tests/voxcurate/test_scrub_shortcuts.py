"""The scrubber's shortcuts: whatever is passed over unsearched holds nothing."""

import re
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from voxcurate.identifiers import Hit, date_spellings, find_dates, find_ids
from voxcurate.phi import PATTERNS

PIECES = [
    "a@b.org", "see www.x.org", "10.0.0.1", "1.2.840.10008.5.1.4", "123-45-6789", "MRN: 12-345",
    "accession no. A77", "call 555 0100 22", "Tel +49 30 123456", "2020-03-01", "1/3/20",
    "03/2020", "3. März 2020", "1st of MAY, 2021", "12-Sep-19", "Mar 3rd", "3 March", "dated 3/4",
    "20200301", "1234567", "AB123456", "XY12-3456", "92 year old", "aged 95", "ninety-one year old",
    "P.O. Box 12", "12 Long Oak Street", "apt 4b", "Boston, MA 02115", "zip 02115", "SW1A 1AA",
    "lives at 5 Elm Road", "Saint Mary's Hospital", "Hôpital Nord", "University of Basel",
    "Dr. Weiß", "dr. roe", "Jane Roe, MD", "Roe, PhD", "signed by Max Roe", "E-signed: Max Roe",
    "electronically verified by Roe", "discussed with Max Roe", "Patient Name: Roe, Max",
    "this is Max", "I’m Max Roe", "wife Ann", "Attending: Roe",
    "2.1 x 1.8 cm", "L4-L5", "series 4", "the liver is normal.",
    "ſigned by Max Roe", "KLINIKUM Süd",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(". ".join)
odd = st.tuples(texts, st.text(max_size=12)).map("".join)


def matches(text, *, shortcuts):
    folded = text.lower() if text.isascii() else text.casefold().replace("ı", "i")
    return {
        (number, match.span("x"))
        for number, pattern in enumerate(PATTERNS)
        if not shortcuts or pattern.may_match(text, folded)
        for match in pattern.regex.finditer(text)
    }


@settings(max_examples=300, deadline=None)
@given(odd)
def test_a_pattern_that_is_passed_over_has_no_match(text):
    for form in (text, text.upper(), text.lower()):
        assert matches(form, shortcuts=True) == matches(form, shortcuts=False)


def test_every_shortcut_was_put_to_the_test():
    hit = {number for piece in PIECES for number, _ in matches(piece, shortcuts=False)}
    short = {number for number, p in enumerate(PATTERNS) if p.words or p.shape}
    assert short <= hit, [PATTERNS[n].regex.pattern[:60] for n in short - hit]


def slow_dates(text, days):
    for day in days:
        pattern = "|".join(f"(?:{spelling})" for spelling in date_spellings(day))
        bounded = rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])"
        for match in re.finditer(bounded, text, re.IGNORECASE):
            yield Hit("DATE", *match.span())


FORMS = ["{d}/{m}/{y}", "{m:02d}-{d:02d}-{y}", "{d}.{m}.'{s:02d}", "{y}{m:02d}{d:02d}",
         "{y}_{m}_{d}", "{b} {d}", "{d}th of {B}, {y}", "{d:02d}{m:02d}{y}", "{B}-{d}",
         "{d} / {m} / {s:02d}"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.dates(date(1930, 1, 1), date(2030, 1, 1)),
    st.dates(date(1930, 1, 1), date(2030, 1, 1)),
    st.lists(st.sampled_from([*FORMS, "12.5 x 3.1 cm", "2019", "may"]), max_size=5),
)
def test_known_dates_are_found_as_by_searching_for_every_spelling(day, other, forms):
    names = {"d": day.day, "m": day.month, "y": day.year, "s": day.year % 100}
    text = " and ".join(f.format(**names, b=f"{day:%b}", B=f"{day:%B}".upper()) for f in forms)
    days = [other, day]
    assert list(find_dates(text, days)) == list(slow_dates(text, days))
    if any("{" in form for form in forms):
        assert list(find_dates(text, [day]))


def test_known_ids_are_found_across_separators_zeros_and_case():
    for text in ("id mrn-481-511", "000MRN481511", "mrn 481511.", "MRN.481/511"):
        assert list(find_ids(text, ["MRN481511"], kind="ID")), text
    assert not list(find_ids("MRN481512", ["MRN481511"], kind="ID"))


def slow_ids(text, one, embedded):
    """The id as one expression, as its rule is worded."""
    core = re.sub(r"[^A-Za-z0-9]", "", one).lstrip("0")
    loose = "" if core.isdigit() and len(core) < 7 else r"[\s./_-]?"
    edge = ("", "") if embedded else (r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
    body = loose.join(map(re.escape, core))
    return [m.span() for m in re.finditer(f"{edge[0]}0*{body}{edge[1]}", text, re.IGNORECASE)]


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(["A1B2", "12345", "1234567", "1212121", "ZZ00ZZ", "9.8-7/6 5 4 3"]),
    st.lists(
        st.sampled_from(
            [*"A1B2z09", "12", "1234567", "A1B2", "a-1.b 2", "00", " ", "-", ". ", "é"]
        ),
        max_size=9,
    ),
    st.booleans(),
)
def test_ids_are_found_as_by_one_expression_for_each(one, pieces, embedded):
    text = "".join([*pieces, one, *pieces])
    found = [(h.start, h.end) for h in find_ids(text, [one], kind="ID", embedded=embedded)]
    assert found == slow_ids(text, one, embedded)

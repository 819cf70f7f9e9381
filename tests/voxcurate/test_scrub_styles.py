# ruff: noqa: E501 -- lines of notes read best as they stand
"""Identifiers nobody told us about, in the styles of many hospitals; and the promises about all."""

import re
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.phi_text import texts
from voxcurate.identifiers import Identifiers
from voxcurate.scrub import Scrubber, ScrubConfig, leak_scan
from voxcurate.scrubbing.dates import shifted

SCRUBBER = Scrubber()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (
            "Mr. Jones was seen. Discussed with Dr. Okonkwo-Baptiste.",
            "Mr. [NAME] was seen. Discussed with Dr. [NAME].",
        ),
        ("cc: Dr. Amy Wu, Dr. R. Patel", "cc: Dr. [NAME], Dr. [NAME]"),
        ("Seen by J. Smith, PA-C and K. O'Neil RN.", "Seen by [NAME], PA-C and [NAME] RN."),
        ("/s/ Jane Roe", "/s/ [NAME]"),
        ("JPM/lrs", "[NAME]"),
        ("Her husband, Tom, and son of Margaret.", "Her husband, [NAME], and son of [NAME]."),
        (
            "pt smith seen by dr jones. wife mary at bedside. spoke w/ johnson re plan.",
            "pt [NAME] seen by dr [NAME]. wife [NAME] at bedside. spoke w/ [NAME] re plan.",
        ),
        (
            "PATIENT: DOE, JOHN A. NOTIFIED: NURSE WILLIAMS. HIS WIFE MARY WAS PRESENT.",
            "PATIENT: [NAME]. NOTIFIED: NURSE [NAME]. HIS WIFE [NAME] WAS PRESENT.",
        ),
        ("Name: SMITH, JOHN; Maria de la Cruz; Abdul Al-Rahman", "Name: [NAME]; [NAME]; [NAME]"),
        ("Kowalczyk was brought in by ambulance.", "[NAME] was brought in by ambulance."),
        (
            "Dr Jones; Consultant Radiologist: Prof. A. B. Carter FRCR",
            "Dr [NAME]; Consultant Radiologist: Prof. [NAME] FRCR",
        ),
        ("Dr. May and Dr. Long met Mrs. Park.", "Dr. [NAME] and Dr. [NAME] met Mrs. [NAME]."),
        (
            "Sehr geehrter Herr Kollege Weiß, Frau Schäfer-Klein klagt.",
            "Sehr geehrter Herr Kollege [NAME], Frau [NAME] klagt.",
        ),
        ("Mw. Jansen en dhr. van den Berg", "Mw. [NAME] en dhr. [NAME]"),
        (
            "Admitted Mon 3 Mar, discharged 3/14. CT from March. On the 14th.",
            "Admitted [DATE], discharged [DATE]. CT from [DATE]. On [DATE].",
        ),
        (
            "March of 2020; 03/2020; Jan-Mar 2020; March 3-5, 2020; 3/4-3/9/2020",
            "[DATE]; [DATE]; [DATE]; [DATE]; [DATE]",
        ),
        (
            "04/05/20 1430 hrs; 2020-04-05T10:22:01Z; 03APR1950; am 5.4. und 7.4.2020",
            "[DATE]; [DATE]; [DATE]; am [DATE]. und [DATE]",
        ),
        (
            "Labs on 11/3: Na 140. Cultures from 4/17.",
            "Labs on [DATE]: Na 140. Cultures from [DATE].",
        ),
        (
            "Acc 20-12345; case # S21-1234; SSN xxx-xx-1234; ID 0042",
            "Acc [ID]; case # [ID]; SSN [ID]; ID [ID]",
        ),
        (
            "Serial number: 12AB345; VIN 1HGCM82633A004352; license plate ABC 1234; login jdoe1",
            "Serial number: [ID]; VIN [ID]; license plate [ID]; login [ID]",
        ),
        (
            "020 7946 0958; 07700 900123; 030-1234567; 01 23 45 67 89; 06-12345678; +49 30 1234567",
            "; ".join(["[PHONE]"] * 6),
        ),
        (
            "617 555 1234; 555-1234; ext. 4321; pager #12345; (07) 5331 0577",
            "[PHONE]; [PHONE]; ext. [PHONE]; pager #[PHONE]; [PHONE]",
        ),
        (
            "221B Baker Street, London NW1 6XE; Hauptstr. 12, 69117 Heidelberg; 12 rue de la Paix, 75002 Paris",
            "[ADDRESS]; [ADDRESS]; [ADDRESS]",
        ),
        (
            "De Vlinder 2, 3527 BC Maasbree; Via Roma 12, 20121 Milano",
            "[ADDRESS]; [ADDRESS]",
        ),
        ("Ward 7B, Room 412, bed 12A", "Ward [ADDRESS], Room [ADDRESS], bed [ADDRESS]"),
        (
            "Transferred from MGH to Brigham and Women's Hospital; Mount Sinai; St. Mary's; Klinikum Fulda",
            "Transferred from [INSTITUTION] to [INSTITUTION]; [INSTITUTION]; [INSTITUTION]; [INSTITUTION]",
        ),
        (
            "94 y/o; ninety-three year old; age 101; 90F; in her 90s; aged 95 years; 89-year-old; temp 99 F",
            "[AGE] y/o; [AGE] year old; age [AGE]; [AGE]F; in her [AGE]; aged [AGE] years; 89-year-old; temp 99 F",
        ),
        ("192.168.1.10, 00:1B:44:11:3A:B7, mgh.harvard.edu", "[IP], [IP], [URL]"),
        ("(058)5061099\nt.roe@x.nl", "[PHONE]\n[EMAIL]"),
    ],
)
def test_what_looks_like_an_identifier_goes(text, clean):
    assert SCRUBBER.scrub(text).text == clean


@pytest.mark.parametrize(
    "text",
    ["Monitoring 10.0 I30f", "Case: 45-year-old woman", "Michels type III", "a 10 Fr Cook drain", "Christmas-tree sign",
     "Protocol: 1200/50", "Nuclear Medicine Clinic", "pain 9/10 -> 2/10", "linezolid d 9/14"],
)  # fmt: skip
def test_what_only_looks_like_an_identifier_stays(text):
    assert SCRUBBER.scrub(text).text == text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("ORDERING: HAND, PETER DO", "ORDERING: [NAME] DO"),
        ("Chart 7713; lot 6E1129A; 120356-789X", "Chart [ID]; lot [ID]; [ID]"),
        ("am 17. Jänner 2023; 2021. augusztus 19.; New Year's Eve", "am [DATE]; [DATE].; [DATE]"),
        ("Rua das Flores, 32, 9999-021 Vila Serena", "[ADDRESS]"),
        ("by mdh\\jpike; (Naidoo/Tran)", "by [OTHER]; ([NAME])"),
    ],
)  # fmt: skip
def test_identifiers_of_many_countries_go(text, clean):
    found = SCRUBBER.scrub(text).text
    assert found == clean or not set(re.findall(r"\w{4,}", found)) - set(
        re.findall(r"\w{4,}", clean)
    )


def test_what_is_a_name_in_one_place_is_one_in_the_others():
    text = "Dr. Oyelaran called. The plan of Oyelaran stands."
    assert SCRUBBER.scrub(text).text == "Dr. [NAME] called. The plan of [NAME] stands."


def test_doubtful_ones_are_listed_and_left_if_so_asked():
    text = "Grant denies pain; MRN: 778123."
    result = SCRUBBER.scrub(text)
    assert result.text == "[NAME] denies pain; MRN: [ID]."
    assert [text[hit.start : hit.end] for hit in result.review] == ["Grant"]
    left = Scrubber(ScrubConfig(doubtful=False)).scrub(text)
    assert left.text == "Grant denies pain; MRN: [ID]."
    assert left.review == result.review


@pytest.mark.parametrize("note", list(texts(0, 26)), ids=lambda note: note.style)
def test_scrubbing_twice_changes_nothing_and_leaves_no_leak(note):
    for text in (note.text, note.text.upper(), note.text.lower()):
        once = SCRUBBER.scrub(text).text
        assert SCRUBBER.scrub(once).text == once
        assert leak_scan(once, Identifiers()) == []


pieces = st.lists(
    st.one_of(
        st.sampled_from([t.text[i : i + 40] for t in texts(0, 13) for i in range(0, 400, 37)]),
        st.sampled_from(["[NAME]", "[DATE]", "\x01", "[DATE 2020-01-01]", " ", "\n", ", ", "Dr. ", "MRN "]),
        st.text(max_size=6),
    ),
    max_size=8,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(pieces)
def test_any_mixture_is_scrubbed_once_and_its_spans_fit(text):
    result = SCRUBBER.scrub(text)
    assert SCRUBBER.scrub(result.text).text == result.text
    rebuilt, last = [], 0
    for hit in result.replacements:
        assert last <= hit.start < hit.end <= len(text)
        rebuilt += [text[last : hit.start], f"[{hit.kind}]"]
        last = hit.end
    assert "".join([*rebuilt, text[last:]]) == result.text


def test_every_process_finds_the_same():
    code = (
        "from benchmarks.phi_text import texts; from voxcurate.scrub import Scrubber; "
        "print([Scrubber().scrub(t.text).text for t in texts(0, 13)])"
    )
    said = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."}).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


@settings(deadline=None)
@given(st.dates(date(1990, 3, 1), date(2030, 1, 1)), st.integers(1, 300), st.integers(1, 300))
def test_moved_dates_keep_their_distance_in_every_spelling(day, gap, days):
    later = date.fromordinal(day.toordinal() + gap)
    forms = [
        "{0:%Y-%m-%d}",
        "{0:%d.%m.%Y}",
        "{0:%m/%d/%Y}",
        "{0:%B} {0.day}, {0.year}",
        "{0.day} {0:%b} {0.year}",
    ]
    moved = set()
    for form in forms:
        first, second = (
            date.fromisoformat(shifted(form.format(d), -days, year=None)) for d in (day, later)
        )
        assert (second - first).days == gap
        moved.add(first)
    assert len(moved) == 1
    short = shifted(f"{day:%m/%d}", -days, year=day.year)
    assert short == f"--{moved.pop():%m-%d}"


@pytest.mark.parametrize(
    ("written", "moved"),
    [("March 2020", "2020-02"), ("03/2020", "2020-02"), ("2020-03", "2020-02"), ("3/14", "--02-12"),
     ("March 3rd", "--02-01"), ("14 Mar", "--02-12"), ("sometime", ""), ("2020-02-30", "")],
)  # fmt: skip
def test_partial_dates_move_as_far_as_they_say(written, moved):
    assert shifted(written, -30, year=2021) == moved
    if not moved.startswith("--"):
        assert shifted(written, -30, year=None) == moved

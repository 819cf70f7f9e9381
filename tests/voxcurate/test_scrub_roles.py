"""Given names beside a role, initials that end an entry, dictation as spoken, houses by endings."""

import pytest

from voxcurate.scrub import Scrubber

SCRUBBER = Scrubber()


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Booked with Navigator Tamika (tel below).", "Tamika"),
        ("Please ask for Meg at the desk.", "Meg"),
        ("Preferred name: Bex\nDOB: [DATE]", "Bex"),
        ("Nombres: Yuridia\nEdad: 40", "Yuridia"),
        ("[09:10] Kit SHO: on my way\n[09:12] Kit SHO: done", "Kit"),
        ("Went out to smoke, back with Security (Daz).", "Daz"),
        ("Side marker wrong, corrected kzv 20230418", "kzv"),
        ("Reader 1 hmv Reader 2 A. Bell", "hmv"),
        ("Sent to the new address. QVR\n\nNext page", "QVR"),
        ("Time spent 40 min. D.K.", "D.K"),
        ("Dose given per Dr. T-R. Stable.", "T-R"),
        ("DATE OF BIRTH JULY SECOND 1951 SEEN", "JULY SECOND 1951"),
        ("SEEN APRIL NINE 2023 AT THE CLINIC", "APRIL NINE 2023"),
        (
            "female, born fourth of the second twenty six, hip scan",
            "fourth of the second twenty six",
        ),
        ("Call me, my pager's 4419.", "4419"),
        ("His grandad, ninety-two, has a cough.", "ninety-two"),
        ("nefrectomia il 1° giugno, poi controllo", "1° giugno"),
        ("Hielprik donderdag 8-3.", "donderdag 8-3"),
        ("END OF DICTATION KL SLASH PM", "KL SLASH PM"),
        ("seen\nPike Hollow Surgery\nTel", "Pike Hollow"),
        ("(Little Larks Peds) has her vaccines", "Little Larks"),
    ],
)
def test_it_goes(text, gone):
    clean = SCRUBBER.scrub(text).text
    assert gone not in clean
    assert SCRUBBER.scrub(clean).text == clean


@pytest.mark.parametrize(
    "text",
    [
        "Fragmin 28/7, then review. Septrin tds, 14/7. Beighton 6/9. CT at 6/12.",
        "He may first need a scan; march on. One to two weeks. Corrected QT 440. Checked by phone.",
        "Read by the team. Pain by day. Robotic surgery. Ask for help. Known as: unknown",
        "Plan: home. NAD\n\nStable. WNL\n\nSecurity (door) closed. Driver side airbag.",
        "Drains out, then home, nil more. Two units given.\n\nBooked for review in the clinic.",
    ],
)
def test_it_stays(text):
    assert SCRUBBER.scrub(text).text == text

"""The round report over a workspace filled by hand: what it says, survives and hides."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from agent.report import write_report
from agent.report.annotation import above_cut, case_attention
from agent.report.blocks import ml
from agent.report.build import build_sections
from agent.report.cohort import funnel, in_kinds
from agent.report.pictures import Album
from agent.report.quality import flagship, read_curve, scores
from agent.report.summary import needs_person
from agent.report.view import load_view
from agent.report.volumes import volumes
from tests.agent.curated import fill, phantoms
from voxcurate.catalog import Catalog, Measure, Model, Scan, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.errors import CurationError
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

N = 18


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("calm") / "workspace", phantoms(N))


@pytest.fixture(scope="module")
def page(curated):
    return write_report(curated, 2).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sections(curated):
    return {s.id: s for s in build_sections(load_view(curated, 2))}


@pytest.fixture
def fresh(tmp_path):
    return fill(tmp_path / "workspace", phantoms(8))


class Outline(HTMLParser):
    """Every link target, every id and every open element of a page."""

    void = frozenset({"meta", "img", "br", "link", "use", "path"})

    def __init__(self, text):
        super().__init__()
        self.targets, self.ids, self.tags, self.stack, self.alts = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.targets += [given[n] for n in ("src", "href", "xlink:href", "data") if n in given]
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "img":
            self.alts.append(given.get("alt"))
        if tag not in self.void:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        before = len(self.stack)
        self.handle_starttag(tag, attrs)
        del self.stack[before:]

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.stack.pop() == tag


def section(ctx, name):
    return next(s for s in build_sections(load_view(ctx, 2)) if s.id == name)


def words(block):
    return json.dumps(block, default=lambda x: vars(x) if hasattr(x, "__dict__") else str(x))


def test_the_page_is_whole_and_asks_for_nothing(page):
    outline = Outline(page)
    assert outline.stack == []
    assert not {"script", "link", "iframe", "object"} & set(outline.tags)
    loose = [t for t in outline.targets if not t.startswith(("data:image/png;base64,", "#"))]
    assert loose == ["config.yaml"]
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_ids_are_unique_and_inner_links_meet_one(page):
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    wanted = {t[1:] for t in outline.targets if t.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(outline.ids)


def test_every_picture_has_an_alternative_text(page):
    alts = Outline(page).alts
    assert len(alts) > 20
    assert all(alts)


def test_no_section_failed_and_each_has_content_or_a_reason(sections):
    for made in sections.values():
        assert made.blocks or made.empty, made.id
        assert "could not be made" not in words(made)


def test_text_from_the_catalog_is_escaped(page):
    assert "&lt;b&gt;pancreas&lt;/b&gt;" in page
    assert "<b>" not in page


def test_only_case_ids_no_patients_no_paths(page, curated):
    text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", page)
    assert "patient0" not in text
    assert str(curated.workspace.root) not in text
    assert "alpha_0001" in text


def test_written_twice_it_is_the_same(page, curated):
    assert write_report(curated, 2).read_text(encoding="utf-8") == page


def test_sixty_pictures_stay_below_ten_megabytes(page):
    assert len(page) < 10_000_000


def test_the_funnel_counts_every_loss(sections):
    chart = sections["funnel"].blocks[0]
    assert chart.alt == (
        f"found by ingest: {N + 1} scans; readable: {N} scans; named by the cohort query: {N} "
        f"scans; not rejected: {N - 1} scans; not a duplicate: used: {N - 2} scans"
    )


def test_reasons_are_counted_by_kind():
    assert in_kinds("all_noise: neighbours differ (0.1); not_hu: odd (0.2)") == "all noise, not hu"
    assert in_kinds("identical_pixels: the same scan as b") == "identical pixels"
    assert in_kinds("") == "no reason given"


@pytest.mark.parametrize(
    ("volume", "text"), [(0.05561, "0.0556"), (63.63, "63.6"), (9814.7, "9,815"), (0.0, "0")]
)
def test_volumes_are_written_for_people(volume, text):
    assert ml(volume) == text


def test_the_cohort_query_narrows_the_funnel(curated):
    named = frozenset(f"{'alpha' if i % 2 else 'beta'}_{i:04d}" for i in range(5))
    chart = funnel(load_view(replace(curated, cohort=named), 2)).blocks[0]
    assert "named by the cohort query: 5 scans" in chart.alt


def test_duplicates_name_who_stays_and_how_alike_they_are(sections):
    (gallery,) = sections["duplicates"].blocks
    (card,) = gallery.cards
    assert card.title == f"alpha_{N - 1:04d} leaves, beta_0000 stays"
    assert [bool(p.uri) for p in card.pictures] == [True, True]
    assert "hash distance (of 256 bits) 3" in card.lines[1]


def test_attention_leaves_test_cases_out_and_cuts_where_the_config_says(curated):
    view = load_view(curated, 2)
    sizes = case_attention(view)
    assert sorted(sizes.values(), reverse=True) == list(sizes.values())
    assert not {c for c in sizes if view.scans[c].split == "test"}
    cut, words_for_it = above_cut(view)
    assert sum(v >= cut for v in sizes.values()) == int(np.ceil(0.1 * len(sizes)))
    assert words_for_it == "the top 10% of the cases"


def test_the_flags_of_the_priority_list_go_before_the_rule(fresh):
    sizes = list(case_attention(load_view(fresh, 2)))
    rows = "".join(f"{i},{c},{int(i < 3)}\n" for i, c in enumerate(sizes))
    fresh.workspace.round_path(2, "priority.csv").write_text("rank,case_id,outlier\n" + rows)
    view = load_view(fresh, 2)
    assert above_cut(view)[0] == case_attention(view)[sizes[2]]


def test_quality_is_that_of_the_flagship_on_test_only(curated):
    view = load_view(curated, 2)
    assert flagship(view, view.measures, 2) == "flag2"
    table = {
        m.case_id: m.value
        for m in view.measures
        if (m.stage, m.name, m.model_id, m.class_id) == ("evaluate", "dsc", "flag2", "liver")
        and view.scans[m.case_id].split == "test"
    }
    score = scores(view)["liver", "dsc"]
    assert score.now.mean == pytest.approx(np.mean(list(table.values())))
    assert score.now.n == len(table)
    assert score.now.low <= score.now.mean <= score.now.high
    whole = scores(view)["", "dsc"]
    means = [scores(view)[c, "dsc"].now.mean for c in ("liver", "pancreas", "spleen")]
    assert whole.now.mean == pytest.approx(np.mean(means))
    assert whole.change.mean == pytest.approx(whole.now.mean - whole.before.mean)


def test_a_model_that_has_seen_a_test_patient_is_shown_up(fresh):
    test_case = next(s.case_id for s in fresh.catalog.rows(Scan, split="test"))
    model = fresh.catalog.one(Model, model_id="flag2")
    with fresh.catalog.write() as writer:
        writer.put(replace(model, training_cases=[*model.training_cases, test_case]))
    assert "The figures are not valid" in words(section(fresh, "quality"))


def test_the_last_evaluated_round_is_compared_even_if_one_lies_between(fresh):
    with fresh.catalog.write() as writer:
        for m in writer.rows(Measure, round=2, stage="evaluate"):
            writer.put(replace(m, round=4))
    view = load_view(fresh, 4)
    assert view.number_before == 2
    assert scores(view)["", "dsc"].change.mean == pytest.approx(0.0)


def test_changed_labels_show_reason_and_decider(sections):
    gallery = sections["changes"].blocks[1]
    said = [line for card in gallery.cards for line in card.lines]
    assert "decided by reader one (review)" in said
    assert "decided by shape judge 1 (judge)" in said
    assert all(p.uri for card in gallery.cards for p in card.pictures)


def test_what_people_answered_does_not_wait(curated):
    view = load_view(curated, 2)
    asked = {(d.case_id, d.class_id) for d in view.decided("review", "queued")}
    answered = {(d.case_id, d.class_id) for d in view.decided("review", "revised")}
    assert answered
    assert {(d.case_id, d.class_id) for d in view.waiting} == asked - answered


def test_a_broken_scan_costs_one_picture_not_the_report(fresh):
    victim = fresh.catalog.rows(Scan, status="suspect")[0]
    (fresh.workspace.root / victim.path).write_bytes(b"no volume")
    gone = fresh.catalog.rows(Scan, status="rejected")[0]
    (fresh.workspace.root / gone.path).unlink()
    text = write_report(fresh, 2).read_text(encoding="utf-8")
    assert "no picture: its file is not in the workspace" in text
    assert "could not be drawn" in text
    assert Outline(text).stack == []
    assert str(fresh.workspace.root) not in text


def test_a_section_that_breaks_is_said_and_the_rest_stays(fresh, monkeypatch):
    from agent.report import volumes as module

    def fail(*_):
        raise ValueError("odd value")

    monkeypatch.setattr(module, "volumes", fail)
    text = write_report(fresh, 2).read_text(encoding="utf-8")
    assert "This section could not be made: ValueError" in text
    assert "Provenance" in text


def test_pictures_stop_at_their_room(fresh):
    scan = fresh.catalog.rows(Scan)[0]
    album = Album(fresh, max_bytes=1)
    assert album.scan(scan.case_id, scan).uri
    assert "room for pictures" in album.scan(scan.case_id, scan).missing


def test_the_first_round_and_an_empty_catalog_make_pages_too(curated, tmp_path):
    first = write_report(curated, 1).read_text(encoding="utf-8")
    assert "there is no earlier round to compare with" in first
    workspace = Workspace.create(tmp_path / "new", key_file="key")
    catalog = Catalog(workspace.catalog_url)
    empty = StageContext(workspace, catalog, load_vocabulary(), round=1, quiet=True)
    text = write_report(empty, 1).read_text(encoding="utf-8")
    for reason in ("No scan has been ingested yet", "No model was trained", "No item failed"):
        assert reason in text
    assert Outline(text).stack == []


def test_a_curve_survives_a_torn_line_and_a_repeated_step(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text(
        '{"step": 1, "loss": 2.0, "dice": [0.2, 0.4]}\n{"step": 2, "loss": NaN}\n'
        '{"step": 1, "loss": 1.5}\n[1]\n{"step": 3, "lo'
    )
    assert read_curve(path) == {"loss": [(1.0, 1.5)], "dice": [(1.0, pytest.approx(0.3))]}


def test_a_long_curve_is_thinned_and_keeps_its_ends(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(json.dumps({"step": i, "loss": i}) for i in range(1, 5002)))
    curve = read_curve(path)["loss"]
    assert len(curve) < 450
    assert (curve[0][0], curve[-1][0]) == (1, 5001)


def test_failed_items_that_were_done_since_are_no_failures(fresh):
    bad = fresh.catalog.rows(WorkItem, round=2, status="failed")[0]
    assert bad.error in words(section(fresh, "failures"))
    with fresh.catalog.write() as writer:
        writer.put(replace(bad, fingerprint="new", status="done", error=""))
    assert section(fresh, "failures").empty == "No item failed."


def test_a_volume_outlier_is_named(fresh):
    view = load_view(fresh, 2)
    case = "alpha_0001"
    huge = view.current(case, "liver")
    grown = {**view.labels, huge.label_id: replace(huge, ml=100 * huge.ml)}
    made = volumes(replace(view, labels=grown))
    assert made.blocks[-1].rows[0][:2] == ("liver", case)


def test_album_says_what_is_wrong_without_a_path(fresh):
    scan = fresh.catalog.rows(Scan)[0]
    path = fresh.workspace.root / scan.path
    volume = read_nifti(path)
    write_nifti(path, volume.with_array(volume.array))
    picture = Album(fresh).show(scan.case_id, scan, {"x": (_raise, (1, 2, 3))}, "mask")
    assert picture.missing == "no picture: the mask is odd"


def _raise():
    raise CurationError("the mask is odd")


def test_labels_that_claim_the_same_voxels_are_told(fresh):
    case = load_view(fresh, 2).used[0].case_id
    facts = {"other": "spleen", "voxels": 40, "box": [[3, 5], [2, 9], [7, 8]]}
    row = Measure(2, "assemble", case, "liver", "spleen", "conflict_ml", 12.5, facts)
    with fresh.catalog.write() as writer:
        writer.put(row)
    view = load_view(fresh, 2)
    section = next(s for s in build_sections(view) if s.id == "conflicts")
    (shown,) = section.blocks[0].rows
    assert shown == (case, view.class_name("liver"), view.class_name("spleen"), "12.5",
                     "3:5 2:9 7:8")  # fmt: skip


def test_a_class_that_no_patch_has_shown_needs_a_person(curated):
    view = load_view(curated, 2)
    counts = {"train": {"classes_in_no_patch": ["gall_bladder"]}}
    told = replace(view, round=replace(view.round, facts={**view.round.facts, "counts": counts}))
    said = "No patch of the training has shown gall bladder"
    assert any(said in line for line in needs_person(told))
    assert not any(said in line for line in needs_person(view))

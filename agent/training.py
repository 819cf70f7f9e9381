"""Training alone on files: a folder of scans and partial labels in, a MONAI bundle out.

The work is that of the rounds: cases are read by ingest's worker, trained by
`training.trainer.work:train_model`, predicted by the bundle's predictor. All state lies in a work
folder beside the bundle; killed at any point, the same call goes on, and when done it does nothing.
"""

import fcntl
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.ingest.records import Case
from agent.training_cases import Folder, ReadCase, describe, inputs_mark, read_cases
from agent.training_check import predict_and_score, summary
from agent.training_failures import failures_path, write_failures
from agent.training_job import (
    PLAN,
    VERSION,
    How,
    Job,
    ancestor_network,
    check_begun,
    make_job,
    payload_for,
    run_worker,
)
from agent.training_split import held_out, linked
from training.config import PlanningConfig, TrainingConfig, network_config
from voxcurate.atomic import write_text
from voxcurate.classes import load_vocabulary
from voxcurate.config import build, parse_overrides, shipped
from voxcurate.errors import ConfigError, TrainingError
from voxcurate.ids import content_id, file_sha256

BADLY = 0.1  # mean DSC of a class on held-out cases below which the model has not learnt it
MADE, METRICS = "made.json", "metrics.json"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")
Tell = Callable[[str], None]


@dataclass
class Trained:
    """What became of it: `reused` if the same call was done before."""

    bundles: list[str]
    metrics: dict[str, Any]
    plan: dict[str, Any]
    training_cases: int = 0
    held_out_cases: int = 0
    classes: list[str] = field(default_factory=list)
    skipped_classes: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    reused: bool = False


def train_folder(folder: Path, how: How, tell: Tell = lambda line: None) -> Trained:
    """Train on a folder.

    Args:
        folder: scans, and labels of some or all of them.
        how: what is asked.
        tell: hears, before the long part begins, what will be done and why.

    Raises:
        ConfigError: a wrong setting, or another model lies at `how.out`.
        SourceError: the folder cannot be understood.
        TrainingError: nothing to train on, or the training failed.
    """
    how = replace(how, out=Path(os.path.abspath(how.out)))  # noqa: PTH100 - "." has no name
    layers = _checked(how)
    if not folder.is_dir():
        raise ConfigError(
            f"want a folder to train on, found {'a file' if folder.exists() else 'none'}"
        )
    vocabulary = load_vocabulary(*([how.own_classes] if how.own_classes else []))
    work = how.out.parent / f".{how.out.name}.work"
    draft_to = how.out.parent / f"{how.out.name}.source.yaml"
    raw_draft_to = how.out.parent / f"{how.out.name}.raw.yaml"
    hidden = (how.out, work)
    found = describe(folder, how.source, vocabulary, draft_to, leave_out=hidden)
    raw = None
    if how.raw is not None:
        raw = describe(how.raw, how.raw_source, vocabulary, raw_draft_to, leave_out=hidden,
                       labels=False)  # fmt: skip
    inputs = [inputs_mark(each) for each in (found, raw) if each is not None]
    parts = _parts(how, layers, inputs)
    mark = content_id(VERSION, *parts.values())
    done = _done(how.out, mark)
    if done is not None:
        return done
    gold = _gold(how, found.cases)
    if len({case.patient for case in found.cases}) < how.folds:
        raise ConfigError(f"--folds {how.folds}: there are fewer patients")
    with _locked(work):
        check_begun(work, {what: content_id(part) for what, part in parts.items()})
        reading = read_cases(found, work / "cases")
        unlabelled = read_cases(raw, work / "raw") if raw is not None else None
        failed = reading.failed | (unlabelled.failed if unlabelled else {})
        every = [*found.cases, *(raw.cases if raw else ())]
        write_failures(how.out, every, failed, found.strays)
        cases = linked([*reading.cases, *(unlabelled.cases if unlabelled else ())])
        further, cases = cases[len(reading.cases) :], cases[: len(reading.cases)]
        labelled = [case for case in cases if case.labels]
        noted = _of_strays(found, how.out)
        if not labelled:
            why = [_no_label(found, failed, how.out), *noted]
            raise TrainingError("; ".join(why))
        for line in noted:
            tell(f"warning: {line}")
        bare = [case for case in cases if not case.labels]
        if bare:
            tell(f"plan: images without a label: {len(bare)}; nothing is learnt from them unless "
                 "mix.unlabeled says so")  # fmt: skip
        tell(f"plan: {_of_patients(found.cases)}")
        pool = [*bare, *further]
        held = held_out(labelled, how, _taught(how))
        job = make_job(how, layers, vocabulary, labelled, pool, gold, held[0], work, mark, tell)
        for reason in job.plan.reasons:
            tell(f"plan: {reason}")
        result = _train_all(job, held, tell)
        result.failed.update(failed)
        result.warnings += noted
        write_failures(how.out, every, result.failed, found.strays)
        _seal(how.out, mark, result)
    shutil.rmtree(work, ignore_errors=True)
    return result


def _of_patients(cases: Sequence[Case]) -> str:
    """How it is known which scans are of one patient: these are held out together."""
    n_alone = sum(not case.is_patient_told for case in cases)
    if not n_alone:
        return f"{len({case.patient for case in cases})} patients, as header or description tell"
    return (
        f"{n_alone} of {len(cases)} scans count as a patient each: nothing tells whose they are "
        "(`patient` or `patients` of its description would)"
    )


def _of_strays(found: Folder, out: Path) -> list[str]:
    """What is said of labels that belong to no image: they are left out, not learnt."""
    if not found.strays:
        return []
    n, where = len(found.strays), failures_path(out).name
    files = "1 label file belongs" if n == 1 else f"{n} label files belong"
    return [f"{files} to no image of the folder by name: left out (named in {where})"]


def _no_label(found: Folder, failed: Mapping[str, str], out: Path) -> str:
    why = ""
    if failed:
        first = min(failed)
        why = (
            f"; {len(failed)} files failed (named in {failures_path(out).name}), the first: "
            f"{first}: {failed[first]}"
        )
    if found.source.layout == "dicom" and not any(case.masks for case in found.cases):
        why += (
            "; labels of DICOM series are DICOM SEG files, or volumes that a dataset.yaml names: "
            'layout: dicom, masks: [{path: "{folder}/{class}.nii.gz"}]'
        )
    return f"no case has a label that can be used ({len(found.cases)} cases in the folder{why})"


def _checked(how: How) -> dict[str, Any]:
    """The overrides, as a mapping."""
    if how.steps and how.minutes:
        raise ConfigError("want --steps or --minutes, not both")
    if not math.isfinite(how.minutes):
        raise ConfigError(f"want --minutes as a number, found {how.minutes:g}")
    if how.folds == 1 or how.folds < 0:
        raise ConfigError(f"want --folds of at least 2, found {how.folds}")
    if not 0 <= how.hold_out < 1:
        raise ConfigError(f"want --hold-out from 0 to below 1, found {how.hold_out:g}")
    if not NAME.fullmatch(how.name):
        raise ConfigError("--name: want letters, digits, '_', '.' and '-' only, at most 64")
    if how.gold is not None and not how.gold.is_file():
        raise ConfigError("--gold: no such file")
    if how.raw is not None and not how.raw.is_dir():
        raise ConfigError("--raw: no such folder")
    if how.warm is not None:
        ancestor_network(how)
        _check_weights(how.warm)
    names = sorted(path.stem for path in shipped("networks").glob("*.yaml"))
    if how.network and how.network not in names:
        raise ConfigError(f"--network {how.network}: there are {', '.join(names)}")
    if how.network:
        network_config(how.network)
    layers = parse_overrides(how.settings)
    own = dict(layers)
    build(PlanningConfig, own.pop("planning", {}))
    build(TrainingConfig, own)
    return layers


def _check_weights(bundle: Path) -> None:
    from training.bundle.folder import check_weights

    try:
        check_weights(bundle)
    except TrainingError as error:
        raise ConfigError(f"--warm: {error}") from None


def _parts(how: How, layers: Mapping[str, Any], inputs: Sequence[str]) -> dict[str, Any]:
    """What a model depends on, by what a person calls it; not the measured speed, which only
    decides once."""
    asked = [how.network, how.steps, how.minutes, how.hold_out, how.folds, how.seed, how.name]
    files = [
        file_sha256(path) if path is not None else ""
        for path in (how.gold, how.own_classes, how.warm and how.warm / "models" / "model.pt")
    ]
    return {"options": asked, "settings": layers, "cases": inputs, "gold, classes or bundle": files}


def _done(out: Path, mark: str) -> Trained | None:
    """What the same call did before; None if it did not come to an end, or a model is gone.

    Raises:
        ConfigError: something else lies there.
    """
    made = _json(out / MADE)
    if made.get("mark") == mark:
        found = Trained(**made["result"] | {"reused": True})
        if all(_finished(out / bundle, mark) for bundle in found.bundles):
            return found
    parts = [_json(path) for path in (out / METRICS, *out.glob(f"fold_*/{METRICS}"))]
    marks = {part.get("mark") for part in parts if part}
    if (out.exists() and not out.is_dir()) or marks - {mark} or (
        out.is_dir() and any(out.iterdir()) and not marks
    ):  # fmt: skip
        raise ConfigError(
            f"{out.name} holds something else already (another model, other cases or settings): "
            "choose another --out, or remove it"
        )
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _seal(out: Path, mark: str, result: Trained) -> None:
    """What says that all of it is there; the last to be written."""
    write_text(out / MADE, json.dumps({"mark": mark, "result": asdict(result)}, indent=1) + "\n")


@contextmanager
def _locked(work: Path) -> Iterator[None]:
    """The work folder is this process's alone."""
    try:
        work.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"--out: nothing can be written there: {error.strerror}") from None
    with (work / ".lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError("another voxcurate command trains this bundle") from None
        yield


def _gold(how: How, cases: Sequence[Case]) -> frozenset[str]:
    """The cases that a file names, by path, by what their pattern calls them, or by id."""
    if how.gold is None:
        return frozenset()
    try:
        lines = how.gold.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError("--gold: the file cannot be read") from None
    wanted = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    names = {case.case_id: {case.case_id, case.path, *case.fields.values()} for case in cases}
    unknown = wanted - {name for own in names.values() for name in own}
    if unknown:  # their names may identify: told by number
        raise ConfigError(f"--gold: {len(unknown)} of {len(wanted)} lines name no case")
    return frozenset(case_id for case_id, own in names.items() if own & wanted)


def _taught(how: How) -> frozenset[str]:
    """The patients that trained the model it starts from, and that model's ancestors."""
    from training.bundle.folder import read_facts

    return frozenset(read_facts(how.warm).training_patients if how.warm is not None else ())


def _train_all(job: Job, held: Sequence[frozenset[str]], tell: Tell) -> Trained:
    how = job.how
    result = Trained([], {}, job.plan.to_json(), warnings=list(job.plan.warnings))
    scores: dict[str, Any] = {}
    for n, some in enumerate(held):
        fold = n if how.folds else None
        out = how.out / f"fold_{n}" if how.folds else how.out
        made = _finished(out, job.mark) or _train_one(job, some, fold, out, tell)
        result.bundles.append(out.name if fold is not None else ".")
        result.classes = sorted({*result.classes, *made["classes"]})
        result.skipped_classes = sorted({*result.skipped_classes, *made["skipped_classes"]})
        result.failed.update(made["failed"])
        result.warnings += [line for line in made["warnings"] if line not in result.warnings]
        scores.update(made["scores"])
        result.training_cases = max(result.training_cases, made["training_cases"])
    result.held_out_cases = len(scores)
    patients = {case.case_id: case.owner for case in job.cases}
    if scores:
        result.metrics = summary(scores, patients, result.classes, how.seed)
        result.warnings += _unlearnt(result)
    else:
        n = sum(map(len, held))
        why = f"none of {n} held-out cases could be scored" if n else "nothing was held out"
        result.warnings.append(f"{why}: nobody knows what this model is worth")
    for name in result.skipped_classes:
        result.warnings.append(f"class {name}: no voxel of it in the training cases: left out")
    if how.folds:
        told = {"mark": job.mark, "held_out": result.metrics, "scores": scores}
        write_text(how.out / METRICS, json.dumps(told, indent=1) + "\n")
    return result


def _told_by(
    value: Mapping[str, Any], payload: Mapping[str, Any], hidden: Sequence[ReadCase]
) -> list[str]:
    """What the training says that a person should know."""
    from training.bundle.folder import read_facts

    found = [f"class {name}: in no patch that was drawn" for name in value["unseen_classes"]]
    if value["bad_steps"]:
        cases = ", ".join(value["bad_cases"]) or "unknown"
        found.append(f"{value['bad_steps']} steps without a finite loss were skipped: {cases}")
    asked = list(payload["training"]["patch"])
    if value["patch"] != asked or value["parts"] > 1:
        found.append(
            f"memory was short: patches of {value['patch']}, {value['parts']} parts a step"
        )
    if payload["warm"]:
        taught = set(read_facts(Path(payload["warm"])).training_patients)
        seen = [case for case in hidden if case.patient in taught]
        if seen:
            found.append(
                f"{len(seen)} of {len(hidden)} held-out cases are of patients that trained the "
                "model it started from: their scores are too good"
            )
        elif hidden and not taught & set(payload["patients"]):
            found.append(
                "no patient here is known to the model it started from; if that was trained on "
                "these scans under another key (in a workspace, or by another user), the held-out "
                "scores are too good"
            )
    known = set(payload["classes"])
    only = sorted({c for case in hidden for c, ml in case.ml.items() if ml} - known)
    return found + [f"class {name}: labelled in held-out cases only: not learnt" for name in only]


def _unlearnt(result: Trained) -> list[str]:
    """One line on all classes that the model does not find."""
    bad = {
        class_id: names["dsc"]["mean"]
        for class_id, names in result.metrics["classes"].items()
        if names["dsc"] is not None and names["dsc"]["mean"] < BADLY
    }
    if not bad:
        return []
    told = ", ".join(f"{class_id} ({dsc:.2f})" for class_id, dsc in bad.items())
    return [
        f"{len(bad)} of {len(result.metrics['classes'])} classes were not learnt (mean DSC on "
        f"held-out cases below {BADLY:g}; more steps, a finer grid, more cases?): {told}"
    ]


def _finished(out: Path, mark: str) -> dict[str, Any] | None:
    """The facts of a bundle that an interrupted call left whole."""
    made = _json(out / METRICS)
    facts: dict[str, Any] | None = made.get("facts")
    is_there = (out / "models" / "model.pt").is_file()
    return facts if is_there and made.get("mark") == mark else None


def _train_one(
    job: Job, held: frozenset[str], fold: int | None, out: Path, tell: Tell
) -> dict[str, Any]:
    """One model: trained, scored on what was held out, moved into place whole."""
    from training.bundle.folder import adopt_bundle

    payload = payload_for(job, held, fold=fold, name=job.how.name)
    if payload["memory"]:
        new, old = len(payload["cases"]), len(payload["memory"])
        tell(f"plan: {new} cases are new to the model it starts from; replayed are {old} that it "
             "knows (share of the samples: mix.replay)")  # fmt: skip
    value = run_worker(payload)
    bundle = Path(value["bundle"])
    hidden = [case for case in job.cases if case.case_id in held]
    scores, failed = predict_and_score(
        bundle, value, hidden, job.vocabulary, job.work / "predictions",
        {"device": job.training.device},
    )  # fmt: skip
    patients = {case.case_id: case.owner for case in hidden}
    facts = {
        "model_id": value["model_id"],
        "sha256": value["sha256"],
        "classes": value["classes"],
        "skipped_classes": value["skipped_classes"],
        "steps": value["steps"],
        "training_cases": sum(
            case.case_id not in held | value["failed_cases"].keys() for case in job.cases
        ),
        "scores": scores,
        "failed": {**value["failed_cases"], **failed},
        "warnings": _told_by(value, payload, hidden),
    }
    table = summary(scores, patients, value["classes"], job.how.seed) if scores else {}
    write_text(
        bundle / METRICS,
        json.dumps({"mark": job.mark, "held_out": table, "facts": facts}, indent=1) + "\n",
    )
    write_text(bundle / PLAN, json.dumps(job.plan.to_json(), indent=1) + "\n")
    adopt_bundle(bundle, out)
    return facts

"""Predictions by hand: in a workspace through the ledger, or of scans alone."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voxcurate.catalog import Catalog, Model
from voxcurate.classes import Vocabulary, load_vocabulary
from voxcurate.errors import ConfigError, CurationError, WorkspaceError
from voxcurate.executors import LocalExecutor
from voxcurate.ids import content_id, file_sha256
from voxcurate.progress import progress
from voxcurate.protocols import Task
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import Workspace

LONGEST = 120  # bytes of a case's name: files have it with endings, and beside it logs and folders


@dataclass(frozen=True)
class Alone:
    """How scans without a workspace are predicted.

    Attributes:
        modality: of the scans; empty: what the model is for.
        soft: write probabilities (uint8, times 255) instead of masks.
        workers: scans at once.
        label_map: one file per case with all classes, instead of a file per class.
        is_flat: a single model, whose cases lie in `out` itself.
    """

    models: Sequence[str]
    out: Path
    own_classes: Path | None = None
    model_folder: Path | None = None
    modality: str = ""
    soft: bool = False
    workers: int = 1
    label_map: bool = False
    is_flat: bool = False

    def place(self, model: str) -> Path:
        """Where a model's cases lie."""
        return self.out if self.is_flat else self.out / model


@dataclass
class Done:
    """What became of scans: ``(model, case)`` to its classes, or to the reason why not."""

    made: dict[str, list[str]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)


def predict_in_workspace(
    given: Path | None,
    models: Sequence[str],
    cases: Sequence[str],
    settings: Sequence[str],
) -> StageResult:
    """Predict scans of a workspace, in its last round (or before the first): goes on where it was.

    Raises:
        ConfigError: no such model or case, no model at all, or a damaged one.
    """
    from agent.by_hand import by_hand
    from agent.commands import check_cases
    from training import predict

    with by_hand(given, settings) as (context, whole):
        check_cases(context.catalog, cases)
        config = whole.predict
        if models:
            config = config.model_copy(update={"models": ()})
        chosen = _chosen(context, config, models)
        for model in chosen:
            _check_bundle(*predict.spec_of(context, config, model))
        return predict.run(context, config, chosen, cases=cases)


def _check_bundle(spec: Any, weights: Path | str | None) -> None:
    """Whether a bundle of ours is whole: a damaged one would fail case after case, all alike.

    Raises:
        ConfigError: it is not.
    """
    if spec.kind != "bundle" or not weights:
        return
    from training.bundle.folder import load_bundle
    from training.predictors.bundle import is_ours

    try:
        if is_ours(Path(weights)):
            load_bundle(Path(weights))
    except CurationError as error:
        raise ConfigError(f"model {spec.name}: {error}") from None


def _chosen(context: StageContext, config: Any, names: Sequence[str]) -> list[Model]:
    """Models of the catalog by name or id, newest first; else of the zoo."""
    from agent.stages import round_models
    from training import predict

    if not names:
        found = round_models(context) + predict.external_models(context, config)
        if not found:
            raise ConfigError(
                "no model: name one with --model ('voxcurate models list' shows them), or run a "
                "round, which trains some"
            )
        return found
    known = [m for m in context.catalog.rows(Model) if m.facts.get("role") != predict.ROLE]
    chosen = []
    for name in names:
        own = [m for m in known if name in (m.name, m.model_id)]
        if own:
            chosen.append(max(own, key=lambda m: m.round))
            continue
        wanted = config.model_copy(update={"models": (name,)})
        chosen += predict.external_models(context, wanted)
    return chosen


def list_all(given: Path | None, model_folder: Path | None) -> list[dict[str, Any]]:
    """Models of the zoo, and inside a workspace those that it has trained."""
    from agent.rounds import vocabulary_of
    from training.predict import FOLDER, ROLE
    from training.predictors.listing import list_models

    try:
        workspace = Workspace.find(given)
    except WorkspaceError:
        if given is not None:
            raise
        return [_line(asdict(one)) for one in list_models(load_vocabulary(), (), model_folder)]
    places = [workspace.root / FOLDER]
    lines = [
        _line(asdict(one)) for one in list_models(vocabulary_of(workspace), places, model_folder)
    ]
    catalog = Catalog(workspace.catalog_url)
    try:
        trained = [m for m in catalog.rows(Model) if m.facts.get("role") != ROLE]
    finally:
        catalog.close()
    newest = {m.name: m for m in sorted(trained, key=lambda m: m.round)}
    for model in newest.values():
        is_there = (workspace.root / model.path).is_dir()
        lines.append(
            {
                "name": model.name,
                "kind": "bundle",
                "classes": list(model.classes),
                "licence": model.licence,
                "description": f"trained in round {model.round}",
                "available": is_there,
                "why_not": "" if is_there else "its folder is gone from the workspace",
            }
        )
    return sorted(lines, key=lambda line: str(line["name"]))


def _line(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "classes": list(values["classes"]), "available": not values["why_not"]}


def predict_alone(inputs: Sequence[Path], how: Alone) -> Done:
    """Predict scans that lie in files: ``<out>/<model>/<case>/<class>.nii.gz``, and
    ``prediction.vxp`` with all probabilities; or one label map each (`agent.predicted_files`).

    What is there already from the same scan and model stays; the same command goes on.

    Raises:
        ConfigError: no scan, no model, a model that is damaged or cannot be used here, files of
            somebody else where the results would go, or another call at the same cases.
    """
    from agent.predicted_files import check_room, claimed, number_classes
    from training.predictors.listing import describe, why_not
    from training.predictors.spec import check_classes, find_model

    vocabulary = load_vocabulary(*([how.own_classes] if how.own_classes else []))
    scans = dict(_scans(inputs))
    models, classes = [], []
    for wanted in how.models:
        model = find_model(wanted, (), how.model_folder)
        reason = why_not(model)
        if reason:
            raise ConfigError(f"model {model.spec.name}: {reason}")
        check_classes(model.spec, vocabulary)
        _check_bundle(model.spec, model.weights)
        models.append(model)
        classes.append(describe(model, vocabulary).classes)
        for case in scans:
            check_room(how.place(model.spec.name), case, classes[-1], label_map=how.label_map)
    done = Done(licences={model.spec.name: model.spec.licence for model in models})
    with ExitStack() as stack:
        for model, own in zip(models, classes, strict=True):
            stack.enter_context(claimed(how.place(model.spec.name), scans))
            if how.label_map:
                number_classes(how.place(model.spec.name), own)
        _predict(scans, models, vocabulary, how, done)
    return done


def _predict(
    scans: Mapping[str, list[Path]],
    models: Sequence[Any],
    vocabulary: Vocabulary,
    how: Alone,
    done: Done,
) -> None:
    from agent.predicted_files import finish, work_of

    tasks = list(_tasks(scans, models, vocabulary, how, done))
    marks = {task.key: task.payload.pop("mark") for task in tasks}
    limit = max((task.payload["spec"]["time_limit_s"] for task in tasks), default=1.0) + 600
    executor = LocalExecutor(workers=how.workers, time_limit_s=limit, retries=0)
    with progress("predict", len(tasks)) as bar:
        for outcome in executor.run("training.predict:predict_case", tasks):
            name, case = outcome.key.split("/", 1)
            if outcome.ok:
                temporary = Path(outcome.value["temporary"])
                done.made[outcome.key] = finish(
                    temporary, how.place(name), case, marks[outcome.key], vocabulary,
                    soft=how.soft, label_map=how.label_map,
                )  # fmt: skip
            else:
                done.failed[outcome.key] = outcome.error
                shutil.rmtree(work_of(how.place(name), case), ignore_errors=True)
            bar.advance(note=outcome.key)


def _scans(inputs: Sequence[Path]) -> Iterator[tuple[str, list[Path]]]:
    """Case name to the file, or the DICOM files, of every scan; no prediction of earlier calls."""
    from agent.predicted_files import is_own
    from cleaning.check.folder import list_files

    listing = list_files(inputs)
    volumes = [one for one in listing.volumes if not is_own(one[2])]
    if not volumes and not listing.dicom:
        raise ConfigError("no scans found: want NIfTI, NRRD, MetaImage or DICOM files")
    taken: set[str] = set()
    series: dict[tuple[str, Path], list[Path]] = {}
    for _, inside, path in listing.dicom:
        name = "_".join(Path(inside).parts[:-1]) or path.resolve().parent.name
        series.setdefault((name, path.parent), []).append(path)
    found = [(_name(path, inside), [path]) for _, inside, path in volumes]
    found += [(name, sorted(files)) for (name, _), files in series.items()]
    for told, files in found:
        name = _plain(told)
        unique, n = name, 1
        while unique in taken:
            n += 1
            unique = f"{name}_{n}"
        taken.add(unique)
        yield unique, files


def _plain(name: str) -> str:
    """A case's name that nothing takes for an option or a hidden file: one line, not too long."""
    plain = "".join(char if char.isprintable() else "_" for char in name).lstrip("-.") or "scan"
    if len(plain.encode()) <= LONGEST:
        return plain
    return plain.encode()[:LONGEST].decode(errors="ignore") + "_" + content_id(name, digits=8)


def _name(path: Path, inside: str) -> str:
    """``case_1/ct.nii.gz`` is case_1, ``a/b.nii.gz`` is a_b."""
    parts = list(Path(inside).parts) if inside else [path.resolve().parent.name, path.name]
    stem = parts[-1].removesuffix(".gz").rsplit(".", 1)[0]
    if stem == "ct" and len(parts) > 1:
        return "_".join(parts[:-1])
    return "_".join([*parts[:-1], stem]) if inside else stem


def _tasks(
    scans: Mapping[str, list[Path]],
    models: Sequence[Any],
    vocabulary: Vocabulary,
    how: Alone,
    done: Done,
) -> Iterator[Task]:
    from agent.predicted_files import is_made, work_of
    from training.predict import weights_mark

    plain = [info.model_dump(mode="json") for info in vocabulary]
    for model in models:
        spec = model.spec
        settings = spec.model_dump(mode="json", exclude={"time_limit_s", "memory_limit_mb"})
        sha256 = weights_mark(model)
        for case, files in scans.items():
            key = f"{spec.name}/{case}"
            try:
                files_read = [file_sha256(f) for f in files]
            except OSError as error:
                done.failed[key] = f"ct: cannot read the file: {error.strerror or 'broken'}"
                continue
            mark = content_id(settings, sha256, files_read, [how.soft, how.label_map])
            if is_made(how.place(spec.name), case, mark):
                done.kept.append(key)
                continue
            work = work_of(how.place(spec.name), case)
            work.mkdir(parents=True, exist_ok=True)
            payload = {
                "case_id": case,
                "scan": [str(f) for f in files] if len(files) > 1 else str(files[0]),
                "shape": None,
                "modality": how.modality or ("CT" if spec.modality == "any" else spec.modality),
                "spec": spec.model_dump(mode="json"),
                "weights": str(model.weights.resolve()) if model.weights else "",
                "vocabulary": plain,
                "target": str(work / "prediction.vxp"),
                "logs": str(how.place(spec.name) / "logs"),
                "model_id": f"{spec.name}-{content_id('zoo', settings, sha256, digits=8)}",
                "sha256": sha256,
                "fold": None,
                "out_of_fold": False,
                "mark": mark,
            }
            yield Task(key, payload)

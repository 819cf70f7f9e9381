"""Is a DICOM series one whole scan? Rules on its headers, before any pixel is read.

`voxcurate.dicom.read_series` refuses most of these series too, at the first thing that is wrong;
here all of it is said, with where and how much.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from cleaning.check.config import CheckConfig
from cleaning.check.positions import place_rules
from cleaning.check.reasons import Reason, Severity
from voxcurate.dicom_survey import FileFacts

NO_IMAGES = {"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG", "RWV", "DOC", "AU"}
NO_IMAGES |= {"ECG", "HD", "PLAN", "FID", "SMR", "ANN"}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
LOCALISERS = {"LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM"}
PROJECTIONS = {"MIP", "MAX_IP", "MIN_IP", "MINIP", "MAXIP", "PROJECTION IMAGE", "VOLUME_RENDERED"}
PROJECTIONS |= {"VRT", "RAYSUM", "SSD", "PERFUSION", "SUBTRACTION"}
# averages keep HU, and "3D" is said of cone-beam volumes too: their values decide
REFORMATS = {"AVERAGE_IP", "3D", "MPR", "REFORMATTED", "CSA MPR", "CPR", "CURVED", "RESAMPLED"}
SCREENS = {"SCREEN SAVE", "SCREEN_SAVE", "DOSE", "DOSE_INFO", "DOSE REPORT", "SNAPSHOT", "PASTED"}
NO_HU = {"ED", "EDW", "Z_EFF", "MGML", "IODINE", "PCT", "HU_MOD"}
MAX_SLOPE = 100.0
Key = Callable[[FileFacts], object]


def series_rules(
    files: Sequence[FileFacts], modality: str, config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    """What the headers of one series say against it.

    Args:
        files: all files that belong to it, unreadable ones among them.
        modality: the wanted one; empty for any.
        config: limits.
        evidence: measured values; more are added.
    """
    evidence["n_files"] = len(files)
    broken = [f for f in files if f.error]
    good = [f for f in files if not f.error]
    if broken:
        why = Counter(f.error for f in broken).most_common(1)[0][0]
        text = f"{len(broken)} of {len(files)} files: {why}"
        yield Reason("unreadable_files", "reject", len(broken), 0, text)
    if not good:
        return
    found = _kind(good, modality)
    if found is not None:
        yield found
    if found is not None and found.code in ("not_an_image", "secondary_capture"):
        return
    yield from _image_types(good)
    yield from _claims(good, config)
    yield from _damaged(good)
    good, copies = _without_copies(good)
    if copies:
        text = "files are copies of others (same SOPInstanceUID)"
        yield Reason("copied_files", "suspect", copies, 0, text)
    yield from _mixed(good)
    yield from _rescale(good)
    yield from place_rules(good, config, evidence)
    yield from _acquisition(good, evidence)


def _kind(files: Sequence[FileFacts], modality: str) -> Reason | None:
    """What the series is, where it is no image or none of the wanted kind."""
    kinds = Counter(f.texts.get("modality", "") for f in files)
    kind = kinds.most_common(1)[0][0]
    n_images = sum("rows" in f.numbers for f in files)
    if kind in NO_IMAGES or not n_images:
        what = kind if kind in NO_IMAGES else "files without pixels"
        return Reason("not_an_image", "reject", n_images, 1, f"want images, found {what}")
    n_captures = sum(_is_capture(f) for f in files)
    if n_captures * 2 > len(files):
        text = "screen captures, dose reports or colour images, no scan"
        return Reason("secondary_capture", "reject", n_captures, 0, text)
    if modality and kind != modality:
        n_wrong = len(files) - kinds[modality]
        known = kind if kind.isalpha() and len(kind) <= 6 else "another modality"
        text = f"want {modality}, found {known or 'no modality'}"
        # without one the values decide
        return Reason("wrong_modality", "reject" if kind else "suspect", n_wrong, 0, text)
    return None


def _is_capture(f: FileFacts) -> bool:
    # converters and exports write whole CTs in this class: those have places and HU
    is_placed = {"position", "axes", "spacing"} <= set(f.vectors) and "slope" in f.numbers
    is_placed = is_placed and f.texts.get("modality") == "CT"
    is_class = f.texts.get("sop_class", "").startswith(SECONDARY_CAPTURE) and not is_placed
    is_colour = f.numbers.get("samples", 1) > 1
    return is_class or is_colour or bool(SCREENS & set(f.image_type))


def _image_types(files: Sequence[FileFacts]) -> Iterator[Reason]:
    groups: tuple[tuple[str, set[str], str, Severity], ...] = (
        ("localiser", LOCALISERS, "localisers (scouts)", "reject"),
        ("projection", PROJECTIONS, "projections or computed maps (MIP, VRT, perfusion)", "reject"),
        ("reformatted", REFORMATS, "reformatted planes, not those of the scanner", "suspect"),
    )
    for code, types, text, how in groups:
        n = sum(bool(types & set(f.image_type)) for f in files)
        if n:
            whole = "the series is" if n == len(files) else f"{n} of {len(files)} images are"
            yield Reason(code, how, n, 0, f"{whole} {text}")
    n = sum(_is_capture(f) for f in files)
    if n:
        text = f"{n} of {len(files)} images are screen captures or dose reports"
        yield Reason("secondary_capture", "reject", n, 0, text)


def _claims(files: Sequence[FileFacts], config: CheckConfig) -> Iterator[Reason]:
    """Header against file: what is promised must be there, and fit."""
    images = [f for f in files if "rows" in f.numbers]
    n = sum(f.pixel_bytes < 0 for f in images)
    if n:
        yield Reason("no_pixels", "reject", n, 0, f"{n} of {len(images)} images hold no pixels")
    short = [f for f in images if not f.is_packed and 0 <= f.pixel_bytes < f.promised_bytes]
    if short:
        share = min(f.pixel_bytes / f.promised_bytes for f in short)
        text = f"{len(short)} of {len(images)} images hold less than promised: truncated"
        yield Reason("truncated", "reject", share, 1.0, text)
    promised = sum(f.promised_bytes for f in images) / 2**30
    if promised > config.max_gib:
        text = "GiB are promised"
        yield Reason("too_large", "reject", promised, config.max_gib, text)
    if any(f.promised_bytes <= 0 for f in images):
        yield Reason("no_pixels", "reject", 0, 1, "an image of no rows, columns or frames")


def _damaged(files: Sequence[FileFacts]) -> Iterator[Reason]:
    words = sorted({word for f in files for word in f.damaged})
    if words:
        n = sum(bool(f.damaged) for f in files)
        text = f"fields that cannot be read in {n} files: {', '.join(words[:6])}"
        yield Reason("damaged_header", "suspect", n, 0, text)


def _without_copies(files: Sequence[FileFacts]) -> tuple[list[FileFacts], int]:
    kept: dict[str, FileFacts] = {}
    for n, f in enumerate(files):
        kept.setdefault(f.texts.get("instance_uid") or str(n), f)
    return list(kept.values()), len(files) - len(kept)


def _mixed(files: Sequence[FileFacts]) -> Iterator[Reason]:
    """What must be one in one series."""
    keys: tuple[tuple[str, str, Severity, Key], ...] = (
        ("patients", "mixed_patients", "reject", lambda f: f.texts.get("patient")),
        ("studies", "mixed_studies", "reject", lambda f: f.texts.get("study_uid")),
        ("modalities", "mixed_modalities", "reject", lambda f: f.texts.get("modality")),
        ("shapes", "mixed_shapes", "reject", _shape),
        ("pixel sizes", "mixed_pixel_sizes", "reject", _alike(files, "spacing", 1e-3)),
        ("orientations", "mixed_orientations", "reject", _alike(files, "axes", 0.01)),
        ("frames of reference", "mixed_frames", "reject", lambda f: f.texts.get("frame_uid")),
        ("kernels", "mixed_kernels", "reject", lambda f: f.texts.get("kernel")),
        ("tube voltages", "mixed_voltages", "suspect", lambda f: f.numbers.get("kvp")),
        ("contrast agents", "mixed_contrast", "suspect", lambda f: f.texts.get("contrast", "")),
    )
    for name, code, how, key in keys:
        counts = Counter(found for f in files if (found := key(f)) is not None)
        if len(counts) > 1:
            minority = sum(counts.values()) - counts.most_common(1)[0][1]
            text = f"{len(counts)} {name} in one series ({minority} images differ)"
            yield Reason(code, how, len(counts), 1, text)


def _shape(f: FileFacts) -> object:
    return (f.numbers.get("rows"), f.numbers.get("columns")) if "rows" in f.numbers else None


def _alike(files: Sequence[FileFacts], name: str, tolerance: float) -> Key:
    """Groups of equal vectors, rounding aside, by the number of their first member."""
    known: list[tuple[float, ...]] = []
    groups: dict[int, int] = {}
    for f in files:
        found = f.vectors.get(name)
        if found is None:
            continue
        for n, other in enumerate(known):
            if max(abs(a - b) for a, b in zip(found, other, strict=True)) <= tolerance:
                groups[id(f)] = n
                break
        else:
            groups[id(f)] = len(known)
            known.append(found)
    return lambda f: groups.get(id(f))


def _rescale(files: Sequence[FileFacts]) -> Iterator[Reason]:
    if any(f.texts.get("modality") != "CT" for f in files):
        return
    n = sum("slope" not in f.numbers or "inter" not in f.numbers for f in files)
    if n:
        text = f"{n} of {len(files)} images without rescale slope or intercept"
        yield Reason("no_rescale", "suspect", n, 0, text)
    slopes = sorted({f.numbers["slope"] for f in files if "slope" in f.numbers})
    inters = sorted({f.numbers["inter"] for f in files if "inter" in f.numbers})
    wrong = [slope for slope in slopes if not 0 < slope <= MAX_SLOPE]
    if wrong:
        text = "a rescale slope that cannot give HU"
        yield Reason("wrong_rescale", "reject", wrong[0], MAX_SLOPE, text)
    if len(slopes) > 1 or len(inters) > 1:
        most = max(len(slopes), len(inters))
        yield Reason("mixed_rescale", "suspect", most, 1, "several rescales in one series")
    kinds = {f.texts.get("rescale_type", "").upper() for f in files} & NO_HU
    if kinds:
        yield Reason("wrong_rescale", "reject", 1, 0, "the rescale gives other units than HU")
    if any(f.texts.get("lossy") == "01" for f in files):
        yield Reason("lossy", "suspect", 1, 0, "was packed with loss")
    bits = min((f.numbers.get("bits_stored", 16) for f in files), default=16)
    if bits <= 8:
        yield Reason("few_bits", "suspect", bits, 9, "bits per pixel: too few for HU")


def _acquisition(files: Sequence[FileFacts], evidence: dict[str, float]) -> Iterator[Reason]:
    promised = max((f.numbers.get("n_in_acquisition", 0) for f in files), default=0)
    acquisitions = {f.numbers.get("acquisition") for f in files}
    numbers = [f.numbers["instance"] for f in files if "instance" in f.numbers]
    if len(numbers) > 1:
        evidence["instance_span"] = max(numbers) - min(numbers) + 1
    if promised > len(files) and len(acquisitions) == 1 and len(files) > 1:
        text = f"images, where the acquisition had {promised:.0f}: incomplete"
        yield Reason("incomplete", "suspect", len(files), promised, text)

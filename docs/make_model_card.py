"""Make the card of the model that ships: docs/model-card.md, and README.md in the model's folder.

python docs/make_model_card.py OUT   takes OUT/model-card.json over as docs/model-card.json first
python docs/make_model_card.py       from docs/model-card.json as it is

OUT is what `python -m benchmarks.model_card --out OUT` has written. The model's own ``model.json``
says the rest: how it was made, of what, and what its test part showed. The texts around the numbers
are in docs/model-card.texts.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from earmark.models import bundle
from earmark.models.bundle import Bundle
from earmark.models.catalog import shipped_model

HERE = Path(__file__).parent
SAVED = HERE / "model-card.json"
PAGE = HERE / "model-card.md"

# By name; each is introduced by a line of two percent signs and the name.
_SPLIT = re.split(
    r"^%% (\w+)\n", (HERE / "model-card.texts").read_text("utf-8"), flags=re.MULTILINE
)
TEXTS = {name: body.strip("\n") for name, body in zip(_SPLIT[1::2], _SPLIT[2::2], strict=True)}

OURS, TEACHER = "ear", "musicnn"
NAMES = {"gtzan": "GTZAN clips", "emotify": "Emotify clips"}

# A laptop's processor takes some 15 W for a core that is kept busy; what a socket shows is more.
WATTS = 15.0


def main() -> None:
    if len(sys.argv) > 1:
        measured = (Path(sys.argv[1]) / "model-card.json").read_text(encoding="utf-8")
        SAVED.write_text(measured, encoding="utf-8")
    page = text()
    PAGE.write_text(page, encoding="utf-8")
    put_into(bundle.load(shipped_model()), page)


def text() -> str:
    """The card of the shipped model, as Markdown.

    Raises
    ------
    ValueError
        If what was measured was measured of another model.
    """
    return card(bundle.load(shipped_model()), saved())


def saved() -> dict[str, Any] | None:
    """What was measured, if anything was."""
    if not SAVED.exists():
        return None
    found: dict[str, Any] = json.loads(SAVED.read_text(encoding="utf-8"))
    return found


def put_into(model: Bundle, page: str) -> None:
    """Write the card into the model's folder; the model stays what it is."""
    texts = {**bundle.texts(model.path), bundle.CARD_NAME: page}
    if texts != bundle.texts(model.path):
        bundle.write(model.path, model.meta, model.network.read_bytes(), texts)


def card(model: Bundle, found: Mapping[str, Any] | None) -> str:
    """The card of a model of which `found` was measured."""
    if found is not None and found["model"]["model_id"] != model.model_id:
        raise ValueError(
            f"{SAVED.name} is of another model than the one that ships: measure again with"
            " `python -m benchmarks.model_card`"
        )
    parts = [_head(model, found), _made(model, found or {})]
    if found is None:
        parts.append(TEXTS["no_numbers"])
    else:
        parts += [_reached(found), _genres(found), _doubt(found), _cost(found)]
    failures = TEXTS["failures"].format(excerpt_s=model.meta.listen.excerpts.excerpt_s)
    parts += [_own_test(model), _spent(model, found or {}), failures, TEXTS["repeat"]]
    blocks = re.split(r"\n\s*\n", "\n\n".join(part for part in parts if part).strip())
    return "\n\n".join(map(_wrapped, blocks)) + "\n"


def _wrapped(block: str) -> str:
    """A paragraph in lines that fit the page; what is no paragraph as it is."""
    if block.startswith(("#", "|", "- ", "    ")):
        return block
    return textwrap.fill(block, 100, break_long_words=False, break_on_hyphens=False)


def _head(model: Bundle, found: Mapping[str, Any] | None) -> str:
    meta = model.meta
    excerpts = meta.listen.excerpts
    if found is None:
        right = meta.scores["accuracy"]
    else:
        right = min(each["right"][OURS]["value"] for each in found["pooled"].values())
    return TEXTS["head"].format(
        name=meta.name,
        n_excerpts=excerpts.n_excerpts,
        excerpt_s=excerpts.excerpt_s,
        n_genres=len(meta.labels),
        genres=", ".join(meta.labels),
        non_music=", and why: also where it hears no music" if "not_music" in meta.data else "",
        licence=meta.licence,
        megabytes=model.network.stat().st_size / 1e6,
        model_id=model.model_id,
        version=meta.training["environment"]["earmark"],
        wrong=f"{100 * (1 - right):.0f} %",
    )


# --- how it was made ----------------------------------------------------------------------------


def _made(model: Bundle, found: Mapping[str, Any]) -> str:
    data = model.meta.data
    parts = ", ".join(f"{part['n_tracks']} {name}" for name, part in data["parts"].items())
    genres = data["parts"]["train"]["genres"]
    learned = ", ".join(f"{genre} {n}" for genre, n in genres.items())
    recipe = model.meta.training["recipe"]
    how = TEXTS["distilled" if recipe["kind"] == "distilled" else "from_scratch"]
    return TEXTS["made"].format(
        how=how.format(recipe=recipe["name"], facts=_facts(recipe, found.get("backbone", {}))),
        level="" if model.meta.listen.level == "none" else f"\n\n{TEXTS['levelled']}",
        about=(data.get("about") or TEXTS["about"]).rstrip("."),
        parts=parts,
        split_by=data["split_by"],
        learned=learned,
        leaks="".join(f" What is known to be on both sides: {leak}." for leak in data["leaks"]),
        non_music=_non_music(model),
    )


def _facts(recipe: Mapping[str, Any], backbone: Mapping[str, Any]) -> str:
    """What the recipe says of teachers, and the backbone of how it was made."""
    said = []
    distilled, imitation = backbone.get("distilled"), backbone.get("imitation")
    if distilled:
        said.append(_told("student", distilled, left=_listed(distilled)))
    second = recipe.get("imitation", {})
    if second.get("teacher"):
        said.append(TEXTS["second"].format(**second, who=TEXTS.get(second["teacher"], "")))
    if imitation:
        said[-1] += " " + _told("imitation", imitation)
    return "".join(f"\n\n{text}" for text in said)


def _told(text: str, facts: Mapping[str, Any], **more: str) -> str:
    return TEXTS[text].format(**{**facts, "r2": _share(facts["r2"]), **more})


def _listed(distilled: Mapping[str, Any]) -> str:
    return ", ".join(map(str, distilled["n_channels_left"]))


def _non_music(model: Bundle) -> str:
    noted = model.meta.data.get("not_music")
    if noted is None:
        return ""
    return "\n\n" + TEXTS["sounds"].format(**noted)


# --- what it reaches ----------------------------------------------------------------------------


def _reached(found: Mapping[str, Any]) -> str:
    return TEXTS["reached"].format(
        rows="\n".join(_aims(found)),
        n_seeds=found["n_seeds"],
        others=_others(found),
        lengths=", ".join(f"{what} {_shown(each)}" for what, each in found["lengths"].items()),
    )


def _aims(found: Mapping[str, Any]) -> Iterator[str]:
    """Rows of the table: what, ours, the teacher's, the aim, whether it is reached."""
    for data, aim in (("gtzan", 0.75), ("emotify", 0.76)):
        yield _accuracy(f"{NAMES[data]}, 5 folds", found["folds"][data], aim)
        yield _ahead("ahead of the teacher", found["folds"][data])
    for data in NAMES:
        yield _accuracy(f"{NAMES[data]}, one head for all genres", found["pooled"][data], 0.73)
    for data in NAMES:
        each = found["shots"][data]
        yield _accuracy(f"{NAMES[data]}, 5 tracks a genre to learn from", each, None)
        yield _ahead("ahead of the teacher", each)
    for kind, aim in (("unknown", 0.75), ("nonmusic", 0.98)):
        what = {"unknown": "unknown genre, AUROC", "nonmusic": "not music, AUROC"}[kind]
        ours, theirs = found[kind].get(OURS), found[kind].get(TEACHER)
        if ours:
            value = ours["mean"]["value"]
            cells = [_auroc(each["mean"]) if each else "" for each in (ours, theirs)]
            yield _row(what, *cells, f"≥ {aim:g}", _verdict(value >= aim, aim - value, "{:.3f}"))
    ms = found["speed"]["file_to_decision_ms"]
    ours, theirs = ms["shipped"], ms.get("teacher")
    verdict = _verdict(ours <= 30, ours - 30, "{:.0f} ms")
    theirs_ms = f"{theirs:.0f} ms" if theirs else ""
    yield _row("four-minute MP3, file to decision", f"{ours:.0f} ms", theirs_ms, "≤ 30 ms", verdict)
    if theirs:
        times = theirs / ours
        verdict = _verdict(times >= 4, 4 - times, "{:.1f}")
        yield _row("less than the teacher", f"{times:.1f} times", "", "≥ 4 times", verdict)
    known = found["learning"]["known_s"]
    what = f"learning {found['learning']['n_tracks']:,} tracks heard before"
    verdict = _verdict(known <= 5, known - 5, "{:.1f} s")
    yield _row(what, f"{known:.1f} s", "", "≤ 5 s", verdict)


def _accuracy(what: str, each: Mapping[str, Any], aim: float | None) -> str:
    ours, theirs = each["right"][OURS], each["right"].get(TEACHER)
    title = f"{what} ({ours['n']} tracks, {ours['n_groups']} artists)"
    reference = _shown(theirs) if theirs else ""
    if aim is None:
        return _row(title, _shown(ours), reference, "", "")
    verdict = _verdict(ours["value"] >= aim, 100 * (aim - ours["value"]), "{:.1f} points")
    return _row(title, _shown(ours), reference, f"≥ {100 * aim:.0f} %", verdict)


def _ahead(what: str, each: Mapping[str, Any]) -> str:
    found = each["ahead"].get(TEACHER)
    if found is None:
        return _row(what, "not measured", "", "≥ 0", "")
    low, high = found["interval_95"]
    points = f"{100 * found['value']:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    verdict = _verdict(found["value"] >= 0, -100 * found["value"], "{:.1f} points")
    return _row(f"… {what}", points, "", "≥ 0", verdict)


def _others(found: Mapping[str, Any]) -> str:
    """How models other than the teacher did in the same folds."""
    names = [n for n in found["folds"]["gtzan"]["right"] if n not in (OURS, TEACHER)]
    said = [
        f" In the same folds, `{name}` gets "
        + ", ".join(f"{_shown(found['folds'][d]['right'][name])} of {NAMES[d]}" for d in NAMES)
        + "."
        for name in names
    ]
    return "".join(said).strip()


def _genres(found: Mapping[str, Any]) -> str:
    rows = [
        _row(
            genre,
            str(scores["recall"]["n"]),
            str(scores["recall"]["n_groups"]),
            _shown(scores["precision"]),
            _shown(scores["recall"]),
        )
        for genre, scores in found["genres"].items()
    ]
    confused = [
        f"- {each['genre']} for {each['taken_for']}: {100 * each['share']:.0f} % of its tracks"
        for each in found["confused"]
    ]
    return TEXTS["genres"].format(rows="\n".join(rows), confused="\n".join(confused))


def _doubt(found: Mapping[str, Any]) -> str:
    calibration = found["calibration"]
    coverage = [
        _row(f"{100 * each['precision']:.0f} %", f"{100 * each['coverage']:.0f} %")
        for each in calibration["coverage_at_precision"]
    ]
    return TEXTS["doubt"].format(
        error=_shown(calibration["expected_calibration_error"]),
        floor=_share(calibration["error_if_calibrated"]),
        answered=_shown(calibration["answered"]),
        precision=_shown(calibration["precision_when_answered"]),
        coverage="\n".join(coverage),
        unknown=_kinds(found["unknown"].get(OURS)),
        nonmusic=_kinds(found["nonmusic"].get(OURS)),
    )


def _kinds(each: Mapping[str, Any] | None) -> str:
    if each is None:
        return "not measured"
    kinds = [f"{kind} {_auroc(score)}" for kind, score in each["kinds"].items()]
    return ", ".join(kinds)


def _cost(found: Mapping[str, Any]) -> str:
    speed, learning = found["speed"], found["learning"]
    networks, ms = speed["networks"], speed["file_to_decision_ms"]
    titles = {"shipped": "this model", "int8": "in eight bits", "teacher": "teacher"}
    names = [name for name in titles if name in networks]
    rows = [
        _row("file to decision", *(f"{ms[name]:.1f} ms" for name in names)),
        _row("numbers in it", *(f"{networks[name]['n_numbers']:,}" for name in names)),
        _row("network", *(f"{networks[name]['bytes'] / 1e6:.2f} MB" for name in names)),
        *(
            _row(
                f"a slice, {n} at a time",
                *(f"{networks[name]['ms_a_slice'][n]:.2f} ms" for name in names),
            )
            for n in networks["shipped"]["ms_a_slice"]
        ),
    ]
    int8 = speed["int8"]
    return TEXTS["cost"].format(
        head=_row("", *(titles[name] for name in names)),
        ruler=_row("---", *("---:" for _ in names)),
        rows="\n".join(rows),
        librosa=f"{ms['librosa']:.0f} ms",
        same=_share(int8["same_tracks"]),
        n_same=int8["n_tracks"],
        batches=f"{networks['shipped']['batch_difference']:.0e}",
        **learning,
    )


def _own_test(model: Bundle) -> str:
    scores = model.meta.scores
    low, high = scores["accuracy_interval_95"]
    rows = [
        _row(genre, str(each["n"]), _share(each["precision"]), _share(each["recall"]))
        for genre, each in scores["per_genre"].items()
    ]
    artists = f"{scores['n_artists']} artists"
    if scores["n_artist_unknown"]:
        artists += f" ({scores['n_artist_unknown']} of them by artists that are not known)"
    return TEXTS["own_test"].format(
        n_tracks=scores["n_tracks"],
        artists=artists,
        accuracy=f"{_share(scores['accuracy'])} ({100 * low:.1f}–{100 * high:.1f})",
        macro_f1=_share(scores["macro_f1"]),
        majority=_share(scores["majority_baseline"]),
        answered=_share(scores["answered"]),
        precision=_share(scores["precision_when_answered"]),
        rows="\n".join(rows),
        non_music=_own_non_music(scores.get("not_music")),
    )


def _own_non_music(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    scores = {
        name: {"value": found[name], "interval_95": found[f"{name}_interval_95"]}
        for name in ("auroc", "music_refused", "sounds_passed")
    }
    auroc = _auroc({**scores.pop("auroc"), "n": found["n_sounds"]})
    shown = {name: _shown(score) for name, score in scores.items()}
    return TEXTS["own_non_music"].format(**{**found, **shown, "auroc": auroc})


def _spent(model: Bundle, found: Mapping[str, Any]) -> str:
    """Empty where it is not known: a head's own seconds are not those of its backbone."""
    seconds, what = found.get("training_cpu_s"), "with all listening"
    if seconds is None and model.meta.training["recipe"]["kind"] == "network":
        seconds, what = model.meta.training["seconds"], "without listening"
    if seconds is None:
        return ""
    return TEXTS["spent"].format(
        seconds=f"{seconds:,.0f}",
        what=what,
        watts=f"{WATTS:g}",
        watt_hours=f"{WATTS * seconds / 3600:.2g}",
    )


# --- figures ------------------------------------------------------------------------------------


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _verdict(reached: bool, missing: float, shown: str) -> str:
    return "reached" if reached else f"missed by {shown.format(missing)}"


def _shown(score: Mapping[str, Any]) -> str:
    if score["value"] is None:
        return "–"
    low, high = score["interval_95"]
    return f"{100 * score['value']:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def _auroc(score: Mapping[str, Any]) -> str:
    low, high = score["interval_95"]
    return f"{score['value']:.3f} ({low:.3f}–{high:.3f}, n = {score['n']})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


if __name__ == "__main__":
    main()

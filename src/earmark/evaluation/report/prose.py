"""Measurements in words: what was measured, on what, and how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from earmark.evaluation.bootstrap import Score
from earmark.evaluation.report.document import (
    Block,
    Command,
    Heading,
    Image,
    Notice,
    Paragraph,
    Table,
)
from earmark.evaluation.results import PROTOCOLS, Evaluation, compare
from earmark.evaluation.unknown import Detection

COMPARISON = "comparison.png"

_METHODS = {
    "max_probability": "one less the largest probability",
    "entropy": "entropy of the probabilities",
    "not_music": "how likely the model finds it that this is no music",
}


def picture_file(number: int, what: str) -> str:
    """File of the picture of `what` in the `number`-th evaluation."""
    return f"{number}-{what}.png"


def compose(evaluations: Sequence[Evaluation], title: str, command: str) -> list[Block]:
    """The report's blocks, in reading order."""
    blocks: list[Block] = [
        Heading(1, title),
        Paragraph("Made by this command; metrics.json beside this page holds every number."),
        Command(command),
    ]
    if len(evaluations) > 1:
        blocks += _comparison(evaluations)
    for number, evaluation in enumerate(evaluations, start=1):
        blocks += _measured(evaluation)
        blocks += _scores(evaluation)
        blocks += _votes(evaluation)
        blocks += _genres(evaluation, number)
        blocks += _confidence(evaluation, number)
        blocks += _rejection(evaluation, number)
        blocks += _detected(
            "Unknown genres",
            "The model was trained without a genre and then shown it. Can it tell that the genre"
            " is none of its own?",
            evaluation.unknown,
        )
        blocks += _detected(
            "What is no music",
            "The model was played synthetic sounds, made by formula: noises, tones, clicks, and"
            " speech-like babble, which is no real speech; and recorded ones, where they are named"
            " below. Can it tell them from the test tracks?",
            evaluation.nonmusic,
        )
    blocks += _glossary()
    return blocks


def shown(score: Score) -> str:
    """As in ``61.3 % (55.0–67.2)``."""
    if math.isnan(score.value):
        return "–"
    return f"{_percent(score.value)} ({100 * score.low:.1f}–{100 * score.high:.1f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _sentence(text: str) -> str:
    return f"{text.rstrip('. ')}."


def _comparison(evaluations: Sequence[Evaluation]) -> Iterator[Block]:
    rows = compare(evaluations)
    yield Heading(2, "Side by side")
    if any(row["leak"] for row in rows):
        yield Paragraph(
            "A leaky protocol lets the test share recordings, albums or artists with the training"
            " tracks. What it claims is not what the model does with music by new artists; the"
            " difference between its row and that of the artist protocol is the leak."
        )
    head = (
        "model, protocol",
        "tracks",
        "artists",
        "slices right",
        "tracks right",
        "macro-F1",
        "commonest genre",
    )
    yield Table(
        head,
        tuple(
            (
                f"{row['name']}, {row['protocol']}{' (leaks)' if row['leak'] else ''}",
                str(row["n_tracks"]),
                str(row["n_artists"]),
                shown(row["slice_accuracy"]),
                shown(row["accuracy"]),
                shown(row["macro_f1"]),
                _percent(row["majority"]),
            )
            for row in rows
        ),
    )
    yield Image(COMPARISON, "Accuracy of slices and of tracks by protocol, with intervals")


def _measured(e: Evaluation) -> Iterator[Block]:
    yield Heading(2, f"{e.name}, protocol {e.protocol}")
    n_known = e.n_tracks - e.n_artist_unknown
    by = f"by {e.n_artists} artists"
    if e.n_artist_unknown:
        by = f"of unknown artists{f', but for {n_known} {by}' if n_known else ''}"
    yield Paragraph(
        f"Measured on {e.n_tracks} tracks ({e.n_slices} slices) {by}, of {len(e.labels)} genres."
    )
    if e.draws:
        yield Paragraph(
            f"Learned {len(e.draws)} times, from other tracks each time; of the answers about other"
            f" artists' tracks {_percent(min(e.draws))} to {_percent(max(e.draws))} are right. All"
            " scores below are over the answers of all times; a track counts as often as it was"
            " not to be learned from."
        )
    yield Paragraph(_sentence(f"Data: {e.data}"))
    known = PROTOCOLS.get(e.protocol)
    what = f", {known.what}" if known else ""
    if what and e.n_artist_unknown and not e.leak:
        what += ", where the artist is known"
    protocol = _sentence(f"Protocol: {e.protocol}{what}")
    yield Paragraph(f"{protocol} {_sentence(f'Split: {e.split}')}" if e.split else protocol)
    for warning in e.warnings:
        yield Notice(_sentence(warning))


def _scores(e: Evaluation) -> Iterator[Block]:
    yield Heading(3, "Right answers")
    yield Paragraph(
        "With an answer for every track, sure or not. A slice is judged by itself; a track by the"
        " vote of its slices."
    )
    names = {
        "accuracy": "accuracy",
        "macro_f1": "macro-F1",
        "top_2_accuracy": "right genre among the two likeliest",
    }
    rows = [(text, shown(e.track[name]), shown(e.slice[name])) for name, text in names.items()]
    rows.append(("baseline: always the commonest genre", _percent(e.baselines["majority"]), ""))
    rows.append(("baseline: guessing", _percent(e.baselines["chance"]), ""))
    yield Table(("score", f"tracks (n = {e.n_tracks})", f"slices (n = {e.n_slices})"), tuple(rows))


def _votes(e: Evaluation) -> Iterator[Block]:
    if not e.votes:
        return
    yield Heading(3, "Ways to decide")
    yield Paragraph(
        "The same slices, decided about in other ways: by their mean, by majority, by those that"
        " are sure, and by what was learned: from the validation tracks (stacker), where there were"
        " enough of them, or from the training tracks (network), where the recipe says so."
    )
    rows = [(mode, shown(s["accuracy"]), shown(s["macro_f1"])) for mode, s in e.votes.items()]
    yield Table(("vote", "tracks right", "macro-F1"), tuple(rows))


def _genres(e: Evaluation, number: int) -> Iterator[Block]:
    yield Heading(3, "Genre by genre")
    rows = []
    for genre, scores in e.per_genre.items():
        recall = scores["recall"]
        figures = (shown(scores["precision"]), shown(recall), shown(scores["f1"]))
        rows.append((genre, str(recall.n), str(e.artists_per_genre[genre]), *figures))
    yield Table(("genre", "tracks", "artists", "precision", "recall", "F1"), tuple(rows))
    yield Image(picture_file(number, "genres"), "Precision and recall of each genre")
    yield Image(
        picture_file(number, "confusion"),
        "Confusion matrix: tracks of each genre by the genre that the model finds likeliest",
    )


def _confidence(e: Evaluation, number: int) -> Iterator[Block]:
    floor = e.baselines["calibration_error_if_calibrated"]
    n_bins, error = len(e.reliability.n), e.track["expected_calibration_error"]
    yield Heading(3, "Does its confidence mean what it says?")
    yield Paragraph(
        "Of answers that claim to be 70 % sure, 70 % should be right. The expected calibration"
        f" error is the mean distance from that, over {n_bins} bins of about"
        f" {round(error.n / n_bins)} tracks: {shown(error)},"
        f" n = {error.n}. Perfectly honest confidences would show {_percent(floor)} on as many"
        " tracks, by chance alone."
    )
    yield Image(picture_file(number, "reliability"), "Share of right answers by confidence")


def _rejection(e: Evaluation, number: int) -> Iterator[Block]:
    answered, precision = e.track["answered"], e.track["precision_when_answered"]
    yield Heading(3, "What saying “I don’t know” buys")
    if precision.n:
        yield Paragraph(
            f"With its own thresholds the model answers for {shown(answered)} of the tracks"
            f" (n = {answered.n}), and {shown(precision)} of those answers are right"
            f" (n = {precision.n})."
        )
    else:
        yield Paragraph("With its own thresholds the model answers for none of the tracks.")
    yield Image(
        picture_file(number, "answers"),
        "Confusion matrix: tracks of each genre by the answer that they got, ? where none",
    )
    yield Paragraph(
        "Other thresholds trade one for the other. These are read off the test tracks themselves,"
        " so they are a little hopeful."
    )
    rows = tuple(
        (_percent(target), _percent(coverage), "–" if math.isnan(at) else f"{at:.3f}")
        for target, coverage, at in e.coverages()
    )
    yield Table(("answers right at least", "tracks answered", "from confidence"), rows)
    yield Paragraph(
        f"Mean share of wrong answers over all thresholds (AURC): {shown(e.track['aurc'])}, n ="
        f" {e.n_tracks}; it would be {_percent(e.baselines['aurc_at_random'])} if confidence said"
        f" nothing, and {_percent(e.baselines['aurc_of_oracle'])} if it put every wrong answer"
        " last."
    )
    yield Image(picture_file(number, "coverage"), "Share of wrong answers by tracks answered")


def _detected(heading: str, question: str, detections: Sequence[Detection]) -> Iterator[Block]:
    if not detections:
        return
    yield Heading(3, heading)
    yield Paragraph(
        f"{question} AUROC is how often the unknown one of a pair comes out as the stranger (50 %"
        " is chance, 100 % perfect). FPR95 is the share of unknown ones that pass as known when"
        " 95 % of the known tracks do (95 % is chance, 0 % perfect)."
    )
    for detection in detections:
        how = _METHODS.get(detection.method)
        yield Paragraph(f"By {detection.method}{f' ({how})' if how else ''}:")
        kinds = {**detection.kinds, "mean": detection.mean}
        rows = tuple(
            (kind, str(s["auroc"].n), shown(s["auroc"]), shown(s["fpr_at_95_tpr"]))
            for kind, s in kinds.items()
        )
        yield Table(("unknown", "n", "AUROC", "FPR95"), rows)


def _glossary() -> Iterator[Block]:
    yield Heading(2, "How to read this")
    for text in (
        "Parentheses hold 95 % intervals, in per cent. They are bootstrap intervals resampled by"
        " whole artists, since tracks of one artist are alike: they say what other artists could"
        " have given. One artist alone says nothing about others, so the interval is 0–100. Where"
        " the artist is not known, the album, the folder or the track itself stands for it.",
        "Accuracy is the share of right answers. Precision of a genre is the share of right ones"
        " among answers that name it, recall the share of its tracks that are found, F1 the"
        " harmonic mean of the two. Macro-F1 is the mean F1 of the genres, each counting as much"
        " as any other, however rare.",
        "A score means something only against its baselines: the share that always giving the"
        " commonest genre gets right, and guessing. It means what it says about new music only if"
        " nothing of the test music was in training: no recording, no album, no artist.",
        "A dash stands for what is not defined, such as the precision of a genre that was never"
        " the answer.",
    ):
        yield Paragraph(text)

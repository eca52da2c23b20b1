"""Tags of music files: read them, write the genre safely, take it back.

`read_tags` knows every container that mutagen does. `apply_change` writes one change of a plan
and `undo_change` takes it back; a `Journal` remembers both, across crashes::

    with Journal(folder) as journal:
        run_id = journal.new_run("tag", note="/music")
        for change in plan:
            try:
                apply_change(journal, run_id, change)
            except FileError as e:
                ...  # this file is as it was; say why and go on
        journal.finish_run(run_id)

    with Journal(folder) as journal:
        run = journal.run_to_undo()
        for change in journal.changes_to_undo(run.run_id):
            undo_change(journal, change)  # may raise FileError as well
        journal.finish_undo(run.run_id)

What is read
    Every place of a file where a genre may stand; the first that says something counts.
What is written
    The genre and nothing else, where players look for it, and no place is left that says the old
    one; several genres as several values in each container's own way. Described in the modules:
    `earmark.tags.id3` (MP3), `earmark.tags.iff` (WAV, AIFF), `earmark.tags.flac`,
    `earmark.tags.ogg` (Vorbis, Opus), `earmark.tags.mp4`, `earmark.tags.asf` (WMA),
    `earmark.tags.ape` (Monkey's Audio, WavPack, Musepack), and, for tags around all of them,
    `earmark.tags.outer`.
How it is written
    In a copy beside the file that takes its place by a rename, after the genre has been read
    back and all else that is no sound, and every packet of encoded audio, have been compared.
    Owner, mode, extended attributes and symbolic links stay.
What is refused
    Files that are read-only, have several hard links, belong to somebody whom they could not be
    given back to, have changed since the plan was made, or hold a place that cannot be written
    safely: each with its reason, as it was.
What undo brings back
    The file's very bytes, and its modification time.
"""

from earmark.tags.apply import FIELD, Written, apply_change, check_writable, undo_change
from earmark.tags.files import TEMP_PREFIX
from earmark.tags.formats import read_tags
from earmark.tags.journal import Journal
from earmark.tags.records import AS_BEFORE, Change, ChangeState, Run
from earmark.tags.trial import check_could_write

__all__ = [
    "AS_BEFORE",
    "FIELD",
    "TEMP_PREFIX",
    "Change",
    "ChangeState",
    "Journal",
    "Run",
    "Written",
    "apply_change",
    "check_could_write",
    "check_writable",
    "read_tags",
    "undo_change",
]

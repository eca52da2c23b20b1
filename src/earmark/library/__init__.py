"""The music library: its files, what is known of them, and what is planned for them."""

from earmark.library.catalogue import Catalogue, Summary
from earmark.library.passed_over import told, why_passed_over
from earmark.library.plan import (
    Action,
    Plan,
    PlanItem,
    TagMode,
    changes,
    is_wanted,
    make_plan,
)
from earmark.library.sheet import Sheet, check_new, export_csv, read_sheet
from earmark.library.walk import AUDIO_EXTENSIONS, Found, WalkProblem, walk

__all__ = [
    "AUDIO_EXTENSIONS",
    "Action",
    "Catalogue",
    "Found",
    "Plan",
    "PlanItem",
    "Sheet",
    "Summary",
    "TagMode",
    "WalkProblem",
    "changes",
    "check_new",
    "export_csv",
    "is_wanted",
    "make_plan",
    "read_sheet",
    "told",
    "walk",
    "why_passed_over",
]

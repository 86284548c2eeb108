# SPDX-License-Identifier: GPL-2.0-only
"""docs/compatibility.md ticks what the balancer does, row by row: nothing is ticked that nothing proves, and nothing proven is left out."""

import fnmatch
import pathlib
import re

import pytest

from scenarios import all_scenarios

_PROJECT = pathlib.Path(__file__).resolve().parents[2]
_TEXT = (_PROJECT / "docs/compatibility.md").read_text(encoding="utf-8").partition("\n## Row by row\n")[2]
_COVERED = {row for one in all_scenarios() for row in one.rows}
_ROWS = [line for line in _TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| row ", "| ---"))]
_PROOFS = sorted(set(re.findall(r"`([^`]+)`", "".join(line.split(" | ")[-1] for line in _ROWS))))


@pytest.mark.parametrize("row", _ROWS)
def test_a_row_is_ticked_with_a_proof_or_left_open_with_a_reason(row):
    _, mark, proof = row.strip("| ").split(" | ")
    assert mark in ("✓", "≠") and "`" in proof or mark == "–" and proof


@pytest.mark.parametrize("proof", _PROOFS)
def test_a_proof_exists(proof):
    if proof.startswith("§"):
        assert fnmatch.filter(_COVERED, proof), "no scenario of tests/diff covers this"
    else:
        assert (_PROJECT / (proof if "/" in proof else f"tests/vm/{proof}")).is_file(), "there is no such file"


def test_every_chapter_of_the_data_plane_that_scenarios_cover_is_told():
    told = [proof for proof in _PROOFS if proof.startswith("§")]
    chapters = {row for row in _COVERED if re.match(r"§[1-7]\b", row)}
    assert sorted(row for row in chapters if not any(fnmatch.fnmatchcase(row, proof) for proof in told)) == []

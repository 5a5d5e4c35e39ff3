#!/usr/bin/env python3
"""Hugging Face PEFT as a judge of `cairn aggregate`: what it publishes loads by PeftModel.from_pretrained and gives the
logits of the dense weighted sum of what PEFT itself says each client changes.

  tests/peft/judge.py --cairn build/dev/bin/cairn [--device cuda:0] [--only TEXT] [--keep FOLDER]

Prints a table; exit code 1 when a comparison fails, 77 where peft or transformers are not installed.
"""

import argparse
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

sys.dont_write_bytecode = True
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
SKIPPED = 77

try:
    import peft
    import torch
    import transformers
except ImportError as error:
    print(f"peft judge: skipped: {error}; it needs the Python packages torch, transformers and peft")
    sys.exit(SKIPPED)

import cases
import checks
import clients
import published

HEADING = ("model", "case", "comparison", "max |logit diff|", "tolerance", "ok")


def run_case(case, cairn, folder, devices):
    """Table rows and whether all is well."""
    lines, well = [], True
    try:
        clients.write(case.subject, case.clients, folder)
        for row in checks.check(case, cairn, folder, devices):
            shown = "" if row.tolerance == float("inf") else f"{row.tolerance:.2e}"
            lines.append((row.what, f"{row.difference:.2e}", shown, "yes" if row.ok() else "NO"))
            well = well and row.ok()
    except Exception as error:  # Of PEFT or torch too: the other cases still say something.
        if not isinstance(error, published.Failure):
            traceback.print_exc()
        print(f"{case.subject.name}, {case.name}: {error}", file=sys.stderr)
        lines.append(("failed, see above", "", "", "NO"))
        well = False
    return [(case.subject.name, case.name, *line) for line in lines], well


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADING))]
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:3], widths)]
        right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:])]
        print("  ".join(left + right).rstrip())


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", required=True, type=Path, help="the program to judge")
    parser.add_argument("--device", action="append", help="also compress here; may be repeated")
    parser.add_argument("--only", default="", help="only cases whose model and name contain this")
    parser.add_argument("--keep", type=Path, help="new folder for the adapters, kept afterwards")
    return parser.parse_args()


def judge(flags, folder):
    rows, well = [HEADING], True
    for number, case in enumerate(cases.all_cases()):
        if flags.only not in f"{case.subject.name}, {case.name}":
            continue
        lines, case_well = run_case(
            case, published.Cairn(flags.cairn), folder / f"case-{number}", ["cpu", *(flags.device or [])]
        )
        rows += lines
        well = well and case_well
    print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
    table(rows)
    return well and len(rows) > 1


def main():
    flags = parse()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(min(4, os.cpu_count() or 1))
    if flags.keep:
        flags.keep.mkdir(parents=True)
        return judge(flags, flags.keep)
    with tempfile.TemporaryDirectory(prefix="cairn-peft-") as folder:
        return judge(flags, Path(folder))


if __name__ == "__main__":
    sys.exit(0 if main() else 1)

"""Our TCB status of every recorded row beside those of others: where they agree, and the reason for each difference.

`docs/tdx-verdicts.md` is written from here and compared: `python -m tests.verifier.tdx.verdicts` writes it anew.
"""

from collections import Counter
from pathlib import Path

from tests.verifier.tdx.recorded import Row, appraise_row, rating_of, rows

from cvmproof_formats.tdx.tcb_status import TcbStatus

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "tdx-verdicts.md"

MALFORMED = "Malformed"
AGREED = "the same status"
NO_LEVEL = "no level fits: no status in either, and refused by both"
SHORT = "the quote lacks its last byte or two: read by neither"

# What dcap-qvl 0.7.0 answers instead of a status: which of its rules that is, and what we do.
_BY_ATTRIBUTES = "dcap-qvl has a fixed rule, here the policy decides:"
DCAP_QVL = {
    "Debug mode is enabled": f"{_BY_ATTRIBUTES} `attributes.debug`, forbidden by builtin:genuine",
    "TD profiling is enabled": f"{_BY_ATTRIBUTES} `attributes.perf_prof` and the like, forbidden by builtin:genuine",
    "SEPT_VE_DISABLE is not enabled": f"{_BY_ATTRIBUTES} `attributes.sept_ve_disable`",
    "TD migration is enabled": f"{_BY_ATTRIBUTES} `attributes.migratable`",
    "SERVTD_EXT is enabled": f"{_BY_ATTRIBUTES} `attributes.servtd_ext`",
    "Invalid MR service TD": f"{_BY_ATTRIBUTES} `mr_service_tds`",
}
# What go-tdx-guest 91f9a52 answers; it has two answers, and says why.
_MODULE_ALONE = (
    "the quote has a module version: go-tdx-guest takes the status of the module alone, "
    "here platform, module and quoting enclave are converged"
)
_AS_OUT_OF_DATE = "go-tdx-guest takes UpToDate alone, and rates the TD as it was launched"


def ours(recorded: Path, row: Row) -> str:
    """Our status, or that the quote can't be read."""
    return MALFORMED if row.short else rating_of(appraise_row(recorded, row)).status


def beside_dcap_qvl(row: Row, status: str) -> str:
    """How dcap-qvl's answer and our status relate; raises KeyError for an answer that nobody has looked into."""
    theirs = row.dcap_qvl
    if status == theirs:
        return AGREED
    if status == MALFORMED and "decode" in theirs:
        return SHORT
    if status == TcbStatus.NOT_SUPPORTED and "No matching TCB level" in theirs:
        return NO_LEVEL
    return DCAP_QVL[theirs.removeprefix("ERR: Verification failed: ")]


def beside_go_tdx_guest(row: Row, status: str) -> str:
    """How go-tdx-guest's answer and our status relate; raises KeyError as above."""
    theirs = row.go_tdx_guest
    if status == MALFORMED and "could not convert raw bytes" in theirs:
        return SHORT
    if status == TcbStatus.NOT_SUPPORTED and "no matching TCB level" in theirs:
        return NO_LEVEL
    if (theirs == "OK") == (status == TcbStatus.UP_TO_DATE) and (theirs == "OK" or theirs.endswith(f"now {status}")):
        return AGREED
    if theirs == "OK" and row.part("mod") == TcbStatus.UP_TO_DATE:
        return _MODULE_ALONE
    if status.startswith("TDRelaunchAdvised") and theirs.startswith("ERR TDX TCB info"):
        return _AS_OUT_OF_DATE
    raise KeyError(theirs)


def page(recorded: Path) -> str:
    """The page, in Markdown."""
    found = [(row, ours(recorded, row)) for row in rows(recorded)]
    statuses = Counter(status for _, status in found)
    whole = [row for row, _ in found if not row.short]
    matching = sum(_is_as_intel_rates_it(recorded, row) for row in whole)
    return "\n".join(
        [
            "# TDX verdicts beside those of others",
            "",
            "The TCB status of every recorded row: a real quote, with collateral that Intel published, at a time at",
            "which all of it is valid. Written by `python -m tests.verifier.tdx.verdicts`, compared by a test where",
            "the recorded evidence stands beside the checkout.",
            "",
            f"{len(found)} rows. In {len(found) - len(whole)} the quote lacks its last byte or two: malformed here.",
            f"Of the other {len(whole)}, {matching} are as Intel's quote verification library 1.27 has it: status,",
            "that of platform, TDX module and quoting enclave apart, and advisories.",
            "",
            "| our status | rows |",
            "|---|---|",
            *(f"| {status} | {count} |" for status, count in statuses.most_common()),
            "",
            *_table("dcap-qvl 0.7.0", Counter(beside_dcap_qvl(row, status) for row, status in found)),
            *_table("go-tdx-guest 91f9a52", Counter(beside_go_tdx_guest(row, status) for row, status in found)),
            *_by_status(found),
        ]
    )


def _is_as_intel_rates_it(recorded: Path, row: Row) -> bool:
    rating = rating_of(appraise_row(recorded, row))
    launch = rating.launch
    found = (rating.status, launch.platform, launch.module, launch.qe, launch.advisories)
    return found == (row.status, row.part("plat"), row.part("mod"), row.part("qe"), row.advisories)


def _table(name: str, counts: Counter[str]) -> list[str]:
    agreed = sum(counts[kind] for kind in (AGREED, NO_LEVEL, SHORT))
    total = counts.total()
    return [
        f"## Beside {name}",
        "",
        f"Agreement on {agreed} of {total} rows.",
        "",
        "| rows | |",
        "|---|---|",
        *(f"| {count} | {kind} |" for kind, count in counts.most_common()),
        "",
    ]


def _by_status(found: list[tuple[Row, str]]) -> list[str]:
    counts = Counter((status, _cut(row.dcap_qvl), _cut(row.go_tdx_guest)) for row, status in found)
    return [
        "## Every combination of answers",
        "",
        "| rows | here | dcap-qvl | go-tdx-guest |",
        "|---|---|---|---|",
        *(f"| {count} | {' | '.join(answers)} |" for answers, count in counts.most_common()),
        "",
    ]


def _cut(answer: str) -> str:
    """The last part of an error, which says what it is."""
    for mark in ("Verification failed: ", "failed TCB status check: ", "raw bytes to Quote: "):
        answer = answer.rpartition(mark)[2]
    return answer.partition(" |")[0]


if __name__ == "__main__":
    PAGE.write_text(page(ROOT.parent / "shared" / "recorded"), "utf-8")

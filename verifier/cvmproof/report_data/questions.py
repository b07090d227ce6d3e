"""What is asked of REPORT_DATA, the same of every technology."""

from cvmproof.check import Question
from cvmproof_formats.errors import Category

_FIELD = "AMD 56860, REPORT_DATA; Intel 348551, REPORTDATA"
_BINDING = "docs/binding.md"


def _ask(id_: str, category: Category, why: str, spec: str = _BINDING) -> Question:
    return Question(id=id_, category=category, why=why, spec=spec)


FRESHNESS_QUESTIONS = (
    _ask(
        "binding.domain",
        Category.BINDING,
        "the evidence is labelled as bound to something that can't be checked here",
    ),
    _ask(
        "freshness.report_data",
        Category.FRESHNESS,
        "the evidence was made for somebody else, or earlier",
        f"{_FIELD}; {_BINDING}",
    ),
)

# Where the verifier holds the TLS connection that the evidence came over.
LIVE_QUESTIONS = (
    _ask("binding.labels", Category.BINDING, "the evidence says itself that it is not about this connection"),
    _ask("freshness.nonce", Category.FRESHNESS, "the evidence answers another request"),
    _ask(
        "binding.leaf",
        Category.BINDING,
        "a key that may sign certificates can vouch for other keys",
        f"{_BINDING}; RFC 5280 section 4.2.1.3",
    ),
    _ask(
        "binding.report_data",
        Category.BINDING,
        "the evidence is of another TLS connection: somebody may stand in between",
        f"{_FIELD}; {_BINDING}; RFC 8446 section 7.5",
    ),
)

REPORT_DATA_QUESTIONS = (*FRESHNESS_QUESTIONS, *LIVE_QUESTIONS)

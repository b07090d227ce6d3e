"""`cvmproof explain`: a result file put into prose. It repeats what the file says and decides nothing."""

import click

from cvmproof.cli.command import command
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.files import read_named
from cvmproof.cli.output import write_text
from cvmproof.document import AppraisalDocument, ErrorDocument
from cvmproof.document_shape import read_document
from cvmproof.errors import Misuse
from cvmproof.rendering.prose import explain_appraisal, explain_error
from cvmproof_formats.encoding import read_json
from cvmproof_formats.errors import Malformed

RESULT_LIMIT = 8 * 1024 * 1024  # bytes: a policy may name ten thousand values, and each failed check shows them


@command("explain")
@click.argument("result")
def explain(result: str) -> int:
    """Say again what RESULT says, a file that --json wrote, with each reason and what to do next; - is stdin.

    The exit code is 0 where the file could be read, whatever it says: it is no verdict.
    """
    write_text(explain_result(read_named(result, RESULT_LIMIT, "result")))
    return ExitCode.ACCEPTED


def explain_result(data: bytes) -> str:
    """Read a result strictly and put it into prose.

    Raises Misuse, with category MALFORMED or SIZE_LIMIT, for anything that --json does not write.
    """
    try:
        value = read_json(data, what="result", limit=RESULT_LIMIT)
        if isinstance(value, dict) and "verdict" in value:
            return explain_appraisal(read_document(value, AppraisalDocument, "result"))
        return explain_error(read_document(value, ErrorDocument, "result"))
    except Malformed as error:
        raise Misuse(str(error), category=error.category) from error

"""A control plane's loop over its machines, with the library: appraise each, keep what was said, act on the verdict.

    python examples/control_plane.py examples/image.toml evidence/ collateral/

Evidence files come from agents, each named for the nonce that was sent (hexadecimal). A verdict is only good until it
expires.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import cvmproof
from cvmproof.collateral.wanting import wanted_for_evidence
from cvmproof.document import appraisal_document


def appraise(file: Path, policies: list[cvmproof.Policy], store: cvmproof.CollateralStore) -> cvmproof.Appraisal:
    """Appraise one machine's evidence; every fault comes out as one of cvmproof's errors."""
    evidence = cvmproof.read_evidence(file.read_bytes())
    now = datetime.now(UTC)
    return cvmproof.verify(
        evidence,
        policies=policies,
        trust=store.trust,
        freshness=cvmproof.ExpectedNonce(bytes.fromhex(file.stem)),
        now=now,
        collateral=store.load(wanted_for_evidence(evidence), now),
    )


def main(policy_file: str, evidence_folder: str, collateral_folder: str) -> int:
    """Appraise every file of a folder; gives the number of machines that may not be used."""
    policies = [
        cvmproof.read_policy(Path(policy_file).read_bytes(), name=policy_file),
        cvmproof.builtin_policy("genuine"),  # a floor of our own
    ]
    trust = cvmproof.TrustRoots.simulated()  # in earnest: TrustRoots.production()
    store = cvmproof.CollateralStore(folder=Path(collateral_folder), trust=trust)
    refused = 0
    for file in sorted(Path(evidence_folder).glob("*.json")):
        try:
            appraisal = appraise(file, policies, store)
        except (cvmproof.Rejected, cvmproof.Undecided) as no:
            refused += 1
            print(f"{file.stem[:8]}: {no.appraisal.verdict}: {no.category}: {no}")
        except cvmproof.CvmproofError as error:
            refused += 1
            print(f"{file.stem[:8]}: no verdict: {error.category}: {error}")
        else:
            document = appraisal_document(appraisal, policies)
            print(f"{file.stem[:8]}: {appraisal.verdict} until {document['expires_at']}")
    return refused


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:4]), 1))

"""SEV-SNP: an appraisal over the bare signature checks in it. `python -m benchmarks.snp` measures this part alone."""

from benchmarks import material
from benchmarks.figures import show
from benchmarks.rounds import Figure, paired


def measure() -> list[Figure]:
    """Measure a chain that was seen before, and one that was not."""
    warm = paired(
        "warm appraisal over the bare P-384 verification in it",
        material.appraise,
        material.bare_report_signature(),
        target=1.10,
        limit=1.25,
    )
    cold = [
        paired(
            f"cold appraisal over its signature checks, {how}",
            material.appraise,
            material.bare_signatures(fresh_keys=fresh),
            target=1.35,
            limit=1.35,
            prepare=material.forget,
        )
        for fresh, how in ((False, "keys loaded before"), (True, "keys loaded with them"))
    ]
    return [warm, *cold]


if __name__ == "__main__":
    show(measure())

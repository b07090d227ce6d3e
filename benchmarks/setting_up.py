"""Where the time of an attested channel goes before its first call: handshake, evidence, appraisal."""

import statistics
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import cvmproof
from benchmarks.machine import Machine, running
from benchmarks.material import POLICY, PSP, TRUST
from benchmarks.rounds import Figure
from cvmproof.channel.address import read_agent_url, resolve
from cvmproof.channel.connect import terms_of
from cvmproof.channel.deadline import Deadline
from cvmproof.channel.exchange import ask
from cvmproof.channel.judging import Judge
from cvmproof.channel.tls import dial
from cvmproof_formats.snp.product import KeyKind
from cvmproof_formats.tls import ALPN_ATTESTED

CHANNELS = 60
_WARM_UP = 5
_PARTS = ("handshake", "evidence, with the simulated device's signature", "appraisal, warm")


def measure() -> list[Figure]:
    """Measure the parts as the client waits for them; each share is the median of that part over that of the whole."""
    crl = PSP.authorities.crl(this_update=datetime.now(UTC) - timedelta(days=1))
    collateral = cvmproof.Collateral(crls=(cvmproof.Crl(der=crl, kind=KeyKind.VCEK),))
    terms = terms_of([POLICY], TRUST, collateral, any_software=False, offline=True)
    with running("simulated:snp") as machine:
        found = [_set_up(machine, terms.judge) for _ in range(CHANNELS + _WARM_UP)][_WARM_UP:]
    whole = statistics.median(sum(parts) for parts in found)
    return [
        Figure.of(
            f"share of setting up an attested channel: {name}", [(whole, statistics.median(parts), whole)], limit=None
        )
        for name, parts in zip(_PARTS, zip(*found, strict=True), strict=True)
    ]


def _set_up(machine: Machine, judge: Judge) -> tuple[float, float, float]:
    """Do what `connect` does, step by step; give the microseconds of each."""
    address = read_agent_url(f"https://{machine.host}:{machine.port}")
    times = [time.perf_counter()]
    with dial(address, resolve(address), alpn=ALPN_ATTESTED, deadline=Deadline(10)) as connection:
        times.append(time.perf_counter())
        answered = ask(connection)
        times.append(time.perf_counter())
        judge(answered.evidence, answered.expected)
        times.append(time.perf_counter())
    handshake, evidence, appraisal = ((after - before) * 1e6 for before, after in pairwise(times))
    return handshake, evidence, appraisal

"""Tools of others read the same SIMULATED devices as the agent does, and get the same bytes."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.devices.harness import launched

DATA = bytes(range(64))
# Each runs one tool and ours one after the other, at the same devices, and says what each got.
CVM_ATTEST = """
import json, sys
from cvm_attest.snp import evidence as snp
from cvm_attest.tdx import evidence as tdx
from cvmproof_agent.devices.configfs_tsm import ConfigfsTsm
from cvmproof_agent.devices.snp.sev_guest import SevGuest
from cvmproof_agent.devices.tsm_request import SEV_GUEST, Wanted, ask

def snp_ioctl(data):
    return snp.collect_evidence_ioctl(data, vmpl=0), SevGuest().report(data), b""

def snp_configfs(data):
    # That tool asks for level 1 first, whatever the kernel's own is.
    answer = ask(Wanted(report_data=data, provider=SEV_GUEST, settings=(("privlevel", "1"),)))
    return snp.collect_evidence_configfs(data), answer.outblob, answer.auxblob

def tdx_configfs(data):
    return tdx.collect_evidence_configfs(data), ConfigfsTsm().report(data), b""

theirs, report, table = globals()[sys.argv[1]](bytes.fromhex(sys.argv[2]))
print(json.dumps([theirs.raw_quote.hex(), report.hex(), b"".join(theirs.certificates).hex(), table.hex()]))
"""
CC_TRUSTED = """
import base64, json, sys
from cctrusted_vm.cvm import TdxVM
import cvmproof_agent

theirs = TdxVM()
theirs._config = {"port": 4050} if sys.argv[1] == "vsock" else {}
quote = theirs.get_cc_report(base64.b64encode(bytes(32)), None, None).data
ours = cvmproof_agent.open_device("auto")
tdreport = []
if sys.argv[1] != "configfs":
    asked = ours._tdreport
    ours._tdreport = lambda data: tdreport.append(asked(data)) or tdreport[0]
report = ours.report(bytes.fromhex(sys.argv[2]))
reports = [theirs.tdreport.data, *tdreport] if tdreport else [b"", b""]
print(json.dumps([bytes(found).hex() for found in (quote, report, *reports)]))
"""


def both(program: str, how: str, data: bytes, *, machine: str, interfaces: list[str], out: Path) -> list[bytes]:
    command = [sys.executable, "-c", program, how, data.hex()]
    with (
        out.open("wb") as stdout,
        launched(command, machine=machine, interfaces=interfaces, quiet=True, stdout=stdout) as running,
    ):
        assert running.wait(60) == 0
        assert running.devices.entries() == ()
    return [bytes.fromhex(text) for text in json.loads(out.read_text())]


@pytest.mark.parametrize(
    ("how", "machine", "interface", "level"),
    [
        ("snp_ioctl", "snp", "sev-guest", 0),
        ("snp_configfs", "snp", "tsm", 1),
        ("tdx_configfs", "tdx", "tsm", None),
        ("tdx_configfs", "tdx,version=5", "tsm", None),
    ],
)
def test_cvm_attest_gets_the_same_bytes(
    tmp_path: Path, how: str, machine: str, interface: str, level: int | None
) -> None:
    theirs, ours, *tables = both(CVM_ATTEST, how, DATA, machine=machine, interfaces=[interface], out=tmp_path / "out")
    assert theirs == ours
    assert tables[0] == tables[1]
    assert bool(tables[0]) == (how == "snp_configfs")
    if level is None:
        assert read_quote(ours).body.report_data == DATA
    else:
        assert (read_report(ours).report_data, read_report(ours).vmpl) == (DATA, level)


@pytest.mark.parametrize(
    ("how", "interfaces"),
    [
        ("vsock", ["tdx-guest", "qgs"]),
        ("ioctl", ["tdx-guest-vendor"]),
        ("configfs", ["tsm", "tdx-guest"]),
    ],
)
def test_cc_trusted_gets_the_same_quotes_and_tdreports(tmp_path: Path, how: str, interfaces: list[str]) -> None:
    # It hashes what it is given before it asks.
    data = hashlib.sha512(bytes(32)).digest()
    theirs, ours, *tdreports = both(CC_TRUSTED, how, data, machine="tdx", interfaces=interfaces, out=tmp_path / "out")
    assert theirs == ours
    assert read_quote(ours).body.report_data == data
    assert tdreports[0] == tdreports[1]
    assert len(tdreports[0]) == (0 if how == "configfs" else 1024)


@pytest.mark.parametrize("machine", ["snp", "tdx"])
def test_bytes_would_not_be_the_same_over_other_data(tmp_path: Path, machine: str) -> None:
    program = (
        "import sys, cvmproof_agent\nprint(cvmproof_agent.open_device('auto').report(bytes.fromhex(sys.argv[1])).hex())"
    )
    found = []
    for data in (DATA, bytes(64), bytes(64)):
        with (tmp_path / "out").open("wb") as stdout:
            command = [sys.executable, "-c", program, data.hex()]
            with launched(command, machine=machine, quiet=True, stdout=stdout) as running:
                assert running.wait(60) == 0
        found.append((tmp_path / "out").read_text())
    assert found[0] != found[1] == found[2]

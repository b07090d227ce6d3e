"""What an SVSM reports of its services: over nonce and manifest, and so never taken for evidence of the agent."""

import hashlib
from pathlib import Path

import pytest
from tests.agent.devices.emulated import DATA, QUICK, as_root, configfs, emulated, tsm_root

from cvmproof_agent import open_device
from cvmproof_agent.devices.snp.services import services_report, services_report_data
from cvmproof_agent.report_check import what_was_asked
from cvmproof_formats.errors import Category, DeviceError
from cvmproof_formats.snp.report import read_report


def test_report_data_is_sha_512_of_both() -> None:
    assert services_report_data(b"nonce", b"manifest") == hashlib.sha512(b"noncemanifest").digest()


@as_root
@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_svsm_reports_its_services_over_nonce_and_manifest(tmp_path: Path, level: int) -> None:
    with emulated(tmp_path, f"snp,vmpl={level}") as devices:
        found = services_report(DATA, root=tsm_root(devices), patience=QUICK)
        report = read_report(found.report)
        assert found.manifest
        assert report.report_data == hashlib.sha512(DATA + found.manifest).digest()
        assert report.vmpl == 0
        assert sorted(found.certificates) == sorted(open_device("simulated:snp").certificates())


@as_root
def test_a_guest_without_an_svsm_has_no_services(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices, pytest.raises(DeviceError, match="there is no SVSM below it") as caught:
        services_report(DATA, root=tsm_root(devices), patience=QUICK)
    assert caught.value.category is Category.UNSUPPORTED


@as_root
def test_ac_122_evidence_of_such_a_guest_is_its_kernels_own_report(tmp_path: Path) -> None:
    with emulated(tmp_path, "snp,vmpl=1") as devices:
        device = configfs(devices)
        assert read_report(what_was_asked(device, device.report(DATA), DATA)).vmpl == 1
        services = services_report(DATA, root=tsm_root(devices), patience=QUICK).report
        with pytest.raises(DeviceError, match="expected a report of VMPL 1, got 0"):
            what_was_asked(device, services, DATA)


@as_root
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("tsm-report-data", "expected REPORT_DATA to be SHA-512 of nonce and manifest"),
        ("tsm-truncated=100", "is no report"),
    ],
)
def test_ac_122_another_answer_of_the_svsm_is_refused(tmp_path: Path, fault: str, why: str) -> None:
    with emulated(tmp_path, "snp,vmpl=1", faults=[fault]) as devices, pytest.raises(DeviceError, match=why):
        services_report(DATA, root=tsm_root(devices), patience=QUICK)


@as_root
def test_ac_121_another_writer_is_noticed_here_too(tmp_path: Path) -> None:
    with emulated(tmp_path, "snp,vmpl=1", faults=["tsm-other-writer*1"]) as devices:
        found = services_report(DATA, root=tsm_root(devices), patience=QUICK)
        assert read_report(found.report).report_data == services_report_data(DATA, found.manifest)

"""Devices by name: no hardware is an error and never a simulation, and the simulator comes only when it is named."""

import subprocess
import sys

import pytest

from cvmproof_agent import collect, open_device
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.pck import PckIdentity, read_pck
from cvmproof_formats.tdx.quote import Quote, read_quote
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn
from cvmproof_formats.x509 import read_certificate


def test_ac_123_without_hardware_auto_is_an_error() -> None:
    with pytest.raises(DeviceError, match="no confidential computing device"):
        open_device("auto")


@pytest.mark.parametrize("name", ["", "simulated", "snp", "/dev/sev-guest", "AUTO", " auto"])
def test_ac_124_what_is_no_device_is_misuse(name: str) -> None:
    with pytest.raises(Misuse, match="expected auto, configfs-tsm, sev-guest, tdx-guest or simulated"):
        open_device(name)


def test_ac_123_nothing_of_the_simulator_is_loaded_before_it_is_named() -> None:
    program = (
        "import sys, cvmproof_agent, cvmproof_agent.serve, cvmproof_agent.cli.serve\n"
        "try: cvmproof_agent.open_device('auto')\nexcept Exception: pass\n"
        "assert not any('simulat' in name for name in sys.modules)\n"
        "cvmproof_agent.open_device('simulated:snp')\n"
        "assert 'cvmproof_simulator.psp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(("kind", "needed"), [("snp", "cvmproof_simulator.psp"), ("tdx", "cvmproof_simulator.tdx.td")])
def test_a_missing_simulator_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch, kind: str, needed: str
) -> None:
    monkeypatch.delitem(sys.modules, f"cvmproof_agent.simulated.{kind}", raising=False)
    monkeypatch.setitem(sys.modules, needed, None)
    with pytest.raises(Misuse, match=r"pip install 'cvmproof\[simulator\]'"):
        open_device(f"simulated:{kind}")


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("key", KeyKind)
@pytest.mark.parametrize("version", [2, 3, 5])
def test_a_simulated_device_is_what_its_name_says(product: ProductLine, key: KeyKind, version: int) -> None:
    device = open_device(f"simulated:snp,product={product},key={key},version={version}")
    report = read_report(device.report(bytes(range(64))))
    assert (report.version, report.signing_key, report.report_data) == (version, key, bytes(range(64)))
    assert len(device.certificates()) == 3
    assert device.event_log() is None
    assert device.name.startswith("simulated:snp,product=")
    device.close()


def test_a_simulated_guest_can_be_another_one() -> None:
    report = read_report(
        open_device(
            f"simulated:snp,policy=0xb0000,measurement={'ab' * 48},host_data={'cd' * 32},report_id={'ef' * 32},vmpl=2"
        ).report(bytes(64))
    )
    assert (report.policy, report.vmpl) == (0xB0000, 2)
    assert report.measurement == b"\xab" * 48
    assert report.host_data == b"\xcd" * 32
    assert report.report_id == b"\xef" * 32


def test_another_chip_is_another_machine() -> None:
    chips = {read_report(open_device(f"simulated:snp,chip={name}").report(bytes(64))).chip_id for name in "ab"}
    assert len(chips) == 2


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ("sgx", "expected snp or tdx, got 'sgx'"),
        ("", "expected snp or tdx, got ''"),
        (".snp", "expected snp or tdx"),
        ("snp,product=Rome", "expected one of Milan, Genoa, Turin, got 'Rome'"),
        ("snp,version=6", "expected a number from 2 to 5, got '6'"),
        ("snp,version=x", "expected a number"),
        ("snp,version=", "got 'version='"),
        ("snp,colour=red", "got 'colour=red'"),
        ("snp,version=2,version=3", "got 'version=3'"),
        ("snp,measurement=ab", "measurement: expected 48 bytes"),
        ("snp,", "got ''"),
        ("tdx,version=3", "expected a number from 4 to 5, got '3'"),
        ("tdx,ca=root", "expected one of platform, processor, got 'root'"),
        ("tdx,platform=TDRelaunchAdvised", "platform: expected one of UpToDate, .*got 'TDRelaunchAdvised'"),
        ("tdx,module=SWHardeningNeeded", "module: expected one of UpToDate, OutOfDate, Revoked, NotSupported, got"),
        ("tdx,qe=uptodate", "qe: expected one of UpToDate, OutOfDate, Revoked, NotSupported, got 'uptodate'"),
        ("tdx,td_attributes=0x10000000000000000", "td_attributes: expected a number from 0 to"),
        ("tdx,mr_td=ab", "mr_td: expected 48 bytes"),
        ("tdx,rtmr2=ab", "got 'rtmr2=ab'"),
        ("tdx,vmpl=0", "got 'vmpl=0'"),
        ("tdx,version=4,version=5", "got 'version=5'"),
    ],
)
def test_another_description_is_misuse(description: str, why: str) -> None:
    with pytest.raises(Misuse, match=why):
        open_device(f"simulated:{description}")


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("ca", Ca)
def test_a_simulated_td_is_what_its_name_says(version: int, ca: Ca) -> None:
    device = open_device(f"simulated:tdx,version={version},ca={ca}")
    quote = read_quote(device.report(bytes(range(64))))
    assert (quote.header.version, quote.body.report_data) == (version, bytes(range(64)))
    assert pck_of(quote).ca is ca
    assert (device.tee, device.vmpl, device.certificates()) == (Tee.TDX, None, ())
    device.close()


def test_a_simulated_td_can_be_another_one() -> None:
    registers = {"mr_td": "ab", "mr_config_id": "cd", "mr_owner": "ef", "mr_owner_config": "12"}
    options = "".join(f",{name}={value * 48}" for name, value in registers.items())
    body = read_quote(open_device(f"simulated:tdx,td_attributes=0x10000001{options}").report(bytes(64))).body
    assert body.td_attributes == 0x10000001
    assert {name: getattr(body, name).hex() for name in registers} == {n: v * 48 for n, v in registers.items()}


def test_a_simulated_td_measures_its_boot_and_has_the_log_of_it() -> None:
    usual, other = open_device("simulated:tdx"), open_device("simulated:tdx,command_line=root=/dev/vda1 evil=1")
    registers = [read_quote(device.report(bytes(64))).body.rtmrs for device in (usual, other)]
    assert [index for index, pair in enumerate(zip(*registers, strict=True)) if pair[0] != pair[1]] == [2]
    for device, found in zip((usual, other), registers, strict=True):
        log = device.event_log()
        assert log is not None
        assert read_event_log(log).replay() == found


@pytest.mark.parametrize("part", ["platform", "module", "qe"])
def test_a_simulated_machine_can_lack_updates_of_each_part(part: str) -> None:
    def svns(options: str) -> dict[str, int]:
        quote = read_quote(open_device(f"simulated:tdx{options}").report(bytes(64)))
        module = TeeTcbSvn.read(quote.body.tee_tcb_svn).module_svn
        return {"platform": pck_of(quote).pcesvn, "module": module, "qe": quote.qe.report.isv_svn}

    usual, old = svns(""), svns(f",{part}=OutOfDate")
    assert [name for name in usual if old[name] < usual[name]] == [part]
    assert [name for name in usual if old[name] > usual[name]] == []


def test_another_simulated_machine_is_another_one() -> None:
    quotes = [read_quote(open_device(f"simulated:tdx,machine={name}").report(bytes(64))) for name in "ab"]
    assert len({pck_of(quote).ppid for quote in quotes}) == 2


def pck_of(quote: Quote) -> PckIdentity:
    return read_pck(read_certificate(read_pck_chain(quote.qe.pck_chain)[0]))


@pytest.mark.parametrize(("device", "other"), [("snp", "tdx"), ("tdx", "snp")])
def test_only_the_technology_that_was_named_is_loaded(device: str, other: str) -> None:
    program = (
        "import sys, cvmproof_agent, cvmproof_agent.serve, cvmproof_agent.cli.serve\n"
        f"device = cvmproof_agent.open_device('simulated:{device}')\n"
        "cvmproof_agent.collect(device, nonce=bytes(32), event_log=True)\n"
        f"assert 'cvmproof_agent.simulated.{other}' not in sys.modules\n"
        f"assert not any('.tdx' in name for name in sys.modules if {device == 'snp'})"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_collected_evidence_is_over_a_nonce_or_user_data_and_nothing_else() -> None:
    device = open_device("simulated:snp")
    assert collect(device, nonce=bytes(32)).binding == "nonce"
    assert collect(device, user_data=b"").binding == "user"
    for arguments in ({}, {"nonce": bytes(32), "user_data": b""}):
        with pytest.raises(Misuse, match="a nonce or user data, and not both"):
            collect(device, **arguments)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes(33), bytes(64)])
def test_ac_066_a_nonce_of_another_length_is_misuse(nonce: bytes) -> None:
    with pytest.raises(Misuse, match="nonce: expected exactly 32 bytes"):
        collect(open_device("simulated:snp"), nonce=nonce)


def test_more_user_data_than_fits_is_misuse() -> None:
    with pytest.raises(Misuse, match="at most 4096 bytes, got 4097"):
        collect(open_device("simulated:snp"), user_data=bytes(4097))

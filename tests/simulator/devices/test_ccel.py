"""The boot's event log lies behind an ACPI table, as firmware leaves it."""

import struct

from tests.simulator.devices.conftest import Serving

from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_simulator.devices.ccel import build_ccel
from cvmproof_simulator.tdx.td import CCEL_SIZE, SoftwareTd

TABLES = "/sys/firmware/acpi/tables"


def test_the_table_has_acpis_form() -> None:
    table = build_ccel(CCEL_SIZE)
    assert (table[:4], len(table), int.from_bytes(table[4:8], "little"), sum(table) % 256) == (b"CCEL", 56, 56, 0)
    assert struct.unpack_from("<BBHQ", table, 36) == (2, 0, 0, CCEL_SIZE)


def test_the_log_explains_the_registers(serving: Serving) -> None:
    devices = serving(machine="tdx,command_line=evil=1")
    table = devices.path(f"{TABLES}/CCEL").read_bytes()
    log = devices.path(f"{TABLES}/data/CCEL").read_bytes()
    assert (len(log), table) == (CCEL_SIZE, build_ccel(CCEL_SIZE))
    assert read_event_log(log).replay() == tuple(devices.rtmr(number) for number in range(4))
    assert read_event_log(log).replay() != SoftwareTd().rtmrs


def test_only_its_owner_may_read_it(serving: Serving) -> None:
    found = serving(machine="tdx").path(f"{TABLES}/data/CCEL").stat()
    assert (found.st_mode & 0o777, found.st_size) == (0o400, CCEL_SIZE)

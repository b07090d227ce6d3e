"""The boot event log: read within limits, replayed, and its data believed only where a digest is of it."""

import hashlib
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.evidence import EVENT_LOG_LIMIT
from cvmproof_formats.tdx import event_log as module
from cvmproof_formats.tdx.event_log import Event, EventLog, build_event_log, read_event_log


def digest(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def event(index: int, kind: int, data: bytes, measured: bytes | None = None) -> Event:
    return Event(index=index, type=kind, digest=digest(data if measured is None else measured), data=data)


def variable(name: str, value: bytes) -> bytes:
    return bytes(16) + struct.pack("<QQ", len(name), len(value)) + name.encode("utf-16-le") + value


SEPARATORS = (event(1, module.EV_SEPARATOR, bytes(4)), event(2, module.EV_SEPARATOR, bytes(4)))
LOG = EventLog(
    events=(
        event(0, module.EV_NO_ACTION, b"told, not measured"),
        event(1, 0x8000000B, b"\tTdxTable", b"a table in memory"),
        event(1, module.EV_EFI_VARIABLE_DRIVER_CONFIG, variable("SecureBoot", b"\1")),
        event(1, module.EV_EFI_VARIABLE_BOOT, variable("BootOrder", b"\0\0"), b"\0\0"),
        *SEPARATORS,
        event(2, module.EV_EFI_ACTION, b"Calling EFI Application from Boot Option"),
        event(3, module.EV_IPL, b"grub_cmd: set timeout=0\0", b"set timeout=0"),
        event(4, 0x0000000E, b""),
    )
)
DATA = build_event_log(LOG)
HEAD = 65  # bytes of the first event


def with_algorithms(*algorithms: tuple[int, int], events: bytes = b"") -> bytes:
    listed = b"".join(struct.pack("<HH", *algorithm) for algorithm in algorithms)
    body = (
        b"Spec ID Event03\0" + bytes.fromhex("0000000000020002") + struct.pack("<I", len(algorithms)) + listed + b"\0"
    )
    return struct.pack("<II20sI", 0, 3, bytes(20), len(body)) + body + events


def raw_event(index: int, kind: int, data: bytes, *digests: tuple[int, bytes]) -> bytes:
    written = b"".join(algorithm.to_bytes(2, "little") + value for algorithm, value in digests)
    return struct.pack("<III", index, kind, len(digests)) + written + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize("filler", [b"\xff", b"\0"])
@pytest.mark.parametrize("size", [0, 1, 8, 11, 12, 65536])
def test_what_is_written_is_read_back_whatever_fills_the_rest(filler: bytes, size: int) -> None:
    assert read_event_log(DATA) == LOG
    assert read_event_log(build_event_log(LOG, size=len(DATA) + size, filler=filler)) == LOG
    assert read_event_log(build_event_log(EventLog(events=()), size=HEAD + size, filler=filler)).events == ()


def test_registers_are_extended_one_event_after_the_other() -> None:
    rtmr0, rtmr1, rtmr2, rtmr3 = LOG.replay()
    assert rtmr3 == digest(bytes(48) + digest(b""))
    assert rtmr2 == digest(bytes(48) + digest(b"set timeout=0"))
    assert rtmr1 == digest(digest(bytes(48) + digest(bytes(4))) + digest(LOG.events[6].data))
    assert rtmr0 not in (rtmr1, rtmr2, rtmr3, bytes(48))
    assert EventLog(events=LOG.events[:1]).replay() == (bytes(48),) * 4
    assert [len(LOG.of(rtmr)) for rtmr in range(4)] == [4, 2, 1, 1]


def test_ac_082_data_is_covered_only_as_far_as_a_digest_is_of_it() -> None:
    covered = {e.type: e.covered for e in LOG.events}
    assert covered[0x8000000B] is None
    assert covered[module.EV_EFI_VARIABLE_DRIVER_CONFIG] == variable("SecureBoot", b"\1")
    assert covered[module.EV_EFI_VARIABLE_BOOT] == b"\0\0"
    assert covered[module.EV_IPL] == b"set timeout=0"


@pytest.mark.parametrize("text", [b"/EFI/fedora/grub.cfg\0", b"/EFI/fedora/grub.cfg", b"kernel_cmdline: quiet\0"])
def test_a_boot_loaders_text_is_covered_with_or_without_what_stands_around_it(text: bytes) -> None:
    for measured in (text, text.removesuffix(b"\0"), text.removesuffix(b"\0").partition(b": ")[2] or text):
        assert event(3, module.EV_IPL, text, measured).covered == measured
    assert event(3, module.EV_IPL, text, b"a file").covered is None
    assert not event(3, module.EV_IPL, text, b"a file").contradicted


@pytest.mark.parametrize(
    "kind",
    [
        module.EV_SEPARATOR,
        module.EV_EFI_VARIABLE_DRIVER_CONFIG,
        module.EV_EFI_VARIABLE_BOOT,
        module.EV_EFI_VARIABLE_BOOT2,
        module.EV_EFI_VARIABLE_AUTHORITY,
        module.EV_EFI_GPT_EVENT,
        module.EV_EFI_ACTION,
    ],
)
def test_ac_082_right_digests_with_forged_data_replay_and_are_contradicted(kind: int) -> None:
    data = variable("SecureBoot", b"\1")
    measured = b"\1" if kind == module.EV_EFI_VARIABLE_BOOT else data
    genuine = event(1, kind, data, measured)
    assert not genuine.contradicted
    for forged in (variable("SecureBoot", b"\0"), data + b"\0", data[:-1], b""):
        log = read_event_log(build_event_log(EventLog(events=(replace(genuine, data=forged),))))
        assert log.replay() == EventLog(events=(genuine,)).replay()
        assert log.contradicted() == log.events
    assert LOG.contradicted() == ()


def test_ac_082_the_name_of_a_boot_variable_is_anybodys() -> None:
    renamed = event(1, module.EV_EFI_VARIABLE_BOOT, variable("Whatever", b"\0\0"), b"\0\0")
    assert renamed.covered == b"\0\0"
    huge = bytes(16) + struct.pack("<QQ", 1 << 63, (1 << 64) - 1)
    assert event(1, module.EV_EFI_VARIABLE_BOOT, huge).contradicted


def test_ac_082_a_missing_separator_is_told() -> None:
    def without(*left_out: Event) -> tuple[int, ...]:
        return EventLog(events=tuple(e for e in LOG.events if e not in left_out)).unseparated()

    assert without() == ()
    assert without(SEPARATORS[0]) == (0,)
    assert without(*SEPARATORS) == (0, 1)
    assert EventLog(events=(event(3, module.EV_IPL, b"x"), event(4, module.EV_IPL, b"x"))).unseparated() == ()
    for separator in (event(1, module.EV_SEPARATOR, b"\1\0\0\0"), event(1, module.EV_SEPARATOR, bytes(4), b"x")):
        assert EventLog(events=(separator,)).unseparated() == (0,)
    assert EventLog(events=(event(1, module.EV_SEPARATOR, b"\xff" * 4),)).unseparated() == ()


@pytest.mark.parametrize(("algorithm", "size"), [(0x0012, 32), (0x0000, 0), (0xFFFF, 48), (0x0027, 32)])
def test_ac_082_an_unknown_algorithm_is_not_supported(algorithm: int, size: int) -> None:
    with pytest.raises(Malformed, match=f"{algorithm:#06x} is not known here") as caught:
        read_event_log(with_algorithms((0x000C, 48), (algorithm, size)))
    assert caught.value.category is Category.UNSUPPORTED


def test_ac_082_a_log_without_sha384_is_not_supported() -> None:
    with pytest.raises(Malformed, match="expected SHA-384") as caught:
        read_event_log(with_algorithms((0x0004, 20), (0x000B, 32)))
    assert caught.value.category is Category.UNSUPPORTED


def test_a_digest_of_each_listed_algorithm_is_needed_once() -> None:
    sha256, sha384, extra = (0x000B, bytes(32)), (0x000C, digest(b"x")), (0x0004, bytes(20))
    listed = ((0x000B, 32), (0x000C, 48))
    got = read_event_log(with_algorithms(*listed, events=raw_event(1, 5, b"x", sha256, sha384))).events[0]
    assert got == Event(index=1, type=5, digest=digest(b"x"), data=b"x", other_digests=(sha256,))
    for digests in ((sha384,), (sha256,), (sha256, sha384, extra), (sha384, sha384), (sha384, extra)):
        with pytest.raises(Malformed, match="digest"):
            read_event_log(with_algorithms(*listed, events=raw_event(1, 5, b"x", *digests)))


@pytest.mark.parametrize(
    "algorithms", [(), ((0x000C, 32),), ((0x000C, 48), (0x000C, 48)), ((0x000C, 48), (0x000B, 48)), ((0x000C, 48),) * 5]
)
def test_a_list_of_algorithms_that_is_none_is_refused(algorithms: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(Malformed, match="Spec ID event"):
        read_event_log(with_algorithms(*algorithms))


@pytest.mark.parametrize("index", [5, 6, 23, 0xFFFFFFFE])
def test_ac_082_an_event_of_a_register_that_no_quote_has_is_refused(index: int) -> None:
    for kind in (module.EV_SEPARATOR, module.EV_NO_ACTION):
        with pytest.raises(Malformed, match=r"register 1 to 4 \(RTMR0 to RTMR3\), got"):
            read_event_log(DATA + raw_event(index, kind, b"", (0x000C, bytes(48))))


def test_ac_082_nothing_extends_mrtd() -> None:
    with pytest.raises(Malformed, match="register 1 to 4"):
        read_event_log(DATA + raw_event(0, module.EV_SEPARATOR, bytes(4), (0x000C, bytes(48))))


@pytest.mark.parametrize("size", [1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_ac_082_sizes_that_lead_out_of_the_log_are_refused(size: int) -> None:
    start = raw_event(1, 5, b"", (0x000C, bytes(48)))[:-4]
    with pytest.raises(Malformed, match=f"event data at .* expected {size} bytes, got 0"):
        read_event_log(DATA + start + struct.pack("<I", size))
    with pytest.raises(Malformed, match="expected 1 digests, got"):
        read_event_log(DATA + struct.pack("<III", 1, 5, size + 1 & 0xFFFFFFFF))
    with pytest.raises(Malformed, match=r"first event at 0x20: expected"):
        read_event_log(struct.pack("<II20sI", 1, 3, bytes(20), size))


def test_ac_082_ac_108_a_log_over_the_limit_is_refused_unread() -> None:
    full = build_event_log(LOG, size=EVENT_LOG_LIMIT)
    assert read_event_log(full) == LOG
    with pytest.raises(Malformed, match="at most 4194304 bytes") as caught:
        read_event_log(full + b"\xff")
    assert caught.value.category is Category.SIZE_LIMIT


def test_ac_082_a_log_full_of_events_is_read_in_one_go() -> None:
    one = raw_event(4, 5, b"", (0x000C, bytes(48)))
    count = (EVENT_LOG_LIMIT - HEAD) // len(one)
    log = read_event_log(with_algorithms((0x000C, 48), events=one * count))
    assert len(log.events) == count
    assert log.unseparated() == ()
    assert log.replay()[:3] == (bytes(48),) * 3


@pytest.mark.parametrize(
    "behind",
    [
        b"\xff" * 20 + b"\0",
        b"\0" * 20 + b"\1",
        b"\0" * 20 + b"\xff",
        b"\xff" * 12 + raw_event(1, 4, bytes(4), (0x000C, bytes(48))),
        b"\xff\xff\xff",
        b"\xff\xff\0",
        b"\1",
        b"\0\0\0\0\0\0\0\1",
    ],
)
def test_behind_the_events_there_is_filler_and_nothing_else(behind: bytes) -> None:
    if behind.strip(b"\xff"):
        with pytest.raises(Malformed):
            read_event_log(DATA + behind)
    else:
        assert read_event_log(DATA + behind) == LOG


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "first event at 0x0"),
        (bytes(100), "Spec ID Event03"),
        (b"\xff" * 100, "expected 4294967295 bytes"),
        (DATA[:4] + b"\4" + DATA[5:], "Spec ID Event03"),
        (DATA.replace(b"Event03", b"Event02"), "Spec ID Event03"),
        (DATA[:8] + b"\1" + DATA[9:], "digest of zeros"),
        (DATA[: HEAD - 13] + b"\1" + DATA[HEAD - 12 :], r"expected version 2\.0"),
        (DATA[: HEAD - 1] + b"\1" + DATA[HEAD:], "expected 34 bytes, got 33"),
    ],
)
def test_a_log_that_starts_otherwise_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read_event_log(data)


def test_a_log_cut_inside_an_event_is_refused() -> None:
    ends = {HEAD}
    for number in range(1, len(LOG.events) + 1):
        ends.add(len(build_event_log(EventLog(events=LOG.events[:number]))))
    assert len(DATA) in ends
    for size in range(len(DATA)):
        if size in ends:
            assert len(read_event_log(DATA[:size]).events) < len(LOG.events)
        elif size - max(end for end in (0, *ends) if end <= size) > 4 or size < HEAD:
            with pytest.raises(Malformed):
                read_event_log(DATA[:size])


@given(st.binary(max_size=300))
def test_any_bytes_give_a_log_or_malformed(data: bytes) -> None:
    for start in (b"", DATA[:HEAD], DATA):
        with suppress(Malformed):
            log = read_event_log(start + data)
            assert len(log.replay()) == 4
            log.contradicted()
            log.unseparated()


@given(at=st.integers(0, len(DATA) - 1), value=st.integers(0, 255))
def test_any_changed_byte_gives_a_log_or_malformed(at: int, value: int) -> None:
    with suppress(Malformed):
        read_event_log(DATA[:at] + bytes((value,)) + DATA[at + 1 :]).contradicted()


# TD quote body 1.0 behind a header of 48 bytes: RTMR0 stands at 328.
RTMR0_IN_QUOTE = 48 + 328


def test_a_recorded_log_replays_to_the_registers_quoted_beside_it(recorded: Path) -> None:
    folder = recorded / "tdx" / "ccel" / "google+go-tdx-guest"
    quote = (folder / "cos-113-tdx-quote.dat").read_bytes()
    log = read_event_log((folder / "ccel_data.dat").read_bytes())
    quoted = tuple(quote[RTMR0_IN_QUOTE + 48 * n : RTMR0_IN_QUOTE + 48 * (n + 1)] for n in range(4))
    assert log.replay() == quoted
    assert log.contradicted() == ()
    assert log.unseparated() == ()


def test_every_recorded_log_is_read_and_written_again_exactly(recorded: Path) -> None:
    paths = [*recorded.glob("tdx/ccel/**/[cC][cC][eE][lL]_data*"), *recorded.glob("cloud/**/ccel_data*")]
    assert paths
    for path in paths:
        data = path.read_bytes()
        log = read_event_log(data)
        assert build_event_log(log, size=len(data)) == data
        assert log.contradicted() == ()

"""The fields of one JSON object, each read as its type: what is missing is empty, what is wrong is said."""

import re
from datetime import UTC, datetime

from cvmproof.prism.identifier import LONGEST, is_identifier
from cvmproof.spelling import escape
from cvmproof_formats.encoding import read_base64
from cvmproof_formats.errors import EndpointError, Malformed

_MOST = 2**64 - 1  # the service counts in Go's uint64
# RFC 3339 section 5.6; Go writes up to nine digits of a second, of which six are kept.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)  # Go's time.Time{}: no time at all


class Fields:
    """One object of an answer; a name that is missing and one that is null are the same."""

    def __init__(self, value: object, what: str) -> None:
        """Take a JSON value and what it is; raises EndpointError for anything but an object."""
        if not isinstance(value, dict):
            raise EndpointError(f"{what}: expected an object, got {_kind(value)}")
        self._values: dict[str, object] = value
        self.what = what

    def has(self, name: str) -> bool:
        """Say whether a name is there, be it null."""
        return name in self._values

    def text(self, name: str) -> str:
        """Give a text; empty where there is none."""
        value = self._values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(name, "text", _kind(value))
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise self._wrong(name, "Unicode text", "half a surrogate pair")  # RFC 8259 section 8.2
        return value

    def identifier(self, name: str) -> str:
        """Give a name that can be asked for; there must be one."""
        value = self.text(name)
        if not is_identifier(value):
            expected = f"1 to {LONGEST} printable characters without slashes"
            raise self._wrong(name, expected, repr(escape(value, 80)) if value else "nothing")
        return value

    def whole(self, name: str) -> int | None:
        """Give a whole number, not negative."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
            raise self._wrong(name, "a whole number, not negative, of 64 bits", _kind(value))
        return value

    def truth(self, name: str) -> bool:
        """Give true or false; it must be there."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", _kind(value))
        return value

    def moment(self, name: str) -> datetime | None:
        """Give a time in UTC; None for an empty one and for Go's zero time."""
        text = self.text(name)
        if not text:
            return None
        try:
            moment = _read_moment(text)
        except (ValueError, OverflowError) as error:
            raise self._wrong(name, "a time as in RFC 3339", repr(escape(text, 40))) from error
        return None if moment == _ZERO_TIME else moment

    def blob(self, name: str) -> bytes:
        """Give bytes written in base64, padded or not; empty where there are none."""
        text = self.text(name)
        try:
            return read_base64(text if text.endswith("=") else text + "=" * (-len(text) % 4), what=name)
        except Malformed as error:
            raise EndpointError(f"{self.what}: {error}, in {len(text)} characters") from error

    def objects(self, name: str) -> tuple["Fields", ...]:
        """Give a list of objects; null is an empty one, as Go writes it, but the name must be there."""
        value = self._values.get(name)
        if value is None and self.has(name):
            return ()
        if not isinstance(value, list):
            raise self._wrong(name, "a list", _kind(value) if self.has(name) else "nothing")
        return tuple(Fields(item, f"{self.what}: {name}[{index}]") for index, item in enumerate(value))

    def _wrong(self, name: str, expected: str, got: str) -> EndpointError:
        return EndpointError(f"{self.what}: {name}: expected {expected}, got {got}")


def _read_moment(text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise ValueError("not RFC 3339")
    return datetime.fromisoformat(text).astimezone(UTC)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) <= _MOST else "a large number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"

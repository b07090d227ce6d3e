"""High-water marks in a state directory of the verifier, never in a bundle; one file for each trust set.

Raised only by what a verified signature stands behind, and never lowered: of two processes at once, the newer wins.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from cvmproof.appraisal import Appraisal
from cvmproof.errors import Category, CollateralError, Malformed
from cvmproof.high_water import HighWater, Mark
from cvmproof.spelling import spell_time
from cvmproof.state import locked_state, read_state, replace_state
from cvmproof.trust import TrustRoots
from cvmproof_formats.encoding import read_json

SCHEMA: Final = "cvmproof.high-water/1"
LIMIT: Final = 4 * 1024 * 1024  # bytes: tens of thousands of kinds of platform


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWaterStore:
    """The marks in one folder, for one trust set; every method raises CollateralError for one it can't use."""

    folder: Path
    trust: TrustRoots

    @classmethod
    def default(cls, trust: TrustRoots) -> Self:
        """Take the user's state folder."""
        import platformdirs  # noqa: PLC0415 -- only for this name, and not where a folder is given

        return cls(folder=platformdirs.user_state_path("cvmproof") / "high-water", trust=trust)

    @property
    def path(self) -> Path:
        """Where the marks lie."""
        return self.folder / f"{self.trust.name}.json"

    def read(self) -> HighWater:
        """Read the marks; none where there is no file yet. A file that can't be read is not taken for none."""
        data = read_state(self.path, LIMIT)
        if data is None:
            return HighWater.nothing(self.trust.name)
        try:
            return self._parse(data)
        except (Malformed, ValueError, KeyError, TypeError) as error:
            hint = f"find out what changed it; rm {self.path} forgets how new collateral was"
            message = f"{self.path}: expected high-water marks of {self.trust.name}, got something else"
            raise CollateralError(message, category=Category.MALFORMED, hint=hint) from error

    def raise_by(self, appraisal: Appraisal) -> None:
        """Remember what an appraisal has verified, whatever its verdict."""
        known = self.read()
        if known.raised(appraisal.seen) is known:
            return
        with locked_state(self.folder / "lock"):
            marks = self.read().raised(appraisal.seen)
            replace_state(self.path, _render(marks))

    def _parse(self, data: bytes) -> HighWater:
        document = read_json(data, what="high-water marks", limit=LIMIT)
        body = document["high_water"] if isinstance(document, dict) else None
        if not isinstance(body, dict) or body["schema"] != SCHEMA or body["trust"] != self.trust.name:
            raise Malformed("expected the marks of another schema or trust set")
        marks = {str(name): _mark(value) for name, value in body["marks"].items()}
        found = HighWater(trust=self.trust.name, marks=MappingProxyType(marks))
        if _render(found) != data:
            raise Malformed("expected the bytes that were written")
        return found


def _mark(value: object) -> Mark:
    if not isinstance(value, dict) or type(value["number"]) is not int:
        raise Malformed("expected a number and a date")
    return Mark(number=value["number"], issued=datetime.fromisoformat(str(value["issued"])))


def _render(marks: HighWater) -> bytes:
    """Write marks, and a digest over them against damage."""
    written = {
        name: {"number": mark.number, "issued": spell_time(mark.issued)} for name, mark in sorted(marks.marks.items())
    }
    body = json.dumps({"schema": SCHEMA, "trust": marks.trust, "marks": written}, indent=1)
    return f'{{"high_water": {body},\n"sha256": "{sha256(body.encode()).hexdigest()}"}}\n'.encode()

"""Opens many attested channels, one after the other, and prints resident memory after some and after all of them."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.agent.machine import Client, serving


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    first, last = map(int, sys.argv[1:])
    with serving() as agent:
        for number in range(1, last + 1):
            with Client(agent.address) as client:
                client.ask()
            if number in (first, last):
                sys.stdout.write(f"{resident()}\n")


if __name__ == "__main__":
    main()

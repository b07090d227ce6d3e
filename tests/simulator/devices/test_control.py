"""Messages between the processes of a harness are answered, refused, or find nobody there."""

import os
import threading

import pytest

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.devices import control


def test_a_question_is_answered_or_refused() -> None:
    ours, theirs = control.pair()
    heard: list[str] = []

    def answer() -> None:
        heard.append(control.receive(theirs)[0])
        control.agree(theirs, "yes, of course")
        heard.append(control.receive(theirs)[0])
        control.refuse(theirs, "not today")

    with ours, theirs:
        thread = threading.Thread(target=answer)
        thread.start()
        assert control.ask(ours, "may I") == "yes, of course"
        with pytest.raises(Misuse, match="not today"):
            control.ask(ours, "and now")
        thread.join()
    assert heard == ["may I", "and now"]


def test_a_descriptor_comes_along() -> None:
    ours, theirs = control.pair()
    reading, writing = os.pipe()
    with ours, theirs:
        control.send(ours, "take this", writing)
        os.close(writing)
        line, (given,) = control.receive(theirs)
    os.write(given, b"x")
    assert (line, os.read(reading, 1)) == ("take this", b"x")
    os.close(given)
    os.close(reading)


def test_nobody_there_is_said_so() -> None:
    ours, theirs = control.pair()
    theirs.close()
    with ours, pytest.raises(ConnectionError, match="the server of the SIMULATED devices has ended"):
        control.ask(ours, "hello")

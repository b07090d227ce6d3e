"""One thread waits for descriptors and times; a device answers one after the other."""

import os

from cvmproof_simulator.devices.faults import Fault, Faults
from cvmproof_simulator.devices.loop import Loop, Queue


def test_actions_happen_in_time_and_cancelled_ones_never() -> None:
    loop, done = Loop(), list[str]()
    loop.later(0.02, lambda: done.append("second"))
    loop.later(0.01, lambda: done.append("first"))
    loop.cancel(loop.later(0.015, lambda: done.append("never")))
    loop.later(0.03, loop.stop)
    loop.run()
    assert done == ["first", "second"]


def test_a_descriptor_is_watched_until_it_is_not() -> None:
    loop, seen = Loop(), list[bytes]()
    reading, writing = os.pipe()

    def act() -> None:
        seen.append(os.read(reading, 1))
        loop.unwatch(reading)
        loop.later(0.01, loop.stop)

    loop.watch(reading, act)
    os.write(writing, b"ab")
    loop.run()
    os.close(reading)
    os.close(writing)
    assert seen == [b"a"]


def test_answers_that_take_time_leave_one_after_the_other() -> None:
    loop, done = Loop(), list[str]()
    faults = Faults([Fault.read("delay=20*2")])
    queue = Queue(loop, faults)
    numbers = []
    for name in ("slow", "slower", "at once"):
        faults.spend()
        numbers.append(queue.answer(lambda name=name: done.append(name)))  # type: ignore[misc]  # binds the name now
    assert done == ["at once"]
    assert [number is None for number in numbers] == [False, False, True]
    loop.later(0.2, loop.stop)
    loop.run()
    assert done == ["at once", "slow", "slower"]

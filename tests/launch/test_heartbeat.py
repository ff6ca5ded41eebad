from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from auglocal_mm.launch.heartbeat import Heartbeat, Pulse


def test_a_heartbeat_says_where_the_process_is_and_survives_being_written():
    with ThreadPoolExecutor() as threads:
        heartbeat = threads.submit(Heartbeat.of_this_process, beats=3, completed=2).result()
    assert Heartbeat.parse(str(heartbeat)) == heartbeat
    assert Path(__file__).name in heartbeat.place and not heartbeat.is_gone
    assert replace(heartbeat, pid=2**22 + 1).is_gone and not replace(heartbeat, pid=2**22 + 1, host='elsewhere').is_gone


def test_a_process_is_busy_or_waits_for_as_long_as_its_iteration_is_the_same():
    pulse, first = Pulse(), Heartbeat.of_this_process(beats=1, completed=0)
    counts = []
    for beats, completed, place in [
        (1, 0, 'here'),
        (2, 0, 'here'),
        (3, 0, 'there'),
        (3, 0, 'there'),
        (4, 1, 'there'),
        (5, 1, ''),
    ]:
        pulse.feel(replace(first, beats=beats, completed=completed, place=place))
        counts.append((pulse.silent, pulse.waiting, pulse.busy))
    assert counts == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 2), (0, 0, 0), (0, 1, 0)]

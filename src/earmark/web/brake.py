"""Guessing made slow: who has often been wrong has to wait, each time for longer."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from earmark.web.faults import Refused

_FREE = 5
_LONGEST_S = 60.0
_FORGOTTEN_S = 900.0
_MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class _Wrong:
    n: int
    last: float
    until: float


class Brake:
    """Counts wrong tries by the address that they come from; used from any thread.

    This machine itself is never made to wait: nobody who guesses elsewhere shuts out the person who
    sits at it. Addresses of IPv6 count by their network, of which a single guesser has one. Those
    that were wrong longest ago are forgotten where there are very many.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def n_remembered(self) -> int:
        """Addresses that have been wrong."""
        return len(self._wrong)

    def check(self, address: str) -> None:
        """To be asked before each try.

        Raises
        ------
        Refused
            It comes too early (429); whether it is right is not told.
        """
        with self._lock:
            wrong = self._wrong.get(_network(address))
            left_s = wrong.until - self._clock() if wrong else 0.0
        if left_s > 0:
            raise Refused(
                429,
                "too many wrong tokens have come from this address",
                "wait a little, then send the right one",
                retry_after_s=int(left_s) + 1,
            )

    def note_wrong(self, address: str) -> None:
        """A try was wrong."""
        network = _network(address)
        if not network:
            return
        now = self._clock()
        with self._lock:
            wrong = self._wrong.pop(network, None)
            n = 1 if wrong is None or now - wrong.last > _FORGOTTEN_S else wrong.n + 1
            wait_s = min(2.0 ** min(n - _FREE, 10), _LONGEST_S) if n >= _FREE else 0.0
            self._wrong[network] = _Wrong(n, now, now + wait_s)
            while len(self._wrong) > _MOST_REMEMBERED:
                self._wrong.popitem(last=False)


def _network(address: str) -> str:
    """What tries are counted by; empty for this machine."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # as a proxy may say
        return address[:100]
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        if mapped is None:
            return "" if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
        found = mapped
    return "" if found.is_loopback else str(found)

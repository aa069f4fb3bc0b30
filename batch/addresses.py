"""Connections to public addresses alone: a name is looked up once, what was checked is used."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore

from batch.damage import PhotoError

NAT64 = IPv6Network("64:ff9b::/96")
UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is given out; the rest is for other ends

Resolve = Callable[[str, int], Sequence[str]]
"""host, port -> addresses. Raises OSError or ValueError for a name that has none."""


def is_public(address: str) -> bool:
    """Tell whether an address is one of the public internet.

    Not: loopback, private, link-local, multicast, reserved, unspecified, shared (100.64.0.0/10),
    nor a form of IPv6 that leads to such an address of IPv4.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = _inner(ip)
        if inner is None:
            return ip in UNICAST and ip.is_global
        ip = inner
    return ip.is_global and not ip.is_multicast


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """Give the IPv4 address that a mapped, 6to4 or NAT64 address leads to.

    Teredo's are refused as they are: what they lead to is behind somebody's router.
    """
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host; it also reads 2130706433 and 0x7f.1."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Connections(httpcore.NetworkBackend):
    """Connects one fetch to public hosts, and ends whatever goes on past its deadline.

    httpcore asks it for every connection, so that no redirect gets round the check; and since the
    connection goes to the address that was checked, neither does a name whose address changes.
    """

    def __init__(self, deadline: float, resolve: Resolve, *, allow_private: bool) -> None:
        self.deadline, self.resolve, self.allow_private = deadline, resolve, allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a host, at the first of its addresses that answers.

        Raises PhotoError where the name has no address, or one that is not public; httpcore's
        ConnectError or ConnectTimeout where none answers.
        """
        end = time.monotonic() + seconds_left(self.deadline, timeout)
        addresses = self._checked(host, port, end)
        failure: Exception = httpcore.ConnectTimeout()
        for tried, address in enumerate(addresses):
            try:  # each has its share: one that swallows what is sent must not use up all the time
                share = seconds_left(end) / (len(addresses) - tried)
                stream = httpcore.SyncBackend().connect_tcp(
                    address, port, share, local_address, socket_options
                )
                return _Timed(stream, self.deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def _checked(self, host: str, port: int, end: float) -> Sequence[str]:
        try:
            addresses = _resolved(self.resolve, host, port, end)
        except (OSError, ValueError) as error:
            text = f"is on {host}, a host that was not found: check the URL and the network"
            raise PhotoError("io", text) from error
        if not self.allow_private:
            for address in addresses:
                if not is_public(address):
                    text = f"is on {host}, which is no public address ({address}): "
                    raise PhotoError("denied", f"{text}give ALLOW_PRIVATE=1 if that is meant")
        return addresses


def _resolved(resolve: Resolve, host: str, port: int, end: float) -> Sequence[str]:
    """Look a name up in a thread of its own: the system's resolver knows no time limit.

    Raises TimeoutError, or what `resolve` raises.
    """
    future: Future[Sequence[str]] = Future()

    def answer() -> None:
        try:
            future.set_result(resolve(host, port))
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
            future.set_exception(error)

    threading.Thread(target=answer, daemon=True).start()
    return future.result(seconds_left(end))


class _Timed(httpcore.NetworkStream):
    """A stream that no reading, writing or handshake keeps open past the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self.stream, self.deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, seconds_left(self.deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, seconds_left(self.deadline, timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = seconds_left(self.deadline, timeout)
        return _Timed(self.stream.start_tls(ssl_context, server_hostname, left), self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def seconds_left(deadline: float, at_most: float | None = None) -> float:
    """Give the seconds up to a deadline on the monotonic clock.

    Raises httpcore's ReadTimeout where it has passed.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is up")
    return left if at_most is None else min(left, at_most)

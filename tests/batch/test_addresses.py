"""Only addresses of the public internet are public, in whatever form they come."""

import socket
import threading
import time

import httpcore
import pytest

from batch.addresses import Connections, is_public, look_up
from batch.damage import PhotoError

PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
PUBLIC += ["2002:101:101::1", "172.32.0.1", "100.128.0.1"]
OTHERS = {
    "this machine": ["127.0.0.1", "127.9.9.9", "::1"],
    "no address": ["0.0.0.0", "0.1.2.3", "::"],
    "local networks": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1"],
    "link-local, and the clouds' metadata": ["169.254.169.254", "fe80::1", "fe80::1%eth0"],
    "site-local": ["fec0::1"],
    "shared by a provider": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "4000::1", "100::1"],
    "for documents and tests": ["192.0.2.1", "198.18.0.1", "203.0.113.1", "2001:db8::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"],
    "compatible": ["::127.0.0.1", "::10.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:7f00:1::"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", [one for some in OTHERS.values() for one in some])
def test_what_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0x7f000001", "017700000001"])
def test_numbers_in_odd_forms_are_read_as_the_system_reads_them(host):
    assert look_up(host, 80) == ["127.0.0.1"]


def connections(resolve, seconds: float = 20, *, allow_private: bool = False) -> Connections:
    return Connections(time.monotonic() + seconds, resolve, allow_private=allow_private)


@pytest.fixture
def connected(monkeypatch) -> list[str]:
    """Note the addresses connected to; none of them answers."""
    noted: list[str] = []

    def connect(self, host, port, *_):
        noted.append(host)
        raise httpcore.ConnectError("refused")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return noted


def test_one_private_address_among_public_ones_is_enough_to_refuse(connected):
    with pytest.raises(PhotoError, match=r"10\.0\.0\.7") as found:
        connections(lambda *_: ["1.1.1.1", "10.0.0.7"]).connect_tcp("h", 80)
    assert (found.value.status, connected) == ("denied", [])


def test_every_address_is_tried_and_none_by_its_name(connected):
    with pytest.raises(httpcore.ConnectError, match="refused"):
        connections(lambda *_: ["1.1.1.1", "2606:4700::1111"]).connect_tcp("h", 80)
    assert connected == ["1.1.1.1", "2606:4700::1111"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "not known"), ValueError("label too long")])
def test_a_name_without_an_address_is_told(error):
    def resolve(host, port):
        raise error

    with pytest.raises(PhotoError, match=r"photos\.example, a host that was not found") as found:
        connections(resolve).connect_tcp("photos.example", 80)
    assert found.value.status == "io"


def test_a_resolver_that_hangs_is_not_waited_for():
    never = threading.Event()
    with pytest.raises(PhotoError, match="not found"):
        connections(lambda *_: never.wait(20) and []).connect_tcp("h", 80, timeout=0.05)
    never.set()


def test_past_the_deadline_nothing_is_looked_up_or_connected_to(connected):
    asked = []
    with pytest.raises(httpcore.ReadTimeout):
        connections(lambda *name: asked.append(name), seconds=0).connect_tcp("h", 80)
    assert asked == connected == []


def test_a_dead_address_leaves_time_for_the_next(monkeypatch):
    shares = []

    def connect(self, host, port, timeout, *_):
        shares.append(timeout)
        raise httpcore.ConnectTimeout

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(httpcore.ConnectTimeout):
        connections(lambda *_: ["1.1.1.1"] * 4).connect_tcp("h", 80, timeout=8)
    assert len(shares) == 4
    assert shares[0] <= 2

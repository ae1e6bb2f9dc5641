from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import callwright
from callwright.descriptors import RECEIVE_BUFFER, bind_sip
from callwright.errors import SettingsError

# Not shown in every container.
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
MOST_WITHOUT_FORCE = int(RMEM_MAX.read_text()) if RMEM_MAX.exists() else 0


def speaks_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_the_descriptor_limit_is_raised_to_the_hard_one():
    program = "from callwright.descriptors import raise_descriptor_limit; print(raise_descriptor_limit())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(callwright.__file__).parents[1])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "300\n"


NO_IPV6 = pytest.mark.skipif(not speaks_ipv6(), reason="this machine has no ::1")


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=NO_IPV6)])
def test_any_free_port(host):
    with bind_sip(host, 0) as bound:
        assert bound.getsockname()[0] == host
        assert bound.getsockname()[1] > 0
        assert not bound.getblocking()
        # the kernel books twice what was asked for (socket(7))
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 2 * min(RECEIVE_BUFFER, MOST_WITHOUT_FORCE)


def test_a_port_that_is_taken():
    with bind_sip("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(SettingsError) as caught:
            bind_sip("127.0.0.1", port)
    assert str(caught.value) == (
        f"SIP cannot listen on 127.0.0.1 port {port}: another program has it; stop that program or set sip.port"
    )


def test_an_address_of_another_machine():
    with pytest.raises(SettingsError, match=r"this machine does not have that address; set sip.host to one it has"):
        bind_sip("192.0.2.1", 0)

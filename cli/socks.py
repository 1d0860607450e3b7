"""The part of PySocks that httplib2 needs to go through an HTTP proxy.

httplib2, and so google-api-python-client, ignores https_proxy without a module
of this name. A PySocks that is installed is used instead.
"""

import base64
import importlib.machinery
import importlib.util
import os
import socket
import sys

PROXY_TYPE_SOCKS4, PROXY_TYPE_SOCKS5, PROXY_TYPE_HTTP = 1, 2, 3


class ProxyError(OSError):
    pass


class HTTPError(ProxyError):
    pass


class socksocket(socket.socket):
    """A socket that connects through an HTTP proxy, once one is set."""

    _proxy = None

    def set_proxy(self, proxy_type=None, addr=None, port=None, rdns=True, username=None, password=None):
        if proxy_type not in (None, PROXY_TYPE_HTTP):
            raise ProxyError("only HTTP proxies are supported; install PySocks for others")
        self._proxy = proxy_type and (addr, port, username, password)

    setproxy = set_proxy

    def connect(self, address):
        if not self._proxy:
            return super().connect(address)
        host, port, user, password = self._proxy
        super().connect((host, port))
        target = "%s:%d" % address[:2]
        lines = ["CONNECT %s HTTP/1.1" % target, "Host: %s" % target]
        if user:
            credentials = base64.b64encode(("%s:%s" % (user, password or "")).encode()).decode()
            lines.append("Proxy-Authorization: Basic %s" % credentials)
        self.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        # Byte by byte: what follows the answer belongs to the target.
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            byte = self.recv(1)
            if not byte or len(answer) > 65536:
                self.close()
                raise ProxyError("the proxy ended the connection")
            answer += byte
        status = answer.split(b"\r\n", 1)[0].decode("latin-1")
        if status.split(" ")[1:2] != ["200"]:
            self.close()
            raise HTTPError("the proxy answered " + status)


def _use_installed():
    here = os.path.dirname(os.path.abspath(__file__))
    elsewhere = [p for p in sys.path if os.path.abspath(p or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("socks", elsewhere)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules[__name__] = module
    spec.loader.exec_module(module)


_use_installed()

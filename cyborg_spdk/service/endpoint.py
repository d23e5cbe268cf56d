# SPDX-License-Identifier: Apache-2.0

"""/health and /metrics over HTTP, on loopback unless they are guarded."""

from collections.abc import Callable
from collections.abc import Iterable
import hmac
import ipaddress
import json
import socketserver
import ssl
import threading
from typing import Any
from wsgiref import simple_server

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
from cyborg_spdk.service import options

LOG = loggers.get(__name__)

#: A WSGI application.
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

# Seconds for one client to send its request.
_CLIENT_TIMEOUT = 10


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


class _Handler(simple_server.WSGIRequestHandler):
    timeout = _CLIENT_TIMEOUT

    def log_message(self, format: str, *args: object) -> None:
        LOG.debug('%s: ' + format, self.address_string(), *args)


class Endpoint:
    """Serves some paths until it is closed.

    :param conf: the configuration.
    :param applications: WSGI applications by path.
    :ivar port: the TCP port, also where the configuration says any.
    :raises ConfigurationError: if it would be open to all, or cannot be
        opened.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 applications: dict[str, Application]) -> None:
        group = conf[options.GROUP]
        self._applications = applications
        self._token = _token(group)
        _check_guarded(group, self._token)
        try:
            self._server = simple_server.make_server(
                group.listen_address, group.listen_port, self._answer,
                _Server, _Handler)
        except OSError as exc:
            raise exceptions.ConfigurationError(
                f'[{options.GROUP}] listen_port', group.listen_port,
                f'{group.listen_address}: {exc.strerror}; free the port, or '
                'choose another') from None
        if group.tls_certificate:
            self._server.socket = _context(group).wrap_socket(
                self._server.socket, server_side=True,
                do_handshake_on_connect=False)
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name='endpoint', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: dict[str, Any],
                start_response: Any) -> Iterable[bytes]:
        if not self._allowed(environ):
            return _plain(start_response, '401 Unauthorized',
                          ('WWW-Authenticate', 'Bearer'))
        application = self._applications.get(environ['PATH_INFO'])
        if application is None:
            return _plain(start_response, '404 Not Found')
        if environ['REQUEST_METHOD'] not in ('GET', 'HEAD'):
            return _plain(start_response, '405 Method Not Allowed',
                          ('Allow', 'GET, HEAD'))
        return application(environ, start_response)

    def _allowed(self, environ: dict[str, Any]) -> bool:
        if self._token is None:
            return True
        given = environ.get('HTTP_AUTHORIZATION', '')
        return hmac.compare_digest(
            given.encode('utf-8', 'surrogateescape'),
            b'Bearer ' + self._token)


def json_application(read: Callable[[], tuple[bool, Any]]) -> Application:
    """A WSGI application that answers with JSON.

    :param read: returns whether all is well, and what to show; without it
        the status is 503.
    """
    def answer(environ: dict[str, Any],
               start_response: Any) -> Iterable[bytes]:
        well, document = read()
        body = json.dumps(document, indent=2, sort_keys=True).encode() + b'\n'
        start_response('200 OK' if well else '503 Service Unavailable', [
            ('Content-Type', 'application/json'),
            ('Cache-Control', 'no-store'),
            ('Content-Length', str(len(body)))])
        return [] if environ['REQUEST_METHOD'] == 'HEAD' else [body]
    return answer


def _plain(start_response: Any, status: str,
           *headers: tuple[str, str]) -> Iterable[bytes]:
    body = status.encode() + b'\n'
    start_response(status, [('Content-Type', 'text/plain'),
                            ('Content-Length', str(len(body))), *headers])
    return [body]


def _token(group: cfg.ConfigOpts.GroupAttr) -> bytes | None:
    if not group.token_file:
        return None
    try:
        token = trusted_files.read(group.token_file)
    except (OSError, exceptions.SpdkError) as exc:
        raise exceptions.ConfigurationError(
            f'[{options.GROUP}] token_file', group.token_file,
            f'{exc}; make it with one line, mode 0600') from None
    first = (token or b'').split(b'\n')[0].strip()
    if len(first) < 16:
        raise exceptions.ConfigurationError(
            f'[{options.GROUP}] token_file', group.token_file,
            'its first line has fewer than 16 characters; make one with: '
            'openssl rand -hex 32')
    return first


def _check_guarded(group: cfg.ConfigOpts.GroupAttr,
                   token: bytes | None) -> None:
    try:
        loopback = ipaddress.ip_address(group.listen_address).is_loopback
    except ValueError:
        raise exceptions.ConfigurationError(
            f'[{options.GROUP}] listen_address', group.listen_address,
            'give an IPv4 or IPv6 address of this host') from None
    if not loopback and not (token and group.tls_certificate):
        raise exceptions.ConfigurationError(
            f'[{options.GROUP}] listen_address', group.listen_address,
            'others can reach it: set tls_certificate, tls_key and '
            'token_file, or listen on 127.0.0.1')


def _context(group: cfg.ConfigOpts.GroupAttr) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(group.tls_certificate, group.tls_key)
    except (OSError, ssl.SSLError) as exc:
        raise exceptions.ConfigurationError(
            f'[{options.GROUP}] tls_certificate', group.tls_certificate,
            f'{exc}; give a PEM file, and its key as tls_key') from None
    return context

"""Where a server may send us: what a redirect must not lead to, and what is not sent along.

A redirect is the server's word, not the user's: it leads to another host where the user can see
that, never from https to http, to another scheme, or nearer to this machine than the address that
the user named (server-side request forgery: OWASP, "SSRF Prevention Cheat Sheet").
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from yarl import URL

from graphcount.errors import NotReadableError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

STATUSES = frozenset({301, 302, 303, 307, 308})
"""Status codes of redirects to another place (RFC 9110, 15.4)."""

MOST = 10
"""Redirects of one request."""

PUBLIC, PRIVATE, LOOPBACK, LINK_LOCAL = range(4)
"""How near an address is; metadata services of clouds are link-local."""

SECRETS = ("auth", "headers", "cookies")
"""Options of a request or session that may identify the user: for the host that was named."""


def target(url: URL, location: str) -> URL:
    """Return the URL that a redirect leads to, as it is written.

    Raises:
        NotReadableError: It leads to no place of the web, or from https to http.
    """
    try:
        led = url.join(URL(location, encoded=True)).with_fragment(None)
    except ValueError:
        raise NotReadableError("redirects to what is no address: not followed") from None
    if led.scheme not in ("http", "https") or not led.host:
        raise NotReadableError(f"redirects to {led.scheme or 'no'}: not followed")
    if url.scheme == "https" and led.scheme == "http":
        raise NotReadableError("redirects from https to http: not followed")
    if not is_elsewhere(url, led):
        return led.with_user(url.user).with_password(url.password)
    return led.with_user(None)


def is_elsewhere(url: URL, other: URL) -> bool:
    """Return whether two URLs are of different origins (RFC 6454): scheme, host and port."""
    return (url.scheme, url.host, url.port) != (other.scheme, other.host, other.port)


async def refuse_inward(loop: AbstractEventLoop, named: URL, led: URL) -> None:
    """Refuse a redirect to an address nearer to this machine than the one that was named.

    Raises:
        NotReadableError: It is nearer: from a public host to a private one, or to this machine.
    """
    outside, inside = await nearness(loop, named), await nearness(loop, led)
    if inside and (not outside or max(inside) > min(outside)):
        raise NotReadableError(f"redirects to {led.host}, a private address: not followed")


async def nearness(loop: AbstractEventLoop, url: URL) -> frozenset[int]:
    """Return how near the addresses of a host are; none where it has none."""
    try:
        rows = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()  # nor can it be connected to
    return frozenset(_near(str(row[4][0]) for row in rows))


def _near(addresses: Iterable[str]) -> Iterable[int]:
    for text in addresses:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address.is_link_local:
            yield LINK_LOCAL
        elif address.is_loopback or address.is_unspecified:
            yield LOOPBACK
        else:
            yield PUBLIC if address.is_global else PRIVATE

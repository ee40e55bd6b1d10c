"""Requests of an HTTP client, as tests write them."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tallyd.contract.http import Http, Reply, Request
from tallyd.core.errors import SourceError


def get(client: Http, url: str, **options: Any) -> Reply:
    """GET a URL, and wait for the reply."""
    return client.request(Request(url=url, **options)).result()


def refused(client: Http, url: str, **options: Any) -> SourceError:
    """GET a URL, and return why that failed."""
    with pytest.raises(SourceError) as caught:
        get(client, url, **options)
    return caught.value


def begin_check(client: Http, url: str, **options: Any) -> Future[Reply]:
    """Begin to GET a URL, as one of many."""
    return client.request(Request(url=url, is_one_of_many=True, **options))


def post(client: Http, url: str, body: bytes, **options: Any) -> Reply:
    """POST a report, and wait for the reply."""
    request = Request(url=url, method="POST", body=body, is_sent_once=True, **options)
    return client.request(request).result()

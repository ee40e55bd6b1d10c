"""Which view each kind of poller has on the page. A kind that is not named here has that of its readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tallyd.contract.poller import Poller
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.web.kind_page import KindPage
from tallyd.web.page_data import PageData
from tallyd.web.page_readings import ReadingsPage
from tallyd.web.page_servers import ServersPage
from tallyd.web.page_visitors import VisitorsPage

_OWN: Final[Mapping[type[Poller], type[KindPage[Any]]]] = {
    VisitorsPoller: VisitorsPage,
    ServersPoller: ServersPage,
}


class KindPages:
    """The view of each configured poller."""

    def __init__(self, data: PageData) -> None:
        self._data = data
        self._own = {kind: page(data) for kind, page in _OWN.items()}
        self._readings = ReadingsPage(data)

    def of(self, name: str) -> KindPage[Any]:
        """Return what shows a poller. Raises `KeyError` for a name that is not configured."""
        return self._own.get(type(self._data.pollers[name]), self._readings)

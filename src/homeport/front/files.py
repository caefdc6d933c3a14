"""Files of the pages, at the addresses that the console gives them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from typing_extensions import override

from homeport.protocols._endpoint import Endpoint

if TYPE_CHECKING:
    from homeport.protocols import Look
    from homeport.protocols._visit import Receive, Visit

FOLDER = "/assets/"
ENCODINGS = b"accept-encoding"


class File(Endpoint):
    """A file that never changes at its address; packed once, for whoever can unpack it."""

    route: Look
    _packed = b""

    @override
    async def _serve(self, visit: Visit, receive: Receive) -> None:
        reads = visit.scope["method"] in {"GET", "HEAD"}
        if not reads or b"gzip" not in visit.headers.get(ENCODINGS, b""):
            await super()._serve(visit, receive)
            return
        file = self.route.look(self.door.bench)
        # files hold no secret; the length of a packed page would tell about the key of its form
        self._packed = self._packed or gzip.compress(file.body, mtime=0)
        await visit.reply(file._replace(body=self._packed, headers=(*file.headers, (b"content-encoding", b"gzip"))))

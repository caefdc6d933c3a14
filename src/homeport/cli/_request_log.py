"""The request log of the instance that the settings mean."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from homeport.domain.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from homeport.kit.settings import Settings
    from homeport.store.request_log import RequestLog


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[RequestLog]:
    """The log, to be read; raises Unknown where there is none."""
    from homeport.store import request_log  # noqa: PLC0415 (loads SQLAlchemy)

    address = request_log.address(settings.sqlalchemy_url(), str(settings.data_dir))
    if address.startswith("sqlite") and not (settings.data_dir / "requests.db").exists():
        saw = f"There is no request log in the data directory {settings.data_dir}."
        raise Unknown(saw, "Set HOMEPORT_DATA_DIR to the one you mean; it begins with the first start of Homeport.")
    log = await request_log.RequestLog.open(address)
    try:
        yield log
    finally:
        await log.close()

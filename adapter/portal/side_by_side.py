"""Many accounts at once, each by itself: side by side within a budget, and no storm at a portal that is not well."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from adapter.core.portal import PortalAccount
from adapter.errors import AdapterError, DeliveryError, RetriableError

Put = Callable[[PortalAccount], None]
"""Puts one account. Raises DeliveryError when it was refused, RetriableError or FatalError when nothing can be put."""


def put_all(accounts: Sequence[PortalAccount], put: Put, *, width: int) -> dict[str, DeliveryError]:
    """Puts these accounts, at most ``width`` at the same time. Returns what was refused, by key.

    As soon as the portal is not well nothing further is asked; what was not put then is in the answer too. Raises what
    it said when not a single account came through.
    """
    stop = threading.Event()
    trouble: list[AdapterError] = []

    def one(account: PortalAccount) -> DeliveryError | None:
        if stop.is_set():
            return _put_off(trouble)
        try:
            put(account)
        except DeliveryError as error:
            return error
        except AdapterError as error:
            trouble.append(error)
            stop.set()
            return _put_off(trouble)
        return None

    if width == 1 or len(accounts) == 1:
        results = [one(account) for account in accounts]
    else:
        with ThreadPoolExecutor(min(width, len(accounts)), thread_name_prefix="portal") as pool:
            results = list(pool.map(one, accounts))
    refused = {account.key: error for account, error in zip(accounts, results, strict=True) if error is not None}
    if trouble and all(not error.permanent for error in refused.values()) and len(refused) == len(accounts):
        raise trouble[0]
    return refused


def _put_off(trouble: Sequence[AdapterError]) -> DeliveryError:
    first = trouble[0] if trouble else RetriableError("The portal is not well.")
    return DeliveryError(str(first), permanent=False, retry_after=getattr(first, "retry_after", None))

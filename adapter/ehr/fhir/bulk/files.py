"""An export's files on their way in: several at once, line by line, each picked up again where it broke off."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from adapter.ehr.fhir.bulk.lines import Block, Damaged, Place, blocks, unpacked
from adapter.ehr.fhir.bulk.manifest import File
from adapter.ehr.fhir.bulk.transport import Stream, Transport, Trouble
from adapter.errors import SourceError
from adapter.http import retry

TRIES = 4
AHEAD = 2
"""Blocks that wait to be used, per file under way: about two megabytes."""
_GONE = frozenset({404, 410})
_PACKINGS = frozenset({"", "identity", "gzip", "x-gzip"})


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be read to its end."""

    error: SourceError


Piece = Block | Failed | None
"""None: the file is read to its end."""
Wait = Callable[[int, Mapping[str, str]], float]
"""Seconds to wait after so many failed tries, the last of which was answered with these headers."""


class Downloads:
    """Reads files in the order given, ``parallel`` at a time; to be used in a ``with`` block, which ends them all."""

    def __init__(
        self,
        transport: Transport,
        files: Sequence[File],
        *,
        token: bool,
        parallel: int,
        wait: Wait,
    ) -> None:
        self._transport = transport
        self._token = token
        self._wait = wait
        self._files: queue.SimpleQueue[File] = queue.SimpleQueue()
        for file in files:
            self._files.put(file)
        self._left = len(files)
        self._pieces: queue.Queue[tuple[File, Piece]] = queue.Queue(maxsize=AHEAD * parallel)
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name="export-file", daemon=True)
            for _ in range(min(parallel, len(files)))
        ]

    def __enter__(self) -> "Downloads":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def pieces(self, idle: Callable[[], None]) -> Iterator[tuple[File, Piece]]:
        """Every block of every file, those of one file in order; ``idle`` is called about once a second meanwhile."""
        while self._left:
            try:
                file, piece = self._pieces.get(timeout=1)
            except queue.Empty:
                idle()
                continue
            if not isinstance(piece, Block):
                self._left -= 1
            yield file, piece

    def _work(self) -> None:
        with suppress(queue.Empty):
            while not self._stopped.is_set():
                file = self._files.get_nowait()
                try:
                    self._read(file)
                except SourceError as error:
                    self._put(file, Failed(error))
                except Exception as error:  # whoever waits for this file must not wait for ever
                    self._put(file, Failed(SourceError(f"{file.name}: could not be read ({type(error).__name__}).")))
                else:
                    self._put(file, None)

    def _read(self, file: File) -> None:
        place = Place()
        for tried in range(1, TRIES + 1):
            headers: Mapping[str, str] = {}
            try:
                with self._transport.stream("GET", file.url, file.name, token=self._token) as stream:
                    if stream.status not in retry.RETRIED:
                        _refuse(stream, file)
                        for block in blocks(unpacked(unpacked(stream.chunks(unpack=False))), after=place):
                            self._put(file, block)
                            place = Place(block.end, block.crc)
                            if self._stopped.is_set():
                                return
                        return
                    headers, trouble = stream.headers, Trouble(f"{file.name}: answered {stream.status}")
            except Trouble as error:
                trouble = error
            except Damaged as error:
                raise SourceError(f"{file.name} {error}. Sync again; if it stays, ask the EHR's support.") from None
            if tried < TRIES and self._stopped.wait(self._wait(tried, headers)):
                return
        raise Trouble(f"{trouble}, {TRIES} times in a row. Sync again later; if it stays, ask the EHR's support.")

    def _put(self, file: File, piece: Piece) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._pieces.put((file, piece), timeout=1)
                return


def _refuse(stream: Stream, file: File) -> None:
    """Raises for an answer that is not the file. A wrong Content-Type alone is none: its lines are looked at."""
    if stream.status in _GONE:
        raise SourceError(f"{file.name}: answered {stream.status}, so the EHR no longer has it. Sync again.")
    if stream.status != 200:
        raise SourceError(f"{file.name}: answered {stream.status}. Ask the EHR's support.")
    if "html" in stream.headers.get("Content-Type", "").lower():
        raise SourceError(f"{file.name}: answered a web page. Ask the EHR's support.")
    if stream.headers.get("Content-Encoding", "").strip().lower() not in _PACKINGS:
        raise SourceError(f"{file.name}: is packed in a way that was not asked for. Ask the EHR's support.")

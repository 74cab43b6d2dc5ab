"""A small DNS server on loopback that knows the TXT records it was given and nothing else."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@contextmanager
def name_server(texts: Mapping[str, Sequence[str]], *, silent: bool = False) -> Iterator[str]:
    """Runs it; gives its address and port. ``silent``: it answers nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    data, client = line.recvfrom(4096)
                    if not silent:
                        line.sendto(_answer(data, texts), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{line.getsockname()[1]}"
        ended.set()
        thread.join()


def _answer(data: bytes, texts: Mapping[str, Sequence[str]]) -> bytes:
    question = dns.message.from_wire(data)
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.AA
    name = question.question[0].name.to_text(omit_final_dot=True).lower()
    if name in texts:
        quoted = [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in texts[name]]
        if quoted:
            answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "TXT", *quoted))
    else:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()

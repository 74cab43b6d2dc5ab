"""The scripted EHR with what strategies differ on: lists of patients, batches, identifiers, ids shared by children."""

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from tests.edges.ehr.scripted import Json, Reply, ScriptedEhr, chart_of

NUMBER = "https://numbers.example/nhs"
Looks = Callable[[list[str]], list[str]]


def all_of(asked: list[str]) -> list[str]:
    return asked


def none_of(_: list[str]) -> list[str]:
    return []


def first_of(asked: list[str]) -> list[str]:
    return asked[:1]


def first_ten_of(asked: list[str]) -> list[str]:
    return asked[:10]


class OddEhr(ScriptedEhr):
    """``looks_for`` says which charts of a list are really searched. ``spoil`` changes the entries of a batch-response.

    ``drops`` are search parameters that it leaves out, by its own self link too. ``posts`` counts the batches.
    """

    def __init__(
        self,
        resources: list[Json] | None = None,
        *,
        looks_for: Looks = all_of,
        batch: bool = False,
        spoil: Callable[[list[Json]], list[Json]] = lambda entries: entries,
        known_params: Mapping[str, Callable[[Json, str], bool]] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(resources, **more)
        self.looks_for, self.batch, self.spoil, self.known_params = looks_for, batch, spoil, dict(known_params or {})
        self.posts = 0
        self._server.RequestHandlerClass = _with_posts(self, self._server.RequestHandlerClass)  # type: ignore[arg-type]

    def answer_batch(self, bundle: Json) -> Json:
        self.posts += 1
        entries = []
        for entry in bundle["entry"]:
            reply = self.reply(f"/fhir/{entry['request']['url']}")
            entries.append({"resource": reply.json, "response": {"status": f"{reply.status} Whatever"}})
        return {"resourceType": "Bundle", "type": "batch-response", "entry": self.spoil(entries)}

    def reply(self, target: str) -> Reply:
        """Parameters that only this server knows narrow the answer of the plain one."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
        reply = super().reply(target)
        if self.known_params and isinstance(reply.json, dict) and reply.json.get("type") == "searchset":
            reply.json["entry"] = [
                entry
                for entry in reply.json["entry"]
                if all(
                    holds(entry["resource"], query[name]) for name, holds in self.known_params.items() if name in query
                )
            ]
            for link in reply.json["link"]:
                link["url"] += "".join(f"&{name}={query[name]}" for name in self.known_params if name in query)
        return reply

    def _matches(self, row: Json, query: dict[str, str]) -> bool:
        since = query.get("_lastUpdated", "ge").removeprefix("ge")
        if row.get("meta", {}).get("lastUpdated", "9") < since:
            return False
        if "patient" not in query:
            return True
        wanted = self.looks_for(unquote(query["patient"]).split(","))
        return self._chart_of(row) in {f"Patient/{key}" for key in wanted}

    def _chart_of(self, row: Json) -> str:
        """The chart, by reference or by number: the server itself knows both."""
        number = row.get("patient", {}).get("identifier", {}).get("value")
        for other in self.resources if number else []:
            if number in [one.get("value") for one in other.get("identifier", [])]:
                return f"Patient/{other['id']}"
        return chart_of(row)

    def _capability(self) -> Json:
        statement = super()._capability()
        if self.batch:
            statement["rest"][0]["interaction"] = [{"code": "batch"}]
        return statement


def _with_posts(ehr: OddEhr, plain: type[BaseHTTPRequestHandler]) -> type[BaseHTTPRequestHandler]:
    class Handler(plain):  # type: ignore[misc, valid-type]
        def do_POST(self) -> None:
            bundle = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = orjson.dumps(ehr.answer_batch(bundle))
            self.send_response_only(200)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler

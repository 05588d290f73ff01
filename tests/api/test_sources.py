"""Where imagery may come from: one rule for every address, whoever names it, and searches that go nowhere else."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cutline.errors import CutlineError, InternalError, InvalidRequest, InvalidScene
from cutline.imagery import describe_scenes
from cutline.models.api import ExportBody
from cutline.models.request import SceneRequest, Source
from cutline.service.sources import allowed, check_sources, permit, request_of, resolved
from tests.support.api import SQUARE, Call
from tests.support.loopback import in_thread

ALLOWED: dict[str, tuple[str, str, bool]] = {
    # hosts, href, answer
    "host": ("a.org", "https://a.org/x.tif", True),
    "its capitals": ("A.org", "https://a.ORG/x.tif", True),
    "its root dot": ("a.org", "https://a.org./x.tif", True),
    "another": ("a.org", "https://b.org/x.tif", False),
    "one that ends so": ("a.org", "https://evil-a.org/x.tif", False),
    "one that begins so": ("a.org", "https://a.org.evil.test/x.tif", False),
    "a name before an @": ("a.org", "https://a.org@evil.test/x.tif", False),
    "another port": ("a.org", "https://a.org:8080/x.tif", False),
    "the usual port": ("a.org", "https://a.org:443/x.tif", True),
    "a named port": ("a.org:8080", "http://a.org:8080/x.tif", True),
    "a port not named": ("a.org:8080", "http://a.org/x.tif", False),
    "below": ("*.a.org", "https://b.c.a.org/x.tif", True),
    "itself is not below": ("*.a.org", "https://a.org/x.tif", False),
    "not below": ("*.a.org", "https://ba.org/x.tif", False),
    "any": ("*", "http://b.org:8080/x.tif", True),
    "a bucket": ("s3://b", "s3://b/x.tif", True),
    "another bucket": ("s3://b", "s3://bc/x.tif", False),
    "any is no bucket": ("*", "s3://b/x.tif", False),
    "a prefix": ("s3://b/p", "s3://b/p/x.tif", True),
    "a prefix with a slash": ("s3://b/p/", "s3://b/p/x.tif", True),
    "not the prefix": ("s3://b/p", "s3://b/pq/x.tif", False),
    "up and out": ("s3://b/p", "s3://b/p/../q/x.tif", False),
    "a path": ("*", "/etc/passwd", False),
    "another scheme": ("*", "ftp://a.org/x.tif", False),
    "nowhere": ("", "https://a.org/x.tif", False),
}


@pytest.mark.parametrize("which", ALLOWED)
def test_one_rule(which: str) -> None:
    hosts, href, answer = ALLOWED[which]
    assert allowed(href, [host for host in hosts.split(",") if host]) is answer


def item(name: str, href: str, **more: Any) -> dict[str, Any]:
    """As little of a STAC item as we read, with one band."""
    asset = {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"]}
    properties = {"datetime": "2024-06-01T00:00:00Z"}
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "properties": properties, "geometry": None,
        "links": [], "assets": {"red": asset}, **more,
    }  # fmt: skip


def self_link(href: str) -> dict[str, Any]:
    return {"links": [{"rel": "self", "href": href}]}


SCENES: dict[str, tuple[SceneRequest, str | None]] = {
    # a scene, and what is wrong with it
    "a file": (SceneRequest(href="https://a.org/x.tif"), None),
    "files": (SceneRequest(assets={"red": "https://a.org/r.tif", "nir": "https://b.org/n.tif"}), "https://b.org"),
    "an item": (SceneRequest(item=item("i", "https://a.org/x.tif")), None),
    "an item that names another host": (SceneRequest(item=item("i", "https://b.org/x.tif")), "https://b.org"),
    "an item with a link": (SceneRequest(item=item("i", "./x.tif", **self_link("https://a.org/i.json"))), None),
    "an item from elsewhere": (
        SceneRequest(item=item("i", "./x.tif", **self_link("https://b.org/i.json"))), "https://b.org",
    ),
    "an item of this machine": (SceneRequest(item=item("i", "/etc/passwd")), "no address"),
    "an item that is relative to nothing": (SceneRequest(item=item("i", "x.tif")), "no address"),
    "an item that climbs to a file": (
        SceneRequest(item=item("i", "/etc/passwd", **self_link("https://a.org/i.json"))), "file of this machine",
    ),
    "an item whose preview is elsewhere": (
        SceneRequest(item=item("i", "https://a.org/x.tif") | {"assets": {
            "red": item("i", "https://a.org/x.tif")["assets"]["red"],
            "thumbnail": {"href": "https://b.org/t.png", "type": "image/png", "roles": ["thumbnail"]},
        }}), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", SCENES)
def test_scenes_are_judged_before_they_are_opened(which: str) -> None:
    scene, wrong = SCENES[which]
    source = Source(scenes=(SceneRequest(href="https://a.org/first.tif"), scene))
    if wrong is None:
        check_sources(source, ["a.org"])
        return
    with pytest.raises(InvalidScene, match=wrong) as refused:
        check_sources(source, ["a.org"])
    assert refused.value.pointer == "/source/scenes/1"


def test_what_a_graph_loads_is_judged_too() -> None:
    graph = {"load": {"process_id": "load_stac", "arguments": {"url": "https://b.org/item.json"}, "result": True}}
    with pytest.raises(InvalidScene, match=r"b\.org") as refused:
        request_of(ExportBody.model_validate({"process": graph}), ["a.org"])
    assert refused.value.pointer == "/process/load/arguments/url"


def test_items_are_asked_for_leave_before_their_files_are_opened() -> None:
    asked: list[str] = []

    def note(href: str) -> None:
        asked.append(href)
        raise InvalidScene("not this one")

    scene = SceneRequest(item=item("i", "x.tif", **self_link("https://a.org/c/i.json")))
    with pytest.raises(InvalidScene, match="not this one"):
        describe_scenes(Source(scenes=(scene,)), note)
    assert asked == ["https://a.org/c/x.tif"]


def test_a_body_is_resolved_before_it_is_a_request() -> None:
    with pytest.raises(InternalError):
        request_of(ExportBody.model_validate({"source": {"stac": {"url": "https://a.org"}}}), ["a.org"])


# Searches --------------------------------------------------------------------------------------------------------

Answerer = Callable[[str, str, dict[str, Any]], tuple[int, dict[str, str], Any]]
"""(method, path, query or body) -> status, headers, JSON"""


class Catalogue:
    """A STAC API on this machine, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.special: dict[str, tuple[int, dict[str, str], Any]] = {}
        self.pages: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, method: str, path: str, said: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        self.asked.append((method, path, said))
        if path in self.special:
            return self.special[path]
        if path == "/":
            return 200, {}, {
                "type": "Catalog", "stac_version": "1.0.0", "id": "c", "description": "c",
                "conformsTo": ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"],
                "links": [
                    {"rel": "root", "href": f"{self.url}/"}, {"rel": "self", "href": f"{self.url}/"},
                    {"rel": "search", "href": f"{self.url}/search", "method": "POST", "type": "application/geo+json"},
                ],
            }  # fmt: skip
        return 200, {}, self.pages[min(int(said.get("page", 0)), len(self.pages) - 1)]

    def page(self, *names: str, following: Any = None) -> None:
        links = [{"rel": "next", **following}] if following else []
        features = [item(name, f"{self.url}/{name}.tif") for name in names]
        self.pages.append({"type": "FeatureCollection", "features": features, "links": links})


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    known = Catalogue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            self._answer(place.path, {key: values[0] for key, values in parse_qs(place.query).items()})

        def do_POST(self) -> None:
            self._answer(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, path: str, said: dict[str, Any]) -> None:
            status, headers, told = known.answer(self.command, path, said)
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with in_thread(server) as known.url:
        yield known


def found(catalogue: Catalogue, aoi: Any = SQUARE, **query: Any) -> list[str]:
    """The ids of the scenes that a body with this search gets."""
    body = {"source": {"stac": {"url": f"{catalogue.url}/", **query}}, "aoi": aoi}
    whole = resolved(ExportBody.model_validate(body), "anna", [catalogue.url.removeprefix("http://")])
    assert whole.source.stac is None
    assert whole.source.scenes is not None
    request = request_of(whole, [catalogue.url.removeprefix("http://")])
    assert [scene.item for scene in request.source.scenes] == list(whole.source.scenes)
    return [scene["id"] for scene in whole.source.scenes if isinstance(scene, dict)]


def test_a_search_becomes_scenes_by_value(catalogue: Catalogue) -> None:
    catalogue.page("one", "two")
    query = {"collections": ["s2"], "datetime": "2024-06-01/2024-06-30", "filter": {"op": "<", "args": [1, 2]}}
    assert found(catalogue, **query) == ["one", "two"]
    method, path, said = catalogue.asked[-1]
    assert (method, path) == ("POST", "/search")
    assert said["bbox"] == [13.0, 50.0, 13.1, 50.1]  # the area's
    assert (said["collections"], said["filter-lang"], said["filter"]) == (["s2"], "cql2-json", query["filter"])
    assert said["datetime"].startswith("2024-06-01T00:00:00Z/2024-06-30T23:59:59")


def test_a_search_says_its_own_box_and_a_filter_as_text(catalogue: Catalogue) -> None:
    catalogue.page("one")
    assert found(catalogue, bbox=[1, 2, 3, 4], filter="eo:cloud_cover < 10") == ["one"]
    _, _, said = catalogue.asked[-1]
    assert (said["bbox"], said["filter-lang"], said["filter"]) == ([1, 2, 3, 4], "cql2-text", "eo:cloud_cover < 10")


def test_pages_are_followed_as_far_as_the_limit(catalogue: Catalogue) -> None:
    for number in range(5):
        following = {"href": f"{catalogue.url}/search", "method": "POST", "body": {"page": number + 1}, "merge": True}
        catalogue.page(f"a{number}", f"b{number}", following=following)
    assert found(catalogue, limit=5) == ["a0", "b0", "a1", "b1", "a2"]
    assert [path for _, path, _ in catalogue.asked] == ["/", "/search", "/search", "/search"]


def test_pages_without_end_end(catalogue: Catalogue) -> None:
    catalogue.page("again", following={"href": f"{catalogue.url}/search", "method": "POST", "body": {}})
    with pytest.raises(InvalidRequest, match="more than 40 requests") as refused:
        found(catalogue, limit=1000)
    assert refused.value.pointer == "/source/stac"
    assert len(catalogue.asked) == 40


ELSEWHERE = ("http://localhost:1/search", "https://b.org/search", "/etc/passwd", "file:///etc/passwd", "s3://b/x")


@pytest.mark.parametrize("href", ELSEWHERE)
def test_the_next_page_is_on_an_allowed_host(catalogue: Catalogue, href: str) -> None:
    catalogue.page("one", following={"href": href})
    with pytest.raises(InvalidRequest) as refused:
        found(catalogue)
    assert refused.value.pointer == "/source/stac"
    assert "root:" not in refused.value.message


@pytest.mark.parametrize("href", [href for href in ELSEWHERE if "://" in href])
def test_the_search_itself_is_on_an_allowed_host(catalogue: Catalogue, href: str) -> None:
    status, headers, root = catalogue.answer("GET", "/", {})
    root["links"][2]["href"] = href
    catalogue.special["/"] = status, headers, root
    with pytest.raises(InvalidRequest):
        found(catalogue)


def test_redirects_are_not_followed(catalogue: Catalogue) -> None:
    catalogue.special["/search"] = 307, {"Location": f"{catalogue.url}/other"}, {}
    with pytest.raises(InvalidRequest, match="redirects elsewhere"):
        found(catalogue)
    assert [path for _, path, _ in catalogue.asked] == ["/", "/search"]


def test_this_machine_is_not_asked_unless_it_is_allowed(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUTLINE_PRIVATE_HOSTS")
    with pytest.raises(InvalidRequest, match="private network"):
        found(catalogue)
    assert catalogue.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>"), (200, {}, []), (200, {}, {}), (404, {}, {}), (200, {}, b"\xff"), (401, {}, {}),
        (200, {}, {"type": "FeatureCollection", "features": []}), (200, {}, {"features": "x"}),
        (200, {}, {"features": [5], "links": []}), (200, {}, {"features": [{"id": 1}], "links": [{"rel": "next"}]}),
        (200, {}, b"[" * 100_000),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/search"])
def test_answers_that_are_none(catalogue: Catalogue, path: str, answer: Any) -> None:
    catalogue.special[path] = answer
    with pytest.raises(CutlineError) as refused:
        found(catalogue)
    assert not isinstance(refused.value, InternalError)


def test_what_is_found_is_judged(catalogue: Catalogue) -> None:
    catalogue.page("one")
    catalogue.pages[0]["features"][0]["assets"]["red"]["href"] = "https://b.org/x.tif"
    with pytest.raises(InvalidScene, match=r"b\.org"):
        found(catalogue)


def test_a_catalogue_that_is_away_is_no_fault_of_ours(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    monkeypatch.setenv("CUTLINE_SOURCE_HOSTS", "*")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    body = {"source": {"stac": {"url": f"http://127.0.0.1:{port}"}}}
    answer = api("POST", "/exports", body=body)
    assert (answer.status, answer.json["code"], answer.json["pointer"]) == (424, "source-unavailable", "/source/stac")
    assert answer.headers["retry-after"] == "5"


def test_permission_names_what_is_allowed() -> None:
    with pytest.raises(InvalidScene, match=r"allowed are a\.org$"):
        permit(["a.org", "s3://b"])("https://c.org/x.tif")
    with pytest.raises(InvalidScene, match=r"allowed are s3://b$"):
        permit(["*", "s3://b"])("s3://c/x.tif")
    with pytest.raises(InvalidScene, match="no host is allowed"):
        permit(["s3://b"])("https://c.org/x.tif")
    with pytest.raises(InvalidScene, match="no bucket is allowed"):
        permit(["*"])("s3://c/x.tif")

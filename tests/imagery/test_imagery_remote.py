"""Scenes on S3 and on the web: read by ranges, never by a redirect, never from a private neighbour."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasters import describe, make_raster, only
from website import Site

from cutline.errors import InvalidScene, SourceUnavailable
from cutline.imagery import environment, open_asset, reading, with_stretch
from cutline.store import web
from cutline.store.web import RangeFile

VRT = """<VRTDataset rasterXSize="60" rasterYSize="40"><SRS>EPSG:32633</SRS>
<GeoTransform>400000, 10, 0, 5600000, 0, -10</GeoTransform><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>/vsicurl/{url}/secret.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A tiled GeoTIFF of many pages."""
    pixels = np.random.default_rng(1).integers(1, 60000, (1, 700, 900), np.uint16)
    return make_raster(
        tmp_path / "made.tif", pixels=pixels, tiled=True, blockxsize=128, blockysize=128, overviews=(2, 4)
    ).read_bytes()


def pixels_of(content: bytes) -> np.ndarray:
    with rasterio.MemoryFile(content) as file, file.open() as dataset:
        return dataset.read(1)


# --- S3


def test_a_scene_on_s3(bucket: Any, content: bytes) -> None:
    bucket.put_object(Key="2024/a b+c.tif", Body=content)
    scene = only("s3://scenes/2024/a b+c.tif")
    asset = scene.assets["image"]
    assert scene.id == "a b+c"
    assert asset.identity == bucket.Object("2024/a b+c.tif").e_tag.strip('"')
    with reading(asset) as dataset:
        assert np.array_equal(dataset.read(1), pixels_of(content))


@pytest.mark.parametrize(
    ("href", "cause"),
    [("s3://scenes/none.tif", "there is no such object"), ("s3://no-such-bucket/a.tif", "there is no such bucket")],
)
def test_what_is_not_on_s3(bucket: Any, href: str, cause: str) -> None:
    with pytest.raises(InvalidScene, match=cause):
        only(href)


def test_s3_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="S3 did not answer"):
        only("s3://scenes/a.tif")


# --- the web


def test_a_scene_on_the_web(site: Site, content: bytes) -> None:
    site.files["a.tif"] = content
    asset = only(f"{site.url}/a.tif?signature=s%2F3cr%2Bt").assets["image"]
    assert (asset.identity, asset.overviews) == ("v1", (2, 4))
    site.requests.clear()
    with reading(asset) as dataset:
        assert np.array_equal(dataset.read(1), pixels_of(content))
    assert {path for _, path in site.requests} == {"a.tif"}
    with environment(), open_asset(asset, overview=1) as dataset:
        assert dataset.read(1).shape == (175, 225)


def test_a_header_takes_few_requests(site: Site, content: bytes) -> None:
    site.files["a.tif"] = content
    only(f"{site.url}/a.tif")
    assert len(site.requests) <= 5


def test_remote_envi_is_refused(site: Site, bucket: Any, tmp_path: Path) -> None:
    """GDAL would fill what the network did not give it with zeros, and call it data."""
    content = make_raster(tmp_path / "cube.img", driver="ENVI").read_bytes()
    site.files["cube.img"] = content
    bucket.put_object(Key="cube.img", Body=content)
    for href in (f"{site.url}/cube.img", "s3://scenes/cube.img"):
        with pytest.raises(InvalidScene, match="ENVI is read from local disk only"):
            only(href)


@pytest.mark.parametrize("first_redirected", [1, 2, 3, 4])
def test_redirects_are_refused_whenever_they_come(site: Site, content: bytes, first_redirected: int) -> None:
    """A server can wait with its redirect until it believes that we no longer look."""
    site.files |= {"a.tif": content, "secret.tif": content}
    site.redirects["a.tif"] = f"{site.url}/secret.tif"
    site.redirect_when = lambda path, nth: nth >= first_redirected
    with pytest.raises((InvalidScene, SourceUnavailable)):
        with_stretch(only(f"{site.url}/a.tif"), (2, 98))
    assert not [path for _, path in site.requests if path == "secret.tif"]


def test_a_redirect_is_named(site: Site) -> None:
    site.redirects["a.tif"] = f"{site.url}/b.tif"
    site.redirect_when = lambda path, nth: True
    with pytest.raises(InvalidScene, match="redirects elsewhere, which we do not follow"):
        only(f"{site.url}/a.tif")


@pytest.mark.parametrize("name", ["a.tif", "a.jp2", "download"])
def test_a_vrt_by_another_name_makes_no_request(site: Site, tmp_path: Path, name: str) -> None:
    vrt = VRT.format(url=site.url)
    (tmp_path / name).write_text(vrt)
    site.files |= {name: vrt.encode(), "secret.tif": b""}
    for href in (str(tmp_path / name), f"{site.url}/{name}"):
        with pytest.raises(InvalidScene, match="XML"):
            only(href)
    assert {path for _, path in site.requests} <= {name}


def test_overviews_elsewhere_make_no_request(site: Site, tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{site.url}/secret.tif")
    site.files |= {"a.tif": path.read_bytes(), "secret.tif": path.read_bytes()}
    for href in (str(path), f"{site.url}/a.tif"):
        with pytest.raises(InvalidScene, match="OVERVIEW_FILE"):
            only(href)
    assert {asked for _, asked in site.requests} == {"a.tif"}


PRIVATE = ("127.0.0.1", "localhost", "[::1]", "10.0.0.1", "[::ffff:10.0.0.1]", "2130706433", "[fd12::1]")
SPECIAL = (
    *("169.254.169.254", "169.254.170.2", "[fe80::1]", "[::ffff:169.254.169.254]", "[2002:a9fe:a9fe::]"),
    *("[fd00:ec2::254]", "[fd20:ce::254]", "168.63.129.16", "100.100.100.200", "2852039166"),
    *("0", "[::]", "224.0.0.1", "[ff02::1]", "[::ffff:224.0.0.1]", "255.255.255.255"),
)
"""Link-local, metadata, unspecified, multicast"""


@pytest.mark.parametrize("host", PRIVATE)
def test_private_hosts_are_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.delenv("CUTLINE_PRIVATE_HOSTS", raising=False)
    with pytest.raises(InvalidScene, match="inside a private network"):
        only(f"http://{host}/a.tif")


@pytest.mark.parametrize("allowed", ["0", "1"])
@pytest.mark.parametrize("host", SPECIAL)
def test_special_hosts_are_refused_whatever_is_allowed(
    monkeypatch: pytest.MonkeyPatch, host: str, allowed: str
) -> None:
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", allowed)
    with pytest.raises(InvalidScene, match="it is never asked"):
        only(f"http://{host}/a.tif")


@pytest.mark.parametrize("host", PRIVATE)
def test_private_hosts_may_be_allowed(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """None is asked here: the connection fails before it leaves this machine."""
    asked = []

    def unreachable(address: tuple[str, int], *_: object) -> socket.socket:
        asked.append(address)
        raise OSError("not here")

    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    monkeypatch.setattr("cutline.store.web.FIRST_DELAY", 0)
    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(SourceUnavailable, match="not here"):
        only(f"http://{host}/a.tif")
    assert asked


@pytest.mark.parametrize(
    ("href", "cause"),
    [
        ("ftp://host/a.tif", "ftp:// is not read"),
        ("gs://bucket/a.tif", "gs:// is not read"),
        ("/vsicurl/http://host/a.tif", "virtual files"),
        ("/vsizip/a.zip/a.tif", "virtual files"),
        ("<VRTDataset/>", "not the name of a file"),
        ("https://user:secret@host/a.tif", "credentials do not belong"),
        ("https://host", "names no file"),
        ("https://exa mple/a.tif", "names no file"),
        ("https://host:port/a.tif", "names no file"),
        ("GTIFF_DIR:1:a.tif", "there is no such file"),
        (" ", "empty"),
    ],
)
def test_hrefs_that_are_none(href: str, cause: str) -> None:
    with pytest.raises(InvalidScene, match=cause):
        only(href)


def test_a_signature_is_not_shown(site: Site) -> None:
    with pytest.raises(InvalidScene, match="404") as caught:
        only(f"{site.url}/a.tif?X-Amz-Signature=s3cret")
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_recovers_is_asked_again(site: Site, content: bytes, status: int) -> None:
    site.files["a.tif"] = content
    site.statuses["a.tif"] = [status, status]
    assert only(f"{site.url}/a.tif").assets["image"].shape == (700, 900)


def test_a_server_that_does_not_recover(site: Site) -> None:
    site.statuses["a.tif"] = [503] * 10
    with pytest.raises(SourceUnavailable, match="503"):
        only(f"{site.url}/a.tif")
    with pytest.raises(SourceUnavailable, match="no answer"):
        only("http://127.0.0.1:9/a.tif")


def test_a_server_without_ranges(site: Site, content: bytes) -> None:
    site.files["a.tif"] = content
    site.ranges = False
    with pytest.raises(InvalidScene, match="does not serve ranges"):
        only(f"{site.url}/a.tif")


def test_content_that_changes_while_it_is_read(site: Site, content: bytes) -> None:
    site.files["a.tif"] = content
    asset = only(f"{site.url}/a.tif").assets["image"]
    with pytest.raises(InvalidScene, match="has changed since it was opened"), reading(asset) as dataset:
        site.etag = '"v2"'
        dataset.read(1)


def test_a_server_that_fails_in_the_middle(site: Site, content: bytes) -> None:
    site.files["a.tif"] = content
    asset = only(f"{site.url}/a.tif").assets["image"]
    with pytest.raises(SourceUnavailable, match="503"), reading(asset) as dataset:
        site.statuses["a.tif"] = [503] * 10
        dataset.read(1)


class Trickling:
    """A web server that sends ``start`` at once, and then a byte every few milliseconds, for as long as one listens."""

    def __init__(self, start: bytes, trickle: bytes) -> None:
        self._start, self._trickle, self._stop = start, trickle, threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/a.tif"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            with contextlib.suppress(ConnectionError), self._listening.accept()[0] as connection:
                if self._stop.is_set():
                    return
                connection.recv(65536)
                connection.sendall(self._start)
                while not self._stop.wait(0.005):
                    connection.sendall(self._trickle)

    def close(self) -> None:
        self._stop.set()
        socket.create_connection(self._listening.getsockname()).close()
        self._thread.join()
        self._listening.close()


HEADERS = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 65536\r\nContent-Range: bytes 0-65535/65536\r\n\r\n"
TRICKLES = {
    "the content": (HEADERS, b"x"),
    "content without an end": (b"HTTP/1.0 200 OK\r\n\r\n", b"x"),
    "a header": (b"HTTP/1.1 206 Partial Content\r\nX: ", b"x"),
    "the status": (b"HTTP/1.1 ", b"2"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "preliminary answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
LIMITS = {
    "rate": ({"TIMEOUT": 0.3, "LEAST_RATE": 100_000}, r"too slow: \d+ bytes in \d+ s"),
    "time": ({"LEAST_RATE": 0, "LONGEST": 0.1, "USUAL_RATE": 10**9}, "not complete after 0 s"),
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("case", TRICKLES)
def test_a_server_that_trickles_does_not_hold_us(monkeypatch: pytest.MonkeyPatch, case: str, limit: str) -> None:
    limits, message = LIMITS[limit]
    for name, value in {**limits, "ATTEMPTS": 1}.items():
        monkeypatch.setattr(web, name, value)
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    with contextlib.closing(Trickling(*TRICKLES[case])) as slow, pytest.raises(SourceUnavailable, match=message):
        web.WebObjects().peek(slow.url, 65536)


def test_a_slow_server_that_keeps_up_the_rate_is_heard_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through more than one of the spans that the rate is taken over."""
    for name, value in {"TIMEOUT": 0.5, "LEAST_RATE": 10}.items():
        monkeypatch.setattr(web, name, value)
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    with contextlib.closing(Trickling(HEADERS, bytes(300))) as slow:
        assert web.WebObjects().peek(slow.url, 65536).start == bytes(65536)


def test_any_range_of_any_length(site: Site, content: bytes) -> None:
    site.files["a.tif"] = content
    random = np.random.default_rng(2)
    file = RangeFile(f"{site.url}/a.tif")
    for _ in range(60):
        first = int(random.integers(0, len(content) + 10))
        nbytes = int(random.choice([0, 1, 100, 65536, 300_000]))
        file.seek(first)
        assert file.read(nbytes) == content[first : first + nbytes]
    file.seek(-7, 2)
    assert file.read() == content[-7:]


def test_scenes_from_everywhere_together(site: Site, bucket: Any, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    site.files["a.tif"] = content
    bucket.put_object(Key="a.tif", Body=content)
    scenes = describe(tmp_path / "a.tif", f"{site.url}/a.tif", "s3://scenes/a.tif")
    assert [scene.id for scene in scenes] == ["a", "a-2", "a-3"]
    assert len({str(scene.footprint) for scene in scenes}) == 1

"""Write the demo's crawl, src/headwater/demo/crawl/crawl.warc.gz, from the pages beside this program: ``python -m bench.demo_crawl.build``.

A page is its main part in HTML after lines of ``name: value``, UTF-8. The program puts menus around it, encodes it as ``charset`` says, declares what
``declared`` says, and adds what a crawl has besides pages: requests, a revisit, a picture, a page that is gone, records that are cut. The same
pages give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import uuid
from base64 import b32encode
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.demo_crawl.chrome import dressed

__all__ = ["crawl"]

_PAGES: Final = Path(__file__).parent / "pages"
_SHIPPED: Final = Path(__file__).parents[2] / "src" / "headwater" / "demo" / "crawl" / "crawl.warc.gz"
_CHUNK: Final = 700
_TIME: Final = "2026-07-01T00:00:00Z"
_NO_IMAGE: Final = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


def _member(data: bytes) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as stream:
        stream.write(data)
    return out.getvalue()


def _record(kind: str, body: bytes, **headers: str) -> bytes:
    """Return one record, its id made of what it holds."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    identity = uuid.uuid5(uuid.NAMESPACE_URL, kind + repr(sorted(named.items())) + hashlib.sha256(body).hexdigest())
    lines = ["WARC/1.1", f"WARC-Type: {kind}", f"WARC-Record-ID: <urn:uuid:{identity}>"]
    lines += [f"{key}: {value}" for key, value in named.items()] + [f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def _response(status: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{key}: {value}" for key, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _read(path: Path) -> tuple[dict[str, str], str]:
    head, _, main = path.read_text(encoding="utf-8").partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()), main


def _encoded(page: str, charset: str) -> bytes:
    if charset == "twice":  # UTF-8 that was taken for windows-1250 and encoded once more
        return page.encode().decode("cp1250", "replace").encode()
    return page.encode(charset, "xmlcharrefreplace")


def _page(path: Path) -> Iterator[bytes]:
    asked, main = _read(path)
    charset, declared = asked.get("charset", "utf-8"), asked.get("declared", "utf-8")
    meta = "" if declared == "none" else f'<meta charset="{declared}">'
    page = dressed(
        main, language=asked["lang"], title=asked["title"], site=asked["site"], meta=meta, head=asked.get("head", "")
    )
    body = _encoded(page, charset)
    headers = {"Content-Type": "text/html"}
    if asked["site"] in ("blog", "shop") and declared != "none":
        headers["Content-Type"] += f"; charset={declared}"
    headers |= {name: value for line in filter(None, [asked.get("headers")]) for name, value in [line.split(": ", 1)]}
    if asked.get("encoding") == "gzip":
        body = _member(body)
        headers["Content-Encoding"] = "gzip"
    if asked["site"] == "forum":
        chunks = [body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        headers["Transfer-Encoding"] = "chunked"
    else:
        headers["Content-Length"] = str(len(body))
    where = {"WARC_Target_URI": asked["url"], "WARC_Date": asked["date"]}
    http = _response("200 OK", headers, body)
    digest = "sha1:" + b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
    yield _record("request", f"GET / HTTP/1.1\r\nHost: {asked['url'].split('/')[2]}\r\n\r\n".encode(), **where)
    yield _record(
        "response", http, **where, Content_Type="application/http; msgtype=response", WARC_Payload_Digest=digest
    )


def _others() -> Iterator[bytes]:
    """Yield what is no page, or not whole."""
    first, _ = _read(_PAGES / "en-lighthouse-lens.html")
    http = "application/http; msgtype=response"
    yield _record(
        "revisit",
        _response("304 Not Modified", {}, b""),
        WARC_Target_URI=first["url"],
        WARC_Date="2026-06-20T00:00:00Z",
        WARC_Profile="http://netpreserve.org/warc/1.1/revisit/server-not-modified",
        Content_Type=http,
    )
    image = _response("200 OK", {"Content-Type": "image/gif"}, _NO_IMAGE)
    yield _record(
        "response", image, WARC_Target_URI="https://magazine.example.org/dot.gif", WARC_Date=_TIME, Content_Type=http
    )
    gone = _response("404 Not Found", {"Content-Type": "text/html"}, b"<h1>Not found</h1>")
    yield _record(
        "response", gone, WARC_Target_URI="https://magazine.example.org/gone", WARC_Date=_TIME, Content_Type=http
    )
    robots = _response("200 OK", {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /private/\n")
    yield _record(
        "response",
        robots,
        WARC_Target_URI="https://magazine.example.org/robots.txt",
        WARC_Date=_TIME,
        Content_Type=http,
    )
    empty = _response(
        "200 OK",
        {"Content-Type": "text/html"},
        b"<!DOCTYPE html><title>App</title><div id=root></div><script src=/app.js></script>",
    )
    yield _record("response", empty, WARC_Target_URI="https://app.example.com/", WARC_Date=_TIME, Content_Type=http)
    asked, main = _read(_PAGES / "en-docs-ring-buffer.html")
    long = dressed(main, language="en", title="Cut by the crawler", site="docs", meta='<meta charset="utf-8">', head="")
    yield _record(
        "response",
        _response("200 OK", {"Content-Type": "text/html"}, long.encode()[: len(long) * 2 // 3]),
        WARC_Target_URI="https://docs.example.com/queues/ring-buffer-2.3.html",
        WARC_Date=asked["date"],
        WARC_Truncated="length",
        Content_Type=http,
    )


def crawl() -> bytes:
    """Return the crawl: a member of gzip for each record, one record that says a wrong length, and the last member cut in its middle."""
    about = b"software: bench.demo_crawl.build\r\nformat: WARC File Format 1.1\r\n"
    members = [_member(_record("warcinfo", about, WARC_Date=_TIME, Content_Type="application/warc-fields"))]
    for path in sorted(_PAGES.glob("*.html")):
        members += [_member(record) for record in _page(path)]
    members += [_member(record) for record in _others()]
    *_, response = _page(_PAGES / "it-negozio.html")
    head, _, body = response.partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))
    wrong = head.replace(length, b"Content-Length: %d" % (len(body) * 2)) + b"\r\n\r\n" + body
    members.append(_member(wrong))
    *_, last = _page(_PAGES / "hi-kuan.html")
    cut = _member(last)
    return b"".join(members) + cut[: len(cut) // 2]


def main() -> None:
    """Write the crawl where the package ships it."""
    _SHIPPED.parent.mkdir(exist_ok=True)
    _SHIPPED.write_bytes(crawl())


if __name__ == "__main__":
    main()

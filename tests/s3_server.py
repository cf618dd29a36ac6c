"""A server that speaks as much of S3 as pyarrow asks for: objects, ranges, lists, uploads in parts.

moto's server, the usual one, cannot be installed beside this project: it needs a python-dateutil below 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Store(ThreadingHTTPServer):
    """Buckets in memory."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.writes: list[str] = []


@contextmanager
def serving() -> Iterator[Store]:
    with Store() as store:
        Thread(target=store.serve_forever, daemon=True).start()
        yield store
        store.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _asked(self) -> tuple[str, str, dict[str, str]]:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        return bucket, key, {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}

    def _answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, code: int, name: str) -> None:
        self._answer(code, f"<Error><Code>{name}</Code><Message>{name}</Message></Error>".encode())

    def do_HEAD(self) -> None:
        bucket, key, _ = self._asked()
        there = bucket in self.server.buckets and (not key or key in self.server.buckets[bucket])
        size = str(len(self.server.buckets[bucket][key])) if there and key else "0"
        self._answer(200 if there else 404, Content_Length=size, ETag='"1"')

    def do_GET(self) -> None:
        bucket, key, query = self._asked()
        if bucket not in self.server.buckets:
            self._error(404, "NoSuchBucket")
        elif not key:
            self._list(self.server.buckets[bucket], query)
        elif key not in self.server.buckets[bucket]:
            self._error(404, "NoSuchKey")
        else:
            body = self.server.buckets[bucket][key]
            if part := re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
                start, stop = int(part[1]), min(int(part[2]) + 1, len(body))
                area = f"bytes {start}-{stop - 1}/{len(body)}"
                self._answer(206, body[start:stop], Content_Range=area, ETag='"1"')
            else:
                self._answer(200, body, ETag='"1"')

    def _list(self, objects: dict[str, bytes], query: dict[str, str]) -> None:
        prefix, cut = query.get("prefix", ""), query.get("delimiter", "")
        rows, folders = [], set()
        for key in sorted(k for k in objects if k.startswith(prefix)):
            rest = key[len(prefix) :]
            if cut and cut in rest:
                folders.add(prefix + rest.split(cut)[0] + cut)
            else:
                rows.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key])}</Size>"
                    "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                )
        more = [f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders)]
        count = f"<KeyCount>{len(rows) + len(more)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._answer(200, f"<ListBucketResult>{count}{''.join(rows + more)}</ListBucketResult>".encode())

    def do_PUT(self) -> None:
        bucket, key, query = self._asked()
        body = self._body()
        if bucket not in self.server.buckets:
            self._error(404, "NoSuchBucket")
            return
        if "uploadId" in query:
            self.server.parts[query["uploadId"]][int(query["partNumber"])] = body
        else:
            self._keep(bucket, key, body)
        self._answer(200, ETag='"1"')

    def do_POST(self) -> None:
        bucket, key, query = self._asked()
        self._body()
        if bucket not in self.server.buckets:
            self._error(404, "NoSuchBucket")
        elif "uploads" in query:
            upload = f"{bucket}-{len(self.server.parts)}"
            self.server.parts[upload] = {}
            words = f"<UploadId>{upload}</UploadId><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
            result = f"<InitiateMultipartUploadResult>{words}</InitiateMultipartUploadResult>"
            self._answer(200, result.encode())
        else:
            parts = self.server.parts.pop(query["uploadId"])
            self._keep(bucket, key, b"".join(parts[n] for n in sorted(parts)))
            words = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>1</ETag>"
            result = f"<CompleteMultipartUploadResult>{words}</CompleteMultipartUploadResult>"
            self._answer(200, result.encode())

    def do_DELETE(self) -> None:
        self._answer(204)

    def _keep(self, bucket: str, key: str, body: bytes) -> None:
        self.server.buckets[bucket][key] = body
        self.server.writes.append(f"{bucket}/{key}")

    def _body(self) -> bytes:
        """The body, out of the chunks of HTTP, and out of those in which AWS's client adds a checksum."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            raw = _joined(self.rfile)
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return _joined(BytesIO(raw)) if "aws-chunked" in self.headers.get("Content-Encoding", "") else raw


def _joined(stream: BinaryIO) -> bytes:
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().strip():  # trailers
        pass
    return body

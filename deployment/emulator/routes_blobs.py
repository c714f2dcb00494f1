"""The routes of the workspace's storage, which speaks XML and trusts signatures."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from email.utils import format_datetime
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from deployment.emulator.blobs import Blob, Blobs, StorageError
from deployment.emulator.calling import CallRoute, Handler
from deployment.emulator.downloads import STORAGE_ROOT
from deployment.emulator.wire import whole_number

CONTAINER = f"/{STORAGE_ROOT}/{{container}}"
BLOB = CONTAINER + "/{blob:path}"
METADATA = "x-ms-meta-"
CHUNK_BYTES = 1 << 20
MAX_BLOCK_LIST_BYTES = 8 << 20


class BlobRoutes:
    """They read requests, call the storage and write its documents."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def routes(self) -> list[CallRoute]:
        """Answer the routes by name; none of them needs a bearer token."""
        table: list[tuple[str, str, str, Handler]] = [
            ("blobs.list", "GET", CONTAINER, self._list),
            ("blobs.head", "HEAD", BLOB, self._head),
            ("blobs.get", "GET", BLOB, self._get),
            ("blobs.put", "PUT", BLOB, self._put),
        ]
        return [CallRoute(name, method, path, self._guard(handler)) for name, method, path, handler in table]

    def _guard(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                self._blobs.check(request.path_params["container"], request.query_params)
                return await handler(request)
            except StorageError as error:
                return _refusal(error)

        return guarded

    async def _list(self, request: Request) -> Response:
        if request.query_params.get("comp") != "list":
            raise StorageError(501, "NotImplemented", "emulator: of a container only its list of blobs is emulated")
        container = request.path_params["container"]
        result = ET.Element("EnumerationResults", ContainerName=container)
        blobs = ET.SubElement(result, "Blobs")
        for blob in self._blobs.all(container, request.query_params.get("prefix", "")):
            blobs.append(_entry(blob))
        ET.SubElement(result, "NextMarker")
        return Response(ET.tostring(result, encoding="utf-8"), media_type="application/xml")

    async def _head(self, request: Request) -> Response:
        blob = self._blobs.get(*_place(request))
        return Response(headers={**_headers(blob), "content-length": str(blob.size)}, media_type=blob.content_type)

    async def _get(self, request: Request) -> Response:
        blob = self._blobs.get(*_place(request))
        wanted = request.headers.get("x-ms-range") or request.headers.get("range") or ""
        first, last = _range(wanted, blob.size)
        headers = {**_headers(blob), "content-length": str(max(0, last - first + 1)), "accept-ranges": "bytes"}
        if wanted:
            headers["content-range"] = f"bytes {first}-{last}/{blob.size}"
        return StreamingResponse(
            self._read(blob, first, last), 206 if wanted else 200, headers, media_type=blob.content_type
        )

    async def _put(self, request: Request) -> Response:
        container, path = _place(request)
        component, content = request.query_params.get("comp", ""), request.stream()
        if component == "metadata":
            blob = self._blobs.set_metadata(container, path, _metadata(request))
            return Response(status_code=200, headers=_headers(blob))
        if component == "block":
            await self._blobs.stage(container, path, request.query_params.get("blockid", ""), content)
            return Response(status_code=201)
        content_type = request.headers.get("x-ms-blob-content-type", "application/octet-stream")
        if component == "blocklist":
            ids = _block_ids(await _limited(content))
            blob = self._blobs.commit(container, path, ids, content_type, _metadata(request))
        elif component or request.headers.get("x-ms-blob-type", "BlockBlob") != "BlockBlob":
            raise StorageError(501, "NotImplemented", "emulator: only block blobs and their metadata are emulated")
        else:
            blob = await self._blobs.put(container, path, content, content_type, _metadata(request))
        return Response(status_code=201, headers=_headers(blob))

    def _read(self, blob: Blob, first: int, last: int) -> Iterator[bytes]:
        with self._blobs.file(blob).open("rb") as file:
            file.seek(first)
            left = last - first + 1
            while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk


def _place(request: Request) -> tuple[str, str]:
    path = request.path_params["blob"]
    if not path:
        raise StorageError(501, "NotImplemented", "emulator: a container is there once a blob is put into it")
    return request.path_params["container"], path


def _metadata(request: Request) -> dict[str, str]:
    return {name.removeprefix(METADATA): value for name, value in request.headers.items() if name.startswith(METADATA)}


def _headers(blob: Blob) -> dict[str, str]:
    metadata = {f"{METADATA}{name}": value for name, value in blob.metadata.items()}
    return {"etag": blob.etag, "last-modified": _time(blob.modified_at), "x-ms-blob-type": "BlockBlob", **metadata}


def _range(wanted: str, size: int) -> tuple[int, int]:
    """Answer the first and the last byte of `bytes=FIRST-LAST`, of all when nothing is wanted."""
    if not wanted:
        return 0, size - 1
    begin, _, end = wanted.removeprefix("bytes=").partition("-")
    first, last = whole_number(begin), whole_number(end or str(size))
    if first is None or last is None or first >= size:
        raise StorageError(416, "InvalidRange", f"The range {wanted} is not within {size} bytes.")
    return first, min(last, size - 1)


async def _limited(content: AsyncIterator[bytes]) -> bytes:
    body = b""
    async for chunk in content:
        body += chunk
        if len(body) > MAX_BLOCK_LIST_BYTES:
            raise StorageError(413, "RequestBodyTooLarge", "The block list is too long.")
    return body


def _block_ids(body: bytes) -> list[str]:
    # Entities that multiply are what makes XML dangerous, and they need a document type.
    if b"<!DOCTYPE" in body:
        raise StorageError(400, "InvalidXmlDocument", "The block list has a document type.")
    try:
        return [each.text or "" for each in ET.fromstring(body)]  # noqa: S314 - see above
    except ET.ParseError as error:
        raise StorageError(400, "InvalidXmlDocument", f"The block list is not valid XML ({error}).") from error


def _entry(blob: Blob) -> ET.Element:
    entry = ET.Element("Blob")
    ET.SubElement(entry, "Name").text = blob.path
    properties = ET.SubElement(entry, "Properties")
    for name, value in (
        ("Last-Modified", _time(blob.modified_at)),
        ("Etag", blob.etag.strip('"')),
        ("Content-Length", str(blob.size)),
        ("Content-Type", blob.content_type),
        ("BlobType", "BlockBlob"),
    ):
        ET.SubElement(properties, name).text = value
    metadata = ET.SubElement(entry, "Metadata")
    for name, value in blob.metadata.items():
        ET.SubElement(metadata, name).text = value
    return entry


def _refusal(error: StorageError) -> Response:
    document = ET.Element("Error")
    ET.SubElement(document, "Code").text = error.code
    ET.SubElement(document, "Message").text = str(error)
    body = ET.tostring(document, encoding="utf-8")
    return Response(body, error.status, {"x-ms-error-code": error.code}, media_type="application/xml")


def _time(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)

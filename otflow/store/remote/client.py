"""Requests to an HTTP server: connection, credentials, retries, and errors that say nothing they should not."""

from __future__ import annotations

import io
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from otflow import config
from otflow.errors import (
    AlreadyExistsError,
    InvalidParameterError,
    NotFoundError,
    OtflowError,
    StoreUnavailableError,
    error_from_code,
)
from otflow.store.opening import split_workspace
from otflow.store.remote.credentials import Credentials, kept_credentials
from otflow.store.workspaces import DEFAULT_WORKSPACE
from otflow.wire.endpoints import WORKSPACE_HEADER, Endpoint
from otflow.wire.scalars import Json

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

__all__ = ["BrokenOffError", "HttpClient", "stream_of"]

_OVERLOADED: Final = frozenset({429, 503})
"""Answers that say the request was not served, so that any request may be sent again."""
_UNAVAILABLE: Final = frozenset({408, 429, 502, 503, 504})
"""Answers after which the same request may succeed."""
_NO_CONTENT: Final = 204
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0
_MESSAGE_LENGTH: Final = 1000
_SQL: Final = re.compile(r"\s*(?:\[SQL:|\[parameters:|\(Background on this error).*", re.DOTALL)
_DRIVER_ERROR: Final = re.compile(r"^\((?:sqlite3|psycopg2?|pymysql|pyodbc|MySQLdb|builtins)\.")
_FOREIGN_KEY: Final = re.compile("foreign key constraint", re.IGNORECASE)
_UNIQUE: Final = re.compile("unique constraint|duplicate entry|duplicate key", re.IGNORECASE)


class HttpClient:
    """Sends requests to one server. Safe to use from several threads at a time.

    A request is tried again, with growing pauses, where the server cannot be reached or says that it is overloaded,
    at most `HTTP_REQUEST_MAX_RETRIES` times and `HTTP_REQUEST_TIMEOUT` seconds in all. One that must not be repeated
    is tried again only where the server has not seen it.

    Args:
        uri: The server, `http(s)://[user:password@]host[:port][/path]`. A user in it goes before the settings, and
            these before what `otflow.login` has kept for the server. With `#workspace=name` all requests are for that
            workspace.
        credentials: Who to be there, before all of these.

    Raises:
        InvalidParameterError: The URI has no host, or a port that is none.
    """

    def __init__(self, uri: str, credentials: Credentials | None = None) -> None:
        self.place: Final = uri
        """The URI as it was given, with what is secret in it."""
        uri, workspace = split_workspace(uri)
        self.workspace: Final = workspace or DEFAULT_WORKSPACE
        try:
            parts = urlsplit(uri.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            # The URI itself may hold a password, and a malformed one cannot be cleaned.
            raise InvalidParameterError("The tracking URI is not of the form http(s)://host[:port][/path]")
        location = f"[{host}]" if ":" in host else host
        if port is not None:
            location += f":{port}"
        self.uri: Final = urlunsplit((parts.scheme, location, parts.path.rstrip("/"), "", ""))
        if credentials is None and parts.username is not None:
            credentials = Credentials(unquote(parts.username), unquote(parts.password or ""))
        self._own = credentials
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._closed = threading.Event()
        self._inherited: list[object] = []

    # -- life --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections, and end the pauses of requests that are being tried again."""
        self._closed.set()
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections alone: kept, so that nothing closes them, and never used."""
        self._inherited.append(self._session)
        self._session = None
        self._lock = threading.Lock()
        closed = self._closed.is_set()
        self._closed = threading.Event()
        if closed:
            self._closed.set()

    def _open(self) -> Session:
        with self._lock:
            if self._closed.is_set():
                raise OtflowError(f"The store at {self.uri} has been closed", "INVALID_STATE")
            if self._session is None:
                import requests
                from requests.adapters import HTTPAdapter

                session = requests.Session()
                adapter = HTTPAdapter(pool_maxsize=32)
                session.mount("http://", adapter)
                session.mount("https://", adapter)
                session.headers["User-Agent"] = "otflow"
                if self.workspace != DEFAULT_WORKSPACE:
                    session.headers[WORKSPACE_HEADER] = self.workspace
                self._session = session
            return self._session

    def _credentials(self) -> Credentials | None:
        if self._own is not None:
            return self._own
        token, username = config.TRACKING_TOKEN.get(), config.TRACKING_USERNAME.get()
        if token is not None:
            return Credentials(token=token)
        if username is not None:
            return Credentials(username, config.TRACKING_PASSWORD.get())
        return kept_credentials(self.uri)

    def _authentication(self) -> Callable[[PreparedRequest], PreparedRequest] | None:
        credentials = self._credentials()
        if credentials is None:
            return None

        def authenticate(request: PreparedRequest) -> PreparedRequest:
            request.headers["Authorization"] = credentials.header()
            return request

        return authenticate

    # -- requests ----------------------------------------------------------------------------------

    def call(
        self,
        endpoint: Endpoint,
        path: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
    ) -> Json:
        """Send a request with a JSON body and return the JSON object of the answer.

        Args:
            endpoint: The kind of request.
            path: The arguments in its path.
            query: The arguments behind the question mark.
            body: The JSON object to send.

        Raises:
            StoreUnavailableError: The server could not be reached or is overloaded.
            OtflowError: What the server answered, as the class that a local store would have raised.
        """
        content: dict[str, Any] = {"params": query}
        if body is not None:
            try:
                data = json.dumps(body, allow_nan=False)
            except ValueError:
                request = f"{endpoint.method} {endpoint.path}"
                raise InvalidParameterError(f"{self.uri} takes no NaN and no infinity in {request}") from None
            content |= {"data": data, "headers": {"Content-Type": "application/json"}}
        response = self._send(endpoint, endpoint.url_path(path or {}), **content)
        if response.status_code == _NO_CONTENT:
            return {}
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise OtflowError(
                f"{self.uri} answered {endpoint.method} {endpoint.path} with something that is not a JSON object; "
                "is it an MLflow or otflow server?"
            )
        return cast("Json", answer)

    def post_protobuf(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a protobuf body; see `call` for what is raised."""
        content = {"Content-Type": "application/x-protobuf", **headers}
        self._send(endpoint, endpoint.path, data=body, headers=content)

    def put_stream(self, endpoint: Endpoint, path: str, source: BinaryIO) -> None:
        """Send what a stream has, from where it stands; see `call` for what is raised.

        Args:
            endpoint: The kind of request.
            path: The path.
            source: A stream that can be rewound: it is read anew when the request is tried again.
        """
        begin = source.tell()
        length = source.seek(0, os.SEEK_END) - begin
        self._send(
            endpoint,
            path,
            rewind=lambda: source.seek(begin),
            data=source if length > 0 else b"",
            headers={"Content-Type": "application/octet-stream"},
        )

    def open_stream(self, endpoint: Endpoint, path: str) -> BinaryIO:
        """The body of an answer, to be read as it comes and closed; see `call` for what is raised.

        Where the connection breaks amid it, reading raises BrokenOffError.
        """
        return stream_of(self._send(endpoint, path, stream=True), self.uri)

    def send(self, endpoint: Endpoint, path: str) -> None:
        """Send a request without a body, whose answer says nothing more than that it was done."""
        self._send(endpoint, path)

    def _send(
        self, endpoint: Endpoint, path: str, *, rewind: Callable[[], object] | None = None, **arguments: Any
    ) -> Response:
        limit_s = config.HTTP_REQUEST_TIMEOUT.get()
        deadline = time.monotonic() + limit_s if limit_s else None
        retries = config.HTTP_REQUEST_MAX_RETRIES.get()
        pause_s = _FIRST_PAUSE_S
        while True:
            if rewind is not None:
                rewind()
            answer = self._try(endpoint, path, deadline, arguments)
            if not isinstance(answer, _Failure):
                return answer
            if retries <= 0 or not answer.may_repeat:
                raise answer.error
            wait_s = answer.wait_s if answer.wait_s is not None else pause_s * random.uniform(0.5, 1.0)
            if deadline is not None and time.monotonic() + wait_s >= deadline:
                raise answer.error
            if self._closed.wait(wait_s):
                raise answer.error
            retries -= 1
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _try(
        self, endpoint: Endpoint, path: str, deadline: float | None, arguments: Mapping[str, Any]
    ) -> Response | _Failure:
        from requests import exceptions

        timeout_s = None if deadline is None else max(0.001, deadline - time.monotonic())
        try:
            response = self._open().request(
                endpoint.method,
                self.uri + path,
                timeout=timeout_s,
                verify=False if config.TRACKING_INSECURE_TLS.get() else None,
                allow_redirects=False,
                auth=self._authentication(),
                **arguments,
            )
        except exceptions.SSLError as error:
            raise OtflowError(f"No secure connection to {self.uri}: {_reason(error)}") from None
        except exceptions.Timeout as error:
            sent = not isinstance(error, exceptions.ConnectTimeout)
            message = f"{self.uri} did not answer within {config.HTTP_REQUEST_TIMEOUT.get():g} s"
            return _Failure(StoreUnavailableError(message), endpoint.repeatable or not sent)
        except (exceptions.ConnectionError, exceptions.ChunkedEncodingError) as error:
            message = f"{self.uri} cannot be reached: {_reason(error)}"
            return _Failure(StoreUnavailableError(message), endpoint.repeatable or _never_connected(error))
        except (exceptions.RequestException, ValueError) as error:
            raise OtflowError(f"The request to {self.uri} could not be sent: {type(error).__name__}") from None
        if 200 <= response.status_code < 300:
            return response
        error = self._error(endpoint, response)
        if isinstance(error, StoreUnavailableError):
            may_repeat = endpoint.repeatable or response.status_code in _OVERLOADED
            return _Failure(error, may_repeat, _retry_after(response))
        raise error

    def _error(self, endpoint: Endpoint, response: Response) -> OtflowError:
        """The error that an answer stands for."""
        status = response.status_code
        try:
            answer: Any = response.json()
        except ValueError:
            answer = None
        data = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        code, message = data.get("error_code"), str(data.get("message") or "")
        if status in _UNAVAILABLE:
            return StoreUnavailableError(_clean(message) or f"{self.uri} is overloaded or down (HTTP status {status})")
        if isinstance(code, str):
            # MLflow's server lets the database find out what does not exist, or exists already.
            if code == "BAD_REQUEST" and _FOREIGN_KEY.search(message):
                return NotFoundError("What the request refers to does not exist")
            if code in ("BAD_REQUEST", "RESOURCE_ALREADY_EXISTS") and _UNIQUE.search(message):
                return AlreadyExistsError(_clean(message) or "The name or id is taken")
            return error_from_code(code, _clean(message) or f"The server reports {code} and says no more")
        request = f"{endpoint.method} {endpoint.path}"
        if status == 401:
            return OtflowError(f"{self.uri} does not accept the credentials, or wants some", "UNAUTHENTICATED")
        if status == 403:
            return OtflowError(f"{self.uri} does not permit {request}", "PERMISSION_DENIED")
        if status in (404, 405):
            return OtflowError(
                f"{self.uri} does not offer {request}; is it an MLflow server >= 3.10?", "NOT_IMPLEMENTED"
            )
        if 300 <= status < 400:
            return OtflowError(f"{self.uri} redirects {request}; set the tracking URI to where it leads")
        if status < 500:
            detail = _clean(str(data.get("detail") or "")) or f"HTTP status {status}"
            return OtflowError(f"{self.uri} does not accept {request}: {detail}", "BAD_REQUEST")
        return OtflowError(f"{self.uri} failed on {request} (HTTP status {status})")


class BrokenOffError(StoreUnavailableError):
    """A connection broke amid an answer."""


def stream_of(response: Response, server: str) -> BinaryIO:
    """The body of an answer of which nothing has been read; to be closed. See `HttpClient.open_stream`."""
    return cast("BinaryIO", io.BufferedReader(_Body(response, server), 1 << 16))


class _Body(io.RawIOBase):
    """The body of an answer, as it comes.

    Args:
        response: The answer, of which nothing has been read.
        server: Who gave it.
    """

    def __init__(self, response: Response, server: str) -> None:
        self._response = response
        self._server = server

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        from urllib3.exceptions import HTTPError

        try:
            data: bytes = self._response.raw.read(len(buffer), decode_content=True)
        except (HTTPError, OSError) as error:
            raise BrokenOffError(f"{self._server} broke off amid an answer: {_reason(error)}") from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()


class _Failure:
    """A try that may be followed by another."""

    __slots__ = ("error", "may_repeat", "wait_s")

    def __init__(self, error: OtflowError, may_repeat: bool, wait_s: float | None = None) -> None:
        self.error = error
        self.may_repeat = may_repeat
        self.wait_s = wait_s


def _clean(message: str) -> str:
    """A server's message without the SQL and the driver's words that MLflow's server puts into some."""
    message = _SQL.sub("", message)
    head, separator, tail = message.partition(" Error: (")
    if separator and (_DRIVER_ERROR.match(f"({tail}") or tail.startswith("raised as a result of ")):
        message = head
    if _DRIVER_ERROR.match(message):
        message = "The server's database refused it"
    return message[:_MESSAGE_LENGTH]


def _retry_after(response: Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _reason(error: BaseException) -> str:
    """Why a connection failed, in the operating system's words; never with the URL."""
    root = _root(error)
    if isinstance(root, OSError) and root.errno is not None:
        return os.strerror(root.errno) if root.errno > 0 else (root.strerror or type(root).__name__)
    return type(root).__name__


def _root(error: BaseException) -> BaseException:
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        following = error.__cause__ or (inner if isinstance(inner, BaseException) else None) or error.__context__
        if not isinstance(following, BaseException):
            return error
        error = following


def _never_connected(error: BaseException) -> bool:
    """Whether the failure came before anything was sent."""
    from urllib3.exceptions import NewConnectionError

    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", None), NewConnectionError)

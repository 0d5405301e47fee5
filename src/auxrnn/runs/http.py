"""The service over HTTP: JSON in, JSON out, errors as one sentence. Loads Starlette and uvicorn, the extra `serve`.

One thread computes, one request after the other; reading bodies does not wait for it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from auxrnn.errors import InputError, is_full_memory
from auxrnn.runs.service import RefusalError, Service, read_json

AT_ONCE = 8  # bodies held at once
BODY_SECONDS = 30.0  # in which a body has to come
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECTIONS = 256

Work = Callable[..., dict[str, Any]]


def serve_model(
    service: Service, host: str, port: int, page: Path | None = None, say: Callable[[str], None] = print
) -> None:
    """Serve a model until Ctrl-C or SIGTERM, which end in KeyboardInterrupt.

    Parameters
    ----------
    service : Service
    host : str
    port : int
        0 takes any that is free.
    page : Path, optional
        A web export, shown at `/`.
    say : callable
        Told where it listens.

    Raises
    ------
    InputError
        Where the address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"{host}:{port}: expected an address of this machine that is free, found: {error}. Choose another --port."
        ) from error
    with listening:
        if host not in LOOPBACK:
            say(f"Warning     no authentication: whoever reaches {host} may use the model and its streams")
        say(f"Listening   http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")
        config = uvicorn.Config(
            build_app(service, page, trusted=host if host in LOOPBACK[:2] else None),
            http="h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(config).run(sockets=[listening])


def build_app(service: Service, page: Path | None = None, trusted: str | None = None) -> Starlette:
    """The application, as any ASGI server runs it.

    page: a web export, shown at `/`. trusted: the loopback address that it listens on; requests under other names are
    refused, so that no web page in a browser of this machine gets at it.
    """
    worker, places = ThreadPoolExecutor(1), asyncio.Semaphore(AT_ONCE)

    async def compute(work: Work, *given: Any) -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(worker, work, *given)

    def posted(work: Work, status: int = 200) -> Callable[[Request], Awaitable[Response]]:
        def of_body(body: bytearray, *given: Any) -> dict[str, Any]:
            return work(*given, read_json(body))

        async def endpoint(request: Request) -> Response:
            async with places:
                body = await _body(request, service.limits.body)
                return JSONResponse(await compute(of_body, body, *request.path_params.values()), status)

        return endpoint

    def asked(work: Work) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return JSONResponse(await compute(work, *request.path_params.values()))

        return endpoint

    async def health(request: Request) -> Response:
        return JSONResponse(service.about())

    one = "/streams/{id}"
    routes: list[BaseRoute] = [
        Route("/health", health, methods=["GET"]),
        Route("/predict", posted(service.predict), methods=["POST"]),
        Route("/streams", posted(service.open_stream, 201), methods=["POST"]),
        Route(
            one,
            _by_method(
                {"POST": posted(service.push), "GET": asked(service.look), "DELETE": asked(service.close_stream)}
            ),
            methods=["GET", "POST", "DELETE"],
        ),
        Route("/", health, methods=["GET"]) if page is None else Mount("/", StaticFiles(directory=page, html=True)),
    ]
    hosts = [] if trusted is None else [Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK[:2]))]
    return Starlette(
        routes=routes,
        middleware=hosts,
        exception_handlers=dict.fromkeys((HTTPException, InputError, ClientDisconnect, Exception), _told),
    )


def _by_method(
    endpoints: dict[str, Callable[[Request], Awaitable[Response]]],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return endpoint


async def _body(request: Request, most: int) -> bytearray:
    """The bytes of a request in JSON; no more than `most` are ever held."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which no foreign page may send
        raise RefusalError(415, f"Expected a request of Content-Type application/json, got {kind[:80]!r}.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise RefusalError(413, f"Expected a request of at most {most:,} bytes, got more. Use a stream.")
    except TimeoutError as error:
        raise RefusalError(408, f"Expected the whole request within {BODY_SECONDS:g} s, got a part.") from error
    return body


async def _told(request: Request, error: Exception) -> Response:
    """Any error as JSON, in one sentence."""
    if isinstance(error, HTTPException):
        return JSONResponse(
            {"error": f"{request.method} {request.url.path[:80]}: {error.detail}."}, error.status_code, error.headers
        )
    if isinstance(error, InputError):
        return JSONResponse({"error": str(error)}, error.status if isinstance(error, RefusalError) else 400)
    full = is_full_memory(error)
    words = "The memory does not suffice for this request." if full else "The service failed; its log says why."
    return JSONResponse({"error": words}, 503 if full else 500)

"""A browser's server over a small lake: a real one, in a thread."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from lake.browser.app import App, application
from lake.browser.guard import Guard
from lake.browser.serve import bound
from lake.browser.sql.limits import Limits
from lake.browser.window import Window
from lake.lake import Lake
from tests.lakes import again


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of a lake."""

    lake: Lake
    client: httpx.Client

    @property
    def url(self) -> str:
        """Where they are, without a `/` at its end."""
        return str(self.client.base_url).rstrip("/")

    def get(self, path: str, status: int = 200, **headers: str) -> str:
        """Return a page's text, which answers with this status."""
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return answer.text

    def json(self, path: str) -> Any:
        """Return the document of a page."""
        bare, _, query = path.partition("?")
        twin = "/index.json" if bare == "/" else f"{bare}.json"
        return json.loads(self.get(f"{twin}?{query}" if query else twin))

    def post(self, path: str, form: dict[str, str], *, origin: str) -> httpx.Response:
        """Send a form, as a page of this origin would."""
        return self.client.post(path, data=form, headers={"Origin": origin})


@contextmanager
def site(
    lk: Lake,
    guard: Guard | None = None,
    limits: Limits | None = None,
    opened: Callable[[], Lake] | None = None,
) -> Iterator[Site]:
    """Serve the pages of a lake; `opened` opens it in a way of its own."""
    window = Window(opened or (lambda: again(lk)))
    app = application(App(window, guard or Guard(), limits))
    with closing(bound("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                yield Site(lk, client)
        finally:
            server.should_exit = True
            thread.join()

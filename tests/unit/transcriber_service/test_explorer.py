"""The interactive page: all that it loads comes from the service, and its policy lets nothing else in."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx
import pytest

BELOW = "http://api/behind/a/proxy"


class Links(HTMLParser):
    """What a page loads, and where it has a script or a style inside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loaded += [value for name in ("src", "href") if (value := given.get(name))]
        self.inside += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inside.append(tag)


async def test_the_page_and_all_that_it_loads_come_from_the_service(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs", headers={"Authorization": ""})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = Links(page.text)
    assert len(links.loaded) == 5
    assert links.inside == []
    for link in links.loaded:
        assert urljoin(f"{BELOW}/docs", link).startswith(f"{BELOW}/")
        answer = await http.get(urljoin("http://api/docs", link), headers={"Authorization": ""})
        assert answer.status_code == 200
        assert answer.content


async def test_the_script_shows_our_document_and_asks_no_other_host(http: httpx.AsyncClient) -> None:
    script = (await http.get("/docs/start.js")).text
    [url] = re.findall(r'url: "([^"]+)"', script)
    document = (await http.get(urljoin("http://api/docs", url))).json()
    assert document["openapi"].startswith("3.1")
    assert "servers" not in document
    assert "validatorUrl: null" in script
    assert "SwaggerUIBundle" in (await http.get("/docs/swagger-ui-bundle.js")).text
    style = (await http.get("/docs/swagger-ui.css")).text
    assert "@import" not in style
    assert set(re.findall(r"url\(\s*['\"]?(\w*:)", style)) <= {"data:"}


async def test_the_policy_lets_nothing_else_in(http: httpx.AsyncClient) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in (await http.get("/docs")).headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    hosts = {word for words in policy.values() for word in words.split()}
    assert hosts == {"'none'", "'self'", "data:"}


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect", "/docs/__init__.py", "/docs/page.html"])
async def test_nothing_else_is_served(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404

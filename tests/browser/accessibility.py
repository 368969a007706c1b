"""What axe-core finds on a page: rules of WCAG 2.2 A and AA, and best practices."""

from functools import cache

from playwright.sync_api import Page

from tests.clients.toolchains import AXE
from tests.support.listening import missing

RUN = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const {violations} = await axe.run(document, {runOnly: {type: "tag", values: tags}});
  const told = node => `${node.html} ${node.failureSummary}`;
  return violations.map(({id, nodes}) => `${id}: ${nodes.map(told).join("; ")}`);
}"""


@cache
def _axe() -> str:
    if programs := AXE.missing():
        missing(f"no {', '.join(programs)} on PATH")
    return (AXE.prepare() / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Return what axe-core finds, each with the elements at fault. Installs it once, into the cache."""
    page.evaluate(_axe())
    found: list[str] = page.evaluate(RUN)
    return found

"""The page: whole by itself, whatever the names of settings and directories."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from src.report.comparison import build_comparison
from src.report.page import page
from tests.fixtures.runs import write_run, write_sweep


class Elements(HTMLParser):
    """Collects the start tags of a page with their attributes, and its visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.element = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.element = tag

    def handle_data(self, data: str) -> None:
        if self.element not in ("script", "style"):
            self.text += data


def written(path: Path) -> str:
    return page(build_comparison([path], "val/acc", path))


def traces(text: str, chart: str) -> list[dict[str, Any]]:
    """The data of a chart, as Plotly is handed them."""
    call = re.search(rf'Plotly\.newPlot\(\s*"chart-{chart}",\s*', text)
    assert call is not None
    return list(json.JSONDecoder().raw_decode(text, call.end())[0])


def names(text: str, chart: str) -> list[str]:
    return [trace["name"] for trace in traces(text, chart) if trace.get("showlegend") is not False]


def test_it_needs_no_other_file_and_no_network(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": [0.8, 0.9], "optimizer.lr=0.2": [0.7, 0.8]})
    text = written(tmp_path)
    elements = Elements(text)
    assert not [tag for tag, _ in elements.found if tag in ("link", "img", "iframe", "base")]
    assert not [attributes for _, attributes in elements.found if "src" in attributes]
    assert "@import" not in text
    assert "url(" not in re.findall(r"<style>(.*?)</style>", text, flags=re.S)[0]
    assert "plotly.js v" in text


def test_all_of_it_is_there(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": [0.8, 0.9], "optimizer.lr=0.2": [0.7, 0.75]})
    write_run(tmp_path / "4", "optimizer.lr=9", state="failed", reason="the loss is nan")
    text = written(tmp_path)
    shown = Elements(text).text
    for words in ("85.00 ± 7.07", "paired t-test", "the loss is nan", "optimizer.lr=0.1"):
        assert words in shown
    assert names(text, "validation") == ["0.1", "0.2", "not finished"]
    assert names(text, "cost") == ["0.1", "0.2"]
    curve = next(trace for trace in traces(text, "validation") if trace.get("name") == "0.1")
    assert curve["x"] == [1, 2, 3]
    assert curve["y"][-1] == 85
    assert len(traces(text, "validation")) == 2 * (2 + 1) + 1, "runs and mean of each group"
    (lines,) = traces(text, "parallel")
    assert [axis["label"] for axis in lines["dimensions"]] == ["optimizer.lr", "val/acc (%)"]
    assert lines["dimensions"][0]["ticktext"] == ["0.1", "0.2"]


def test_one_run_alone(tmp_path: Path) -> None:
    text = written(write_run(tmp_path / "0"))
    assert names(text, "validation") == ["all runs"]
    assert "chart-parallel" not in text
    assert "Nothing varies between the finished runs" in text


def test_nothing_has_finished(tmp_path: Path) -> None:
    write_run(tmp_path / "0", state="running", epochs=0)
    shown = Elements(written(tmp_path)).text
    assert "No run has finished yet" in shown
    assert "No run has logged" in shown


def test_of_forty_groups_the_best_are_drawn_at_first(tmp_path: Path) -> None:
    write_sweep(tmp_path, {f"optimizer.lr={n}": [n / 100] for n in range(1, 41)})
    text = written(tmp_path)
    visible = [trace["name"] for trace in traces(text, "validation") if trace["visible"] is True]
    assert visible == [str(n) for n in range(40, 30, -1)]
    assert len(traces(text, "cost")) == 40
    ticks = traces(text, "parallel")[0]["dimensions"][0]["ticktext"]
    assert 2 <= len(ticks) <= 8


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    bad = "</script><img src=x onerror=alert(1)>"
    for seed, acc in enumerate([0.8, 0.9]):
        write_run(tmp_path / "%{x} <b>" / str(seed), f"data.root={bad}", f"seed={seed}", acc=acc)
    write_run(tmp_path / "2", "data.root=plain", state="failed", reason=bad)
    write_run(tmp_path / "3", "data.root=other", acc=0.7)
    text = written(tmp_path)
    assert "img" not in [tag for tag, _ in Elements(text).found]
    assert bad in Elements(text).text
    for chart in ("validation", "cost", "parallel"):
        assert "<img" not in json.dumps(traces(text, chart))
    hover = traces(text, "validation")[0]["hovertemplate"]
    assert hover.count("%{") == 2, "the name of a directory is no format"

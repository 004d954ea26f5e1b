import base64
import io
import json
import re
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from sectome.checks import InputError
from sectome.report import page as page_module
from sectome.report import write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what the tests ask for, and fails on tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def full_page(full_report):
    return Page(full_report)


def test_the_page_shows_each_figure_as_a_png_with_an_alternative_text(full_page):
    images = full_page.attributes("img")
    # Two loss plots, reconstructions, an overlay for each of two arms, the sweep.
    assert len(images) == 6
    for image in images:
        kind, data = image["src"].split(",")
        assert kind == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.width > 600
        assert len(image["alt"]) > 20


def test_the_page_tells_the_numbers(full_page):
    text = "\n".join(full_page.text)
    for number in (
        "0.800",
        "1.050",
        "0.400",
        "1,234",
        "48,100",
        "2 min 30 s",
        "0.0123",
        "0.710",
        "\N{MINUS SIGN}0.250",
    ):
        assert number in text, number


def test_the_page_claims_no_more_than_one_run_each(full_page):
    text = "\n".join(full_page.text)
    assert "On far: pre-trained, the VOI sum is 0.800 bits; from scratch, 1.050" in text
    assert "better by 0.250 with pre-training" in text
    assert "one run each (seed 0): how much scores vary between seeds was not measured" in text
    assert "On hidden patches pretrain has a loss of 0.400, 50% below" in text


def test_the_page_loads_nothing_and_runs_nothing(full_page):
    assert not {tag for tag, _ in full_page.tags} & {"script", "link", "iframe", "object", "base"}
    for tag, attributes in full_page.tags:
        for name in ("src", "href", "srcset", "style"):
            assert attributes.get(name, "#").startswith(("data:image/png", "#")), (tag, name)
        assert not [name for name in attributes if name.startswith("on")]
    style = full_page.text[full_page.text.index("sectome report: pretrain, tuned, plain") + 1]
    assert "@media print" in style
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"https?://", "\n".join(full_page.text))


def test_links_inside_the_page_lead_somewhere(full_page):
    ids = {attributes["id"] for attributes in full_page.attributes("section")}
    assert ids == {link["href"].removeprefix("#") for link in full_page.attributes("a")}
    assert "pre-trained-against-from-scratch" in ids


def test_only_predictions_compete_for_the_best(full_report):
    scores = full_report.split('id="scores"')[1].split("</table>")[0]
    # ARE and VOI merge are the same in both arms: both are the best there.
    best = re.findall(r'<td class="n best">([^<]+)</td>', scores)
    assert best == ["0.100", "0.500", "0.300", "0.800", "0.100", "0.300"]
    controls = re.findall(r'<tr class="control">.*?</tr>', scores)
    assert len(controls) == 4  # two of connected components, one of each that the truth alone decides
    assert not any("best" in row for row in controls)


def test_a_better_baseline_is_admitted(tmp_path, make_pretraining):
    text = write_report([make_pretraining(masked_loss=0.9)], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "a loss of 0.900, no better than predicting the mean (0.800)" in text


def test_what_is_missing_is_said(tmp_path, make_pretraining, make_arm):
    runs = [make_pretraining(evaluated=False), make_arm("plain", evaluated=False)]
    (runs[1] / "history.csv").unlink()
    text = write_report(runs, tmp_path / "report.html").read_text(encoding="utf-8")
    Page(text)
    assert "Not evaluated yet: pretrain, plain." in text
    assert "Reconstructions: not evaluated yet." in text
    assert "plain: no training history yet." in text
    assert "Not compared: this needs" in text


def test_a_pretraining_of_the_whole_network_is_no_arm(tmp_path, make_arm):
    folder = make_arm("whole", evaluated=False, mask_ratio=0.6)
    with (folder / "history.csv").open("a") as history:
        history.write("100,150.0,val_loss_of_mean,0.0246\n")
    text = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "On hidden patches whole has a loss of 0.012, 50% below that of predicting the mean (0.025)." in text
    assert "In the last validation, with 60% of the patches hidden." in text
    assert "Not evaluated yet" not in text
    assert "Fine-tuning" not in text


def test_a_folder_with_nothing_but_run_json_makes_a_page(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps({"bundle": "em_segmentation"}))
    text = write_report([tmp_path / "run"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Not evaluated yet: run." in Page(text).text


def test_one_arm_alone_is_not_compared(tmp_path, make_arm):
    text = write_report([make_arm("plain")], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "plain (from scratch) has a VOI sum of 0.900 bits and an adapted Rand error of 0.100" in text
    assert "Not compared" in text
    assert 'class="n best"' not in text


def test_names_cannot_become_markup(tmp_path, make_arm):
    folder = make_arm("<b onclick='x'>&", evaluated=False, notes='</pre><img src="https://example.org/x.png">')
    text = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert not {tag for tag, _ in Page(text).tags} & {"b"}
    assert all(image["src"].startswith("data:") for image in Page(text).attributes("img"))


def test_commands_are_shown_as_they_were_typed(tmp_path, make_arm):
    folder = make_arm("plain", evaluated=False)
    content = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**content, "command": ["python", "-m", "monai.bundle", "a b"]}))
    text = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "# plain\npython -m monai.bundle 'a b'" in "".join(Page(text).text)


def test_a_threshold_chosen_on_tested_tissue_is_pointed_out(tmp_path, make_arm):
    folder = make_arm("plain")
    content = json.loads((folder / "scores.json").read_text())
    (folder / "scores.json").write_text(json.dumps({**content, "validation": ["far"]}))
    text = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Thresholds were chosen on tissue that is also scored (far)" in text


def test_a_picture_names_the_volume_that_was_drawn(tmp_path, make_arm):
    folder = make_arm("plain")
    scores = json.loads((folder / "scores.json").read_text())
    (folder / "scores.json").write_text(json.dumps({**scores, "test": ["first", "second"]}))
    text = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Truth without colour is unlabelled. Volume: first.<" in text


def test_the_same_runs_give_the_same_page(tmp_path, make_arm):
    folder = make_arm("plain", evaluated=False)
    first, second = (write_report([folder], tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_a_failed_report_leaves_the_old_one(tmp_path, make_arm, monkeypatch):
    folder = make_arm("plain", evaluated=False)
    out = tmp_path / "pages" / "report.html"
    write_report([folder], out)
    before = out.read_bytes()

    def fail(path, *args, **options):
        Path(path).write_bytes(b"<!doctype")
        raise OSError("disk full")

    monkeypatch.setattr(page_module.Path, "write_text", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report([folder], out)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_a_broken_run_writes_no_page(tmp_path, make_arm):
    folder = make_arm("plain")
    (folder / "overlays.npz").write_bytes(b"not a zip")
    with pytest.raises(InputError, match=r"overlays\.npz must be an \.npz file"):
        write_report([folder], tmp_path / "pages" / "report.html")
    assert not (tmp_path / "pages").exists()


def test_a_folder_is_not_overwritten_by_a_page(tmp_path, make_arm):
    folder = make_arm("plain", evaluated=False)
    with pytest.raises(InputError, match="a report must be a file"):
        write_report([folder], tmp_path)
    assert (folder / "run.json").is_file()


def test_reports_change_no_state_of_matplotlib(tmp_path, make_arm):
    import matplotlib

    before = dict(matplotlib.rcParams)
    folder = make_arm("plain")
    failures = []

    def work():
        try:
            write_report([folder], tmp_path / "thread.html")
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
    assert dict(matplotlib.rcParams) == before


def test_scores_that_are_not_numbers_show_as_a_dash(tmp_path, make_arm):
    runs = [make_arm("tuned", "model.pt", are=float("nan")), make_arm("plain", are=0.25)]
    text = "\n".join(Page(write_report(runs, tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "\u2013\n0.900\n" not in text  # a dash stands for ARE alone
    assert "tuned\npre-trained\nmean agglomeration\n\u2013\n0.600" in text
    assert "not comparable" in text

"""The link at the end of a run, opened in a real browser against a real MLflow server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from leftovers import STAGES, leave_pipeline
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from leafe.tracking import PipelineRun

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
# In CI a missing browser is a failure, not a reason to look away.
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER) and os.environ.get("CI") != "true",
    reason="no chromium and chromedriver: apt-get install chromium chromium-driver",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def tracked(project: Path) -> PipelineRun:
    """A finished run of three iterations, in a project of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
            patch.delenv(name, raising=False)
        patch.chdir(project)
        leave_pipeline()
        run = PipelineRun.open("a-run")
        for stage in STAGES:
            run.log_stage(stage, executed=True)
        run.finish("FINISHED")
    return run


@pytest.fixture(scope="module")
def server(tracked: PipelineRun, project: Path) -> Iterator[str]:
    """The address of an MLflow server on that project's records."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--backend-store-uri", f"sqlite:///{project}/mlflow.db", "--port", str(port))
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    with (project / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *options],
            stdout=log,
            stderr=log,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, project / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            family = [*psutil.Process(process.pid).children(recursive=True)]
            process.kill()
            for child in family:
                child.kill()
            process.wait()
            psutil.wait_procs(family, timeout=10)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the MLflow server did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    assert BROWSER, "chromium is missing"
    assert DRIVER, "chromedriver is missing"
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def find(driver: Any, search: Callable[[Any], Any], picture: Path) -> Any:
    """What `search` finds on the page within a minute; a picture of the page either way."""
    try:
        return WebDriverWait(driver, 60).until(search)
    finally:
        driver.save_screenshot(str(picture))


def text(driver: Any) -> str:
    return str(driver.execute_script("return document.body.innerText"))


@needs_browser
def test_the_link_opens_the_overlaid_curves_of_all_iterations(
    tracked: PipelineRun, server: str, browser: Any, tmp_path: Path
) -> None:
    browser.get(tracked.compare_link(server))

    def curves(driver: Any) -> set[str] | None:
        # As shapes: while the page settles, it draws each curve twice.
        lines = "return [...document.querySelectorAll('.scatterlayer .trace path.js-line')]"
        shapes = set(driver.execute_script(f"{lines}.map(line => line.getAttribute('d'))"))
        return shapes if len(shapes) >= 3 else None

    shapes = find(browser, curves, tmp_path / "curves.png")
    assert len(shapes) == 3, "three iterations, three different curves"
    assert all(shape.count("L") == 3 for shape in shapes), "k = 1, 2, 4, 8: three segments"
    assert all(f"{name} (eval/pass_at_k)" in text(browser) for name in ("i0", "i1", "i2"))


@needs_browser
def test_the_list_of_runs_has_the_run_with_its_data(
    tracked: PipelineRun, server: str, browser: Any, tmp_path: Path
) -> None:
    browser.get("about:blank")
    browser.get(f"{server}/#/experiments/1?workflowType=machine_learning")
    find(browser, lambda driver: "a-run" in text(driver), tmp_path / "runs.png")
    assert "data/tasks/train.parquet" in text(browser)

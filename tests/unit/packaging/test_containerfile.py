"""The container file: what it is made of, and whether its steps work where there is no container."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from callwright.cli.commands import app
from callwright.cli.health import LACKING, SILENT
from callwright.settings import Settings
from support.server import until

ROOT = Path(__file__).parents[3]
FILE = ROOT / "packaging" / "Containerfile"


def stages():
    """The instructions of each stage, continuation lines joined."""
    text = re.sub(r"\\\n\s*", "", FILE.read_text())
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest.strip()))
    return found


def the(name, stage):
    (found,) = [rest for instruction, rest in stage if instruction == name]
    return found


@pytest.fixture(scope="module")
def build():
    return stages()[0]


@pytest.fixture(scope="module")
def image():
    return stages()[1]


def test_both_stages_begin_with_the_same_image(build, image):
    assert the("FROM", build) == "python:3.11-slim AS build"
    assert the("FROM", image) == "python:3.11-slim"
    assert len(stages()) == 2


def test_what_is_copied_is_there_and_not_ignored(build):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [word for name, rest in build if name == "COPY" for word in rest.split()[:-1]]
    assert copied == ["pyproject.toml", "README.md", "LICENSE", "src"]
    assert [name for name in copied if not (ROOT / name).exists() or f"!{name}" not in ignored] == []


def test_it_runs_as_a_user_with_a_volume_of_its_own(image):
    user = next(
        re.search(r"useradd .*--uid (\d+) .*--home-dir (\S+) .* (\S+) &&", rest) for name, rest in image if name == "RUN"
    )
    assert int(user[1]) > 1000
    assert f"uid {user[1]})" in (ROOT / "docs" / "operations.md").read_text()
    assert the("USER", image) == user[3]
    assert user[2] == the("VOLUME", image) == the("WORKDIR", image) == the("ENV", image).removeprefix("CALLWRIGHT_DATA=")
    assert [name for name, _ in image].index("USER") < [name for name, _ in image].index("ENTRYPOINT")


def test_its_ports_are_those_of_the_settings(image):
    defaults = Settings()
    assert the("EXPOSE", image) == f"{defaults.http.port}/tcp {defaults.sip.port}/udp"
    first, last = defaults.media.ports
    assert f"{first}-{last}/udp" in FILE.read_text()


def test_it_is_stopped_as_the_server_expects(image):
    assert the("STOPSIGNAL", image) == "SIGTERM"
    assert json.loads(the("ENTRYPOINT", image)) == ["callwright"]
    commands = {one.name or one.callback.__name__ for one in app.registered_commands}
    assert {*json.loads(the("CMD", image)), "health"} <= commands


@pytest.mark.parametrize(("status", "healthy"), [(0, True), (LACKING, True), (SILENT, False), (127, False), (137, False)])
def test_only_silence_makes_it_unhealthy(image, tmp_path, status, healthy):
    """Something that restarts what is unhealthy must not end the calls of a server that drains or waits for its disk."""
    program = tmp_path / "callwright"
    program.write_text(f'#!/bin/sh\n[ "$*" = health ] || exit 99\nexit {status}\n')
    program.chmod(0o755)
    check = the("HEALTHCHECK", image).partition("CMD ")[2]
    done = subprocess.run(["/bin/sh", "-c", check], env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, timeout=300, check=False)
    assert done.returncode == (0 if healthy else 1)


def test_no_other_host_is_named():
    assert re.findall(r"[\w-]+\.(?:io|com|org|dev|net)\b", FILE.read_text()) == []


def built(build, folder):
    """The wheel, by the build stage's own command."""
    source, target = folder / "source", folder / "dist"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    words = shlex.split(the("RUN", build).replace("/dist", str(target)))
    assert words[:2] == ["pip", "wheel"]
    subprocess.run([sys.executable, "-m", *words], cwd=source, check=True, capture_output=True, timeout=300)
    (wheel,) = target.iterdir()
    return wheel


def serves(program, data):
    """The image's command and its check of health, in a data folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CALLWRIGHT_", "PYTHON"))}
    environment |= {"CALLWRIGHT_DATA": str(data), "CALLWRIGHT_HTTP__PORT": "0", "CALLWRIGHT_SIP__PORT": "0"}
    environment["CALLWRIGHT_MEDIA__PORTS"] = "19000,19999"

    def health():
        done = subprocess.run([program, "health"], env=environment, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout.splitlines()[0]

    assert health() == (2, "unhealthy")
    server = subprocess.Popen(
        [program, "serve"], env=environment, cwd=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until(health, lambda seen: seen == (0, "ok"), within=300, what="that the container is healthy")
        server.terminate()
        out, err = server.communicate(timeout=300)
    finally:
        server.kill()
    assert server.returncode == 0, err
    assert "is ready." in out
    assert health() == (2, "unhealthy")
    done = subprocess.run([program, "doctor", "--json"], env=environment, capture_output=True, timeout=300, check=False)
    found = {finding["check"]: finding["level"] for finding in json.loads(done.stdout)["findings"]}
    mine = ("database.", "records.", "versions.", "files.", "server.")
    assert {check: level for check, level in found.items() if check.startswith(mine) and level != "ok"} == {}
    assert {"database.integrity", "versions.packages"} <= found.keys()


@pytest.fixture(scope="module")
def wheel(build, tmp_path_factory):
    return built(build, tmp_path_factory.mktemp("build"))


def test_the_wheel_serves_from_a_place_of_its_own(wheel, tmp_path):
    """Installed apart from the source; what it needs besides comes from here, to spare the time."""
    place = tmp_path / "venv"
    venv.create(place, symlinks=True)
    here = site.getsitepackages()[0]
    python = place / "bin" / "python"
    words = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    (packages,) = (place / "lib").glob("python*/site-packages")
    dependencies = tmp_path / "dependencies"
    dependencies.mkdir()
    for one in Path(here).iterdir():
        if "callwright" not in one.name and one.suffix != ".pth":
            (dependencies / one.name).symlink_to(one)
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    serves(place / "bin" / "callwright", data)


@pytest.mark.long
def test_the_image_s_own_steps(wheel, image, tmp_path):
    place = tmp_path / "venv"
    venv.create(place, with_pip=True, symlinks=True)
    (install,) = [rest for name, rest in image if name == "RUN" and "pip install" in rest]
    words = shlex.split(install.partition("&&")[0].replace("/dist/*.whl", str(wheel)))
    subprocess.run([place / "bin" / "python", "-m", *words], check=True, capture_output=True, timeout=600)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    serves(place / "bin" / "callwright", data)

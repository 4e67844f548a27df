"""Builds the wheel: maturin's work, and beside it the launcher that isolated tools are started by.

`SEAWALL_PYTHON_PROFILE` names the cargo profile, `release` without it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import maturin
from maturin import *  # noqa: F403  The hooks that need no launcher are maturin's own.

HERE = Path(__file__).resolve().parents[1]
SCRIPTS = HERE / "seawall.data" / "scripts"
# Also for the metadata alone maturin wants the folder to be there.
SCRIPTS.mkdir(parents=True, exist_ok=True)
PROFILE = os.environ.get("SEAWALL_PYTHON_PROFILE", "release")


def _build_launcher() -> None:
    cargo = ["cargo", "build", "--locked", "-p", "seawall-sandbox", "--bin", "seawall-sandbox", "--profile", PROFILE]
    subprocess.run(cargo, cwd=HERE, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    folder = "debug" if PROFILE == "dev" else PROFILE
    shutil.copy2(target / folder / "seawall-sandbox", SCRIPTS / "seawall-sandbox")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _build_launcher()
    settings = {**(config_settings or {})}
    settings.setdefault("build-args", f"--profile {PROFILE} --locked")
    return maturin.build_wheel(wheel_directory, settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    _build_launcher()
    settings = {**(config_settings or {})}
    settings.setdefault("build-args", f"--profile {PROFILE} --locked")
    return maturin.build_editable(wheel_directory, settings, metadata_directory)

"""`.venv`: its wanted and present state, and the installation of the difference."""
# ruff: noqa: INP001 - run as a folder, never imported

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from native_wheel import find_wheel, source_key, wheel_folder
from reporting import SetupError, report, run

ALTERNATIVE = "or use containers: docker compose up --build --wait"
BEGUN = "begun"
"""In place of a stamp: an installation that may have been interrupted."""


class Environment:
    """The virtual environment of one checkout."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / ".venv"
        self._stamps = self._folder / "logos-stamps.json"
        self._again = False
        """Whether the current step was interrupted in an earlier run."""

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self._folder / "bin" / "python"

    def is_ours(self) -> bool:
        """Returns whether its interpreter runs this process."""
        return Path(sys.prefix) == self._folder

    def missing(self, *, developer: bool, native: bool) -> list[str]:
        """Returns the steps that are needed before a command can run, in order.

        Raises:
            SetupError: It was made with another Python than that of LOGOS_PYTHON.
        """
        self._refuse_other_python()
        held = self._held()
        wanted = ["packages", *(["developer"] if developer else []), "workspace"]
        if native:
            wanted.append("native")
        if not self.python.exists():
            held = {}
        return [name for name in wanted if held.get(name) != self._stamp(name)]

    def prepare(self, needs: list[str]) -> None:
        """Does the steps of `missing`; writes the stamp of each as soon as it succeeds.

        Raises:
            SetupError: A tool is missing, or one failed.
        """
        if not self.python.exists():
            self._create()
        steps = {
            "packages": lambda: self._install("requirements.lock", "requirements-build.lock"),
            "developer": lambda: self._install("requirements-dev.lock"),
            "workspace": self._install_workspace,
            "native": self._install_native,
        }
        for name in needs:
            self._again = self._held().get(name) == BEGUN
            self._note(name, BEGUN)
            steps[name]()
            self._note(name, self._stamp(name))

    def _note(self, name: str, stamp: str) -> None:
        held = self._held() | {name: stamp}
        self._stamps.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")

    def refuse_others(self) -> None:
        """Refuses an environment that must be changed but is not writable.

        Raises:
            SetupError: It belongs to another user, or is not writable.
        """
        if self._folder.exists() and not os.access(self._folder, os.W_OK | os.X_OK):
            raise SetupError(
                f"{self._folder} is out of date, and you have no write permission.\n"
                f"  Let its owner run ./logos, use a checkout of your own, {ALTERNATIVE}"
            )

    def _refuse_other_python(self) -> None:
        """An explicit LOGOS_PYTHON is used or refused, never ignored."""
        chosen = os.environ.get("LOGOS_PYTHON")
        if not chosen or not self.python.exists():
            return
        config = self._folder / "pyvenv.cfg"
        text = config.read_text(encoding="utf-8", errors="replace") if config.exists() else ""
        made = re.search(r"^version = (\d+\.\d+)", text, re.MULTILINE)
        ours = f"{sys.version_info.major}.{sys.version_info.minor}"
        if made is not None and made[1] != ours:
            raise SetupError(
                f".venv was made with Python {made[1]}, but LOGOS_PYTHON is {chosen},"
                f" of version {ours}.\n  Remove .venv to make it again, or unset LOGOS_PYTHON"
            )

    def _held(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._stamps.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _stamp(self, name: str) -> str:
        """Returns the stamp of a step for the present sources."""
        if name == "native":
            return source_key(self._root)
        files = {
            "packages": [
                self._root / "requirements.lock",
                self._root / "requirements-build.lock",
            ],
            "developer": [self._root / "requirements-dev.lock"],
            "workspace": [member / "pyproject.toml" for member in self._members()],
        }[name]
        digest = hashlib.sha256(os.fsencode(self._folder))
        for file in files:
            digest.update(file.read_bytes() if file.exists() else b"")
        return digest.hexdigest()[:16]

    def _create(self) -> None:
        report(f"making .venv with Python {sys.version.split()[0]}")
        made = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(self._folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise SetupError(
                "Python cannot make a virtual environment.\n"
                f"  Install its venv module (Debian: apt install python3-venv), {ALTERNATIVE}\n"
                f"{made.stdout}{made.stderr}"
            )

    def _install(self, *locks: str) -> None:
        count = sum(
            line.count("==")
            for lock in locks
            for line in (self._root / lock).read_text(encoding="utf-8").splitlines()
            if not line.startswith(" ")
        )
        files = [word for lock in locks for word in ("--requirement", lock)]
        # pip takes a package whose installation was interrupted for installed.
        again = ["--force-reinstall"] if self._again else []
        run(
            [
                str(self.python), "-m", "pip", "install", "--require-hashes",
                "--disable-pip-version-check", "--progress-bar", "off", *again, *files,
            ],
            label=f"installing {count} packages of {' and '.join(locks)}",
            counted=r"^(?:Collecting|Requirement already satisfied:) (\S+?)==",
            folder=self._root,
        )  # fmt: skip

    def _members(self) -> list[Path]:
        document = tomllib.loads((self._root / "pyproject.toml").read_text(encoding="utf-8"))
        patterns = document["tool"]["uv"]["workspace"]["members"]
        folders = [folder for pattern in patterns for folder in sorted(self._root.glob(pattern))]
        return [folder for folder in folders if (folder / "pyproject.toml").is_file()]

    def _install_workspace(self) -> None:
        editables = [word for member in self._members() for word in ("--editable", str(member))]
        run(
            [
                str(self._folder / "bin" / "uv"), "pip", "install", "--python", str(self.python),
                "--no-deps", "--no-build-isolation", "--offline", "--no-config", *editables,
            ],
            label="installing the workspace",
            counted=r"^\s*\+ (\S+)==",
            folder=self._root,
            variables={**os.environ, "PATH": _path(self._folder / "bin")},
        )  # fmt: skip
        self.make_relative()

    def make_relative(self) -> None:
        """Makes the paths of the sources relative to site-packages.

        Python reads these files in the locale's encoding: under LC_ALL=C it would not start
        at all if the checkout's path is not ASCII.
        """
        for file in self._folder.glob("lib/python*/site-packages/_editable_impl_logos_*.pth"):
            lines = file.read_bytes().splitlines()
            folder = os.fsencode(file.parent)
            file.write_bytes(b"".join(os.path.relpath(line, folder) + b"\n" for line in lines))

    def _install_native(self) -> None:
        key = source_key(self._root)
        wheel = find_wheel(self._root, key) or self._build_native(key)
        run(
            [
                str(self.python), "-m", "pip", "install", "--no-deps", "--no-index",
                "--force-reinstall", "--disable-pip-version-check", str(wheel),
            ],
            label=f"installing {wheel.name}",
            counted=r"^Installing collected packages: (\S+)",
            folder=self._root,
        )  # fmt: skip

    def _build_native(self, key: str) -> Path:
        """Builds in a temporary folder and renames it, so that no partial build is used."""
        path = os.pathsep.join(
            [_path(self._folder / "bin"), os.path.expanduser("~/.cargo/bin")]  # noqa: PTH111 - never fails
        )
        self._refuse_old_tools(path)
        crates = (self._root / "native" / "Cargo.lock").read_text(encoding="utf-8")
        folder = wheel_folder(self._root, key)
        partial = folder.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        run(
            [
                str(self._folder / "bin" / "maturin"), "build", "--release", "--locked",
                "--manifest-path", "native/crates/python/Cargo.toml",
                "--interpreter", str(self.python), "--out", str(partial),
            ],
            label=(
                "building the native core, once for these sources of native/: about"
                f" {crates.count('[[package]]')} crates, some minutes"
            ),
            counted=r"^\s*Compiling (\S+ v\S+)",
            folder=self._root,
            variables={
                **os.environ,
                "PATH": path,
                "CARGO_TERM_COLOR": "never",
                "CARGO_TERM_PROGRESS_WHEN": "never",
            },
        )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
        wheel = find_wheel(self._root, key)
        if wheel is None:
            raise SetupError(
                f"maturin made no wheel for this machine in {folder}; please report it"
            )
        return wheel

    def _refuse_old_tools(self, path: str) -> None:
        cargo = shutil.which("cargo", path=path)
        advice = f"Install Rust by rustup (https://rustup.rs), {ALTERNATIVE}"
        if cargo is None:
            raise SetupError(f"cargo is not installed, and the native core is Rust.\n  {advice}")
        if not any(shutil.which(name, path=path) for name in ("cc", "gcc", "clang")):
            raise SetupError(
                "no C compiler is installed; Rust needs it to link.\n"
                f"  Install one (Debian: apt install gcc libc6-dev), {ALTERNATIVE}"
            )
        manifest = tomllib.loads((self._root / "native" / "Cargo.toml").read_text(encoding="utf-8"))
        wanted = str(manifest["workspace"]["package"]["rust-version"])
        answer = subprocess.run([cargo, "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"(\d+)\.(\d+)", answer.stdout)
        if found is None or (int(found[1]), int(found[2])) < _version(wanted):
            raise SetupError(
                f"{answer.stdout.strip() or 'cargo'} is older than Rust {wanted}.\n  {advice}"
            )


def _path(first: Path) -> str:
    return f"{first}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)

"""Writes the stubs anew from proto/: those for Python always, those for Go and TypeScript with --peers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
PYTHON_STUBS = Path("proto/gen")
PEER_STUBS = (Path("clients/go/usher"), Path("clients/typescript/src/gen"))

# The oldest generator whose stubs gateways with older pins can import; newer ones refuse older runtimes.
GRPC_TOOLS = "grpcio-tools==1.78.0"


def run(command: Sequence[str | Path], folder: Path = ROOT) -> None:
    """Runs a command; ends the program with its output when it fails."""
    done = subprocess.run([str(each) for each in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(str(each) for each in command)}\n{done.stdout}{done.stderr}")


def venv_with(name: str, *packages: str) -> Path:
    """The Python of a virtual environment of its own, made on demand, with exactly these packages asked for."""
    home = ROOT / name
    stamp = home / ".made"
    wanted = "\n".join(packages)
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(home, with_pip=True, clear=True)
        run([home / "bin" / "pip", "install", "--disable-pip-version-check", "--quiet", *packages])
        stamp.write_text(wanted)
    return home / "bin" / "python"


def python_stubs(root: Path) -> None:
    """Writes the Python stubs below that root."""
    out = root / PYTHON_STUBS
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    targets = [f"--{kind}={out}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
    files = sorted(PROTO.glob("usher/**/*.proto"))
    run([venv_with(".venv-stubs", GRPC_TOOLS), "-m", "grpc_tools.protoc", f"--proto_path={PROTO}", *targets, *files])
    (out / "usher" / "py.typed").touch()  # PEP 561: type checkers may believe the stubs


def peer_stubs(root: Path) -> None:
    """Writes the Go and TypeScript stubs below that root, by plugins that tools/go.mod and package.json there pin."""
    for tool in ("go", "npm"):
        if shutil.which(tool) is None:
            raise SystemExit(f"the stubs of other languages need {tool}")
    typescript = ROOT / "clients" / "typescript"
    if not (typescript / "node_modules" / ".bin" / "protoc-gen-es").is_file():
        run(["npm", "ci", "--no-progress"], typescript)
    for stubs in PEER_STUBS:
        shutil.rmtree(root / stubs, ignore_errors=True)
    run([Path(sys.executable).parent / "buf", "generate", "--output", root])


def main() -> int:
    """Writes the stubs."""
    python_stubs(ROOT)
    if "--peers" in sys.argv[1:]:
        peer_stubs(ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())

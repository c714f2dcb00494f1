"""The image of the service with a model in it, or, where there is no Docker Engine, a bundle of the same files.

Both are addressed by the digest of their content, `<name>@sha256:<64 hex digits>`; for an image that is its id.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from deployment.outcomes import ReleaseError

REPOSITORY = Path(__file__).resolve().parent.parent
SERVICE = REPOSITORY / "service"
SERVICE_LOCK = "requirements/service.txt"
FRAMES_LOCK = "requirements/frames.txt"  # pandas, in the image of a model that takes data frames and in no other
MODEL_FILES = ("model.joblib", "metadata.json", "golden_requests.json")
CODE_FOLDER = "code"  # in it are the modules that a model brings along, each named in its metadata
LOCAL_BASE_IMAGE = "byoc-base:trixie"  # scripts/base-image.sh makes it
CA_BUNDLE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
ENGINE_TIMEOUT_S = 10
LAST_LINES = 15
MODIFIED_S = 315532800  # 1980-01-01, as in the Dockerfile
BUNDLE: dict[str, Any] = {
    "command": ["python", "-m", "service", "--port", "{azmlinfsrv_port}"],
    "env": {
        "API_SERVER_PORT": "{scoring_port}",
        "PYTHONDONTWRITEBYTECODE": "1",  # a bundle stays what its digest says
    },
}


class ImageError(ReleaseError):
    """There is no image to deploy; nothing has been touched."""


def engine_answers() -> bool:
    """Say whether a Docker Engine answers any client on PATH."""
    return any(
        _output([client, "version", "--format", "{{.Server.Version}}"]) is not None for client in docker_clients()
    )


def choose_base_image(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return $BASE_IMAGE, else the one that scripts/base-image.sh made here, else None: the Dockerfile's default."""
    if environ.get("BASE_IMAGE"):
        return environ["BASE_IMAGE"]
    made_here = any(_output([client, "image", "inspect", LOCAL_BASE_IMAGE]) is not None for client in docker_clients())
    return LOCAL_BASE_IMAGE if made_here else None


def choose_ca_bundle(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the CA bundle that this machine's environment names for downloads; None where it names none."""
    named = [Path(environ[variable]) for variable in CA_BUNDLE_VARIABLES if environ.get(variable)]
    return next((path for path in named if path.is_file()), None)


def build_image(
    *,
    model_dir: Path,
    name: str,
    base_image: str | None = None,
    ca_bundle: Path | None = None,
    revision: str = "unknown",
    source: str = "unknown",
    cached: bool = True,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Build service/Dockerfile with the model and return `name@sha256:<image id>`; also tags it `name:<model version>`.

    `on_line` gets the client used, each line of the build, and the image's size. `ca_bundle` defaults to
    choose_ca_bundle(); `source` is the address of this repository. Not `cached`, every step is done anew. Raises
    ImageError with the build's last lines.
    """
    report = on_line or (lambda _: None)
    client = choose_building_client()
    report(f"building with {client}")
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        context, image_id_file = Path(folder, "context"), Path(folder, "image-id")
        lay_out(context, model_dir)
        (context / "requirements").mkdir()
        for lock in (SERVICE_LOCK, FRAMES_LOCK):
            shutil.copyfile(REPOSITORY / lock, context / lock)
        metadata = json.loads((context / "model" / "metadata.json").read_text(encoding="utf-8"))
        arguments = {
            "MODEL_DIR": "model",
            "MODEL_NAME": str(metadata["name"]),
            "MODEL_VERSION": str(metadata["version"]),
            "REVISION": revision,
            "SOURCE": source,
            "REQUIREMENTS": " ".join(choose_locks(metadata)),
            **({"BASE_IMAGE": base_image} if base_image else {}),
        }
        command = [client, "build", "--progress=plain", "--file", str(SERVICE / "Dockerfile")]
        command += ["--iidfile", str(image_id_file), "--tag", f"{name}:{metadata['version']}"]
        command += [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
        bundle = ca_bundle or choose_ca_bundle()
        command += ["--secret", f"id=ca_bundle,src={bundle}"] if bundle else []
        command += [] if cached else ["--no-cache"]
        _run_build([*command, str(context)], report)
        image_id = known_id(client, image_id_file.read_text(encoding="ascii").strip(), f"{name}:{metadata['version']}")
        report(f"{name}:{metadata['version']} has {image_size_mb(client, image_id):.0f} MB")
        return f"{name}@{image_id}"


def choose_locks(metadata: Mapping[str, Any]) -> list[str]:
    """Return the locks that a model's image is installed from, by what its metadata says it takes."""
    return [SERVICE_LOCK, *([FRAMES_LOCK] if metadata.get("input") == "data_frame" else [])]


def known_id(client: str, built_id: str, tag: str) -> str:
    """Return the id by which the engine knows what it has just built under a tag.

    With containerd's image store that is the manifest's digest, and --iidfile may have the configuration's
    (https://github.com/docker/buildx/pull/3952).
    """
    if _output([client, "image", "inspect", built_id]) is not None:
        return built_id
    return (_output([client, "image", "inspect", "--format", "{{.Id}}", tag]) or built_id).strip()


def image_size_mb(client: str, image_id: str) -> float:
    """Return an image's size, that of its base image included; raises ImageError where the engine does not say."""
    size = _output([client, "image", "inspect", "--format", "{{.Size}}", image_id])
    if size is None:
        raise ImageError(f"image: {client} built {image_id} and does not know it; is another Docker Engine in the way?")
    return int(size) / 1e6


def choose_source(environ: Mapping[str, str] = os.environ) -> str:
    """Return this repository's address on GitHub, as a workflow's environment names it; `unknown` elsewhere."""
    server, repository = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    return f"{server}/{repository}" if server and repository else "unknown"


def build_bundle(*, model_dir: Path, bundles_dir: Path, name: str) -> str:
    """Copy the service and the model to `<bundles_dir>/<64 hex digits>/` and return `name@sha256:<the digits>`.

    The same input gives the same digest, and a bundle that is there already is left as it is.
    """
    bundles_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=bundles_dir) as folder:
        bundle = Path(folder, "bundle")
        lay_out(bundle, model_dir)
        (bundle / "bundle.json").write_text(json.dumps(BUNDLE, indent=2) + "\n", encoding="utf-8")
        digest = content_digest(bundle)
        if not (bundles_dir / digest).exists():
            bundle.rename(bundles_dir / digest)
    return f"{name}@sha256:{digest}"


def lay_out(root: Path, model_dir: Path) -> None:
    """Make `root` an application root: service/ as it runs, and model/ with the files of a trained model.

    Files get the same modes and dates everywhere. Raises ImageError where the model is incomplete.
    """
    code_files = code_files_of(model_dir / "metadata.json")
    missing = [file for file in (*MODEL_FILES, *code_files) if not (model_dir / file).is_file()]
    if missing:
        raise ImageError(
            f"image: {model_dir} has no {', '.join(missing)}; train the model: python -m model train --help"
        )
    sources = [path for path in SERVICE.rglob("*") if path.suffix == ".py" or path.name == "logging.json"]
    files = {root / "service" / path.relative_to(SERVICE): path for path in sources}
    files |= {root / "model" / file: model_dir / file for file in (*MODEL_FILES, *code_files)}
    for target, source in files.items():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)
        os.utime(target, (MODIFIED_S, MODIFIED_S))


def code_files_of(metadata_file: Path) -> list[str]:
    """Return the modules that a model brings along, by their path in its folder; raises ImageError for others."""
    if not metadata_file.is_file():
        return []
    metadata = json.loads(metadata_file.read_text(encoding="utf-8"))
    names = [PurePosixPath(CODE_FOLDER, name) for name in metadata.get("code_files", {})]
    for name in names:
        if name.parts[0] != CODE_FOLDER or ".." in name.parts:
            raise ImageError(f"image: {metadata_file} names {name} in code_files; train the model again")
    return list(map(str, names))


def content_digest(folder: Path) -> str:
    """Return the sha256, in hex, over the names and the contents of all files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def docker_clients(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return each `docker` on PATH, once."""
    folders = environ.get("PATH", "").split(os.pathsep)
    found = [client for folder in folders if folder and (client := shutil.which("docker", path=folder))]
    return list({os.path.realpath(client): client for client in reversed(found)}.values())[::-1]


def choose_building_client() -> str:
    """Return the first client on PATH with BuildKit in it; raises ImageError that says why each other has not."""
    clients = docker_clients()
    for client in clients:
        # BuildKit alone has secrets; clients that need the buildx component for it, and lack it, offer none.
        if "--secret" in (_output([client, "build", "--help"]) or ""):
            return client
    reasons = "; ".join(f"{client} has no BuildKit (install docker-buildx for it)" for client in clients)
    raise ImageError(f"image: no docker client here can build ({reasons or 'none is on PATH'})")


def _run_build(command: list[str], on_line: Callable[[str], None]) -> None:
    last_lines: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        command,
        # Without attestations of its own in it: what is pushed is then one manifest, and its digest that of the image.
        env={**os.environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as build:
        try:
            for line in build.stdout or ():
                last_lines.append(line)
                on_line(line.rstrip())
        except BaseException:
            build.kill()
            raise
    if build.returncode != 0:
        raise ImageError(
            f"image: docker build ended with exit code {build.returncode}; its last lines:\n{''.join(last_lines)}"
            "Where it could not fetch: BASE_IMAGE names another base image (scripts/base-image.sh makes one), and "
            "SSL_CERT_FILE the CA bundle of a proxy."
        )


def _output(command: list[str]) -> str | None:
    environ = {**os.environ, "DOCKER_BUILDKIT": "1"}
    try:
        done = subprocess.run(
            command, check=False, env=environ, capture_output=True, text=True, timeout=ENGINE_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None

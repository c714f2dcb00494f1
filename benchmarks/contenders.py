"""Who is measured: ours, its peers, and the limit; how each is started, asked, and read."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import dialects
from benchmarks.dialects import Dialect
from benchmarks.environments import BENCH, IMAGE, REPOSITORY, environment_of, versions_in
from benchmarks.models import TrainedModel
from benchmarks.ports import free_ports
from benchmarks.server import Launch, Server
from deployment.image import BUNDLE

PEER_CODE = Path(__file__).with_name("peers")
RUNS = BENCH / "runs"
RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Site:
    """Where a launch happens: the environment's programs, the model, a folder to work in, and two free ports."""

    programs: Path
    model: TrainedModel
    folder: Path
    port: int
    other_port: int

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AZUREML_MODEL_DIR": str(self.model.folder),
            "AZUREML_MODEL_PATH": str(self.model.path),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
        }


@dataclass(frozen=True)
class Contender:
    """One row of the table; `lock` names its environment, None is that of this process.

    A contender that `predicts` is asked before it is timed, and must answer what model.predict does.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    dialect: Dialect
    launch: Callable[[Site], Launch]
    lock: str | None = None
    predicts: bool = True

    def server(self, model: TrainedModel, core: int | None = None) -> Server:
        """Return its server, not started; makes the environment where there is none."""
        folder = RUNS / f"{self.name}-{model.name}"
        folder.mkdir(parents=True, exist_ok=True)
        port, other_port = free_ports(2)
        site = Site(environment_of(self.lock), model, folder, port, other_port)
        return Server(self.launch(site), folder, core)

    def versions(self) -> dict[str, str]:
        return versions_in(environment_of(self.lock), self.packages)


def launch_ours(site: Site, *, exact_predictors: bool = True) -> Launch:
    """Start the container's own command: azmlinfsrv, which calls score.init(), which starts uvicorn."""

    def fill(text: str) -> str:
        ports = {"{scoring_port}": str(site.port), "{azmlinfsrv_port}": str(site.other_port)}
        for placeholder, port in ports.items():
            text = text.replace(placeholder, port)
        return text

    variables = {name: fill(value) for name, value in BUNDLE["env"].items()}
    del variables["PYTHONDONTWRITEBYTECODE"]  # an image has compiled files; here the first start writes them
    return Launch(
        [fill(part) for part in BUNDLE["command"]],
        site.port,
        site.programs,
        {
            "AZUREML_MODEL_DIR": str(site.model.folder),
            "PYTHONPATH": str(REPOSITORY),
            "EXACT_PREDICTORS": "on" if exact_predictors else "off",
            "METRICS_PORT": str(free_ports(1)[0]),
            **variables,
        },
    )


def _launch_ours_by_model_predict(site: Site) -> Launch:
    return launch_ours(site, exact_predictors=False)


def _launch_uvicorn(module: str) -> Callable[[Site], Launch]:
    def launch(site: Site) -> Launch:
        command = ["uvicorn", f"benchmarks.peers.{module}:app", "--port", str(site.port)]
        return Launch(command, site.port, site.programs, site.variables)

    return launch


def _launch_limit(site: Site) -> Launch:
    command = ["uvicorn", "benchmarks.peers.raw_asgi:app", "--port", str(site.port), "--no-access-log"]
    return Launch(command, site.port, site.programs, site.variables)


def _launch_azmlinfsrv(site: Site) -> Launch:
    script = str(PEER_CODE / "azmlinfsrv_score.py")
    command = ["azmlinfsrv", "--entry_script", script, "--port", str(site.port), "--worker_count", "1"]
    variables = {**site.variables, "GUNICORN_CMD_ARGS": f"--config={PEER_CODE / 'loopback_gunicorn.py'}"}
    return Launch(command, site.port, site.programs, variables)


def _launch_mlserver(site: Site) -> Launch:
    model = {
        "name": "bench",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(site.model.path)},
    }
    ports = free_ports(2)
    settings = {
        "host": "127.0.0.1",
        "http_port": site.port,
        "grpc_port": ports[0],
        "metrics_port": ports[1],
        "parallel_workers": 0,
    }
    (site.folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    (site.folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return Launch(["mlserver", "start", "."], site.port, site.programs, ready_path="/v2/models/bench/ready")


def _launch_script(name: str, ready_path: str) -> Callable[[Site], Launch]:
    def launch(site: Site) -> Launch:
        command = ["python", str(PEER_CODE / name), str(site.model.path), str(site.port)]
        return Launch(command, site.port, site.programs, ready_path=ready_path)

    return launch


def _launch_bentoml(site: Site) -> Launch:
    command = ["bentoml", "serve", "bentoml_service:Scorer", "--host", "127.0.0.1", "--port", str(site.port)]
    variables = {**site.variables, "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(site.folder)}
    return Launch(command, site.port, site.programs, variables, ready_path="/readyz", cwd=PEER_CODE)


def _launch_mlflow(site: Site) -> Launch:
    # The model's folder is written first; `exec` makes mlflow the process that was started.
    write = f'python "{PEER_CODE / "mlflow_model.py"}" "{site.model.path}" "{site.folder / "model"}"'
    serve = (
        f'exec mlflow models serve --env-manager local -m "{site.folder / "model"}" -h 127.0.0.1 -p {site.port} -w 1'
    )
    variables = {"GIT_PYTHON_REFRESH": "quiet", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return Launch(["bash", "-c", f"{write} && {serve}"], site.port, site.programs, variables, ready_path="/ping")


OURS = Contender("ours", "this service", ("uvicorn", "fastapi", "scikit-learn"), dialects.AZURE, launch_ours, IMAGE)
OURS_BY_MODEL_PREDICT = Contender(
    "ours-model-predict",
    "this service, model.predict alone",
    OURS.packages,
    dialects.AZURE,
    _launch_ours_by_model_predict,
    IMAGE,
)
PLAIN = Contender(
    "plain-fastapi",
    "plain FastAPI",
    ("fastapi", "uvicorn", "pydantic", "scikit-learn"),
    dialects.AZURE,
    _launch_uvicorn("plain_fastapi"),
    IMAGE,
)
AZMLINFSRV = Contender(
    "azmlinfsrv",
    "azureml-inference-server-http",
    ("azureml-inference-server-http", "scikit-learn"),
    dialects.AZURE,
    _launch_azmlinfsrv,
    IMAGE,
)
LIMIT = Contender(
    "raw-uvicorn", "limit: raw uvicorn, a constant", ("uvicorn",), dialects.AZURE, _launch_limit, IMAGE, predicts=False
)
MORE_PEERS = (
    Contender("mlserver", "MLServer", ("mlserver",), dialects.OPEN_INFERENCE, _launch_mlserver, "mlserver"),
    Contender("kserve", "KServe", ("kserve",), dialects.KSERVE, _launch_script("kserve_server.py", "/"), "kserve"),
    Contender("bentoml", "BentoML", ("bentoml",), dialects.BENTOML, _launch_bentoml, "bentoml"),
    Contender(
        "litserve",
        "LitServe",
        ("litserve",),
        dialects.LITSERVE,
        _launch_script("litserve_server.py", "/health"),
        "litserve",
    ),
    Contender("mlflow", "mlflow models serve", ("mlflow",), dialects.MLFLOW, _launch_mlflow, "mlflow"),
)

"""The model and the code of a deployment, brought from the workspace's storage into folders that instances mount."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from threading import Lock
from urllib.parse import unquote, urlsplit

from deployment.emulator.assets import Assets
from deployment.emulator.blobs import Blob, Blobs
from deployment.emulator.entities import Deployment, Files
from deployment.emulator.errors import BadRequestError, ModelDownloadError, NotEmulatedError

DATASTORE = "workspaceblobstore"
# What the SDK makes of the account's name is `https://<account name>.blob.<suffix>`: the account is a path here.
STORAGE_ROOT = "store.blob.core.localazureml"
DATASTORE_URI = re.compile(
    r"azureml://(?:subscriptions/[^/]+/resourcegroups/[^/]+/(?:providers/[^/]+/)?workspaces/[^/]+/)?"
    r"datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)",
    re.IGNORECASE,
)
VERSION_ID = re.compile(r".*/(?P<kind>models|codes)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)")
MODEL_ROOT = PurePosixPath("/var/azureml-app/azureml-models")


class Downloads:
    """Copies files once for each version; the copies stay in the state folder.

    fetch() may be called in several threads at once.
    """

    def __init__(
        self, folder: Path, blobs: Blobs, models: Assets[Files], codes: Assets[Files], default_container: str
    ) -> None:
        self._folder = folder
        self._blobs = blobs
        self._models = models
        self._codes = codes
        self._default_container = default_container
        self._lock = Lock()
        for unfinished in folder.glob("*/*/partial-*"):
            shutil.rmtree(unfinished, ignore_errors=True)

    def check(self, deployment: Deployment) -> None:
        """Raise NotFoundError unless the model and the code exist, NotEmulatedError when they are stored elsewhere."""
        for kind, assets, arm_id in (
            ("models", self._models, deployment.model_id),
            ("codes", self._codes, deployment.code_id),
        ):
            asset = self._asset(assets, kind, arm_id)
            if asset is not None:
                self._place(asset.uri)

    def fetch(self, deployment: Deployment) -> Deployment:
        """Answer the deployment with the folders of its model and its code; raises ModelDownloadError."""
        with self._lock:
            return self._fetch(deployment)

    def _fetch(self, deployment: Deployment) -> Deployment:
        model = self._asset(self._models, "models", deployment.model_id)
        if model is not None:
            folder = self._download(model, "model")
            root = PurePosixPath(deployment.model_mount_path or MODEL_ROOT)
            deployment = replace(deployment, model_dir=folder, model_mount=root / model.name / model.version)
        code = self._asset(self._codes, "codes", deployment.code_id)
        if code is not None:
            folder = self._download(code, "code") / self._place(code.uri)[1].rpartition("/")[2]
            if not (folder / (deployment.entry_script or "")).is_file():
                raise ModelDownloadError("code", f"it has no scoring script '{deployment.entry_script}'")
            deployment = replace(deployment, code_dir=folder)
        return deployment

    def log(self, deployment: Deployment) -> str:
        """Answer what was downloaded for the deployment, a line for each file."""
        lines = []
        for what, arm_id, folder in (
            ("model", deployment.model_id, deployment.model_dir),
            ("code", deployment.code_id, deployment.code_dir),
        ):
            files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
            lines += [f"Downloading {what} {arm_id}"] if folder else []
            lines += [f"Downloaded {path.relative_to(folder or path)} ({path.stat().st_size} bytes)" for path in files]
        return "".join(f"{line}\n" for line in lines)

    def _asset(self, assets: Assets[Files], kind: str, arm_id: str | None) -> Files | None:
        if arm_id is None:
            return None
        match = VERSION_ID.fullmatch(arm_id)
        if match is None or match["kind"] != kind:
            raise BadRequestError(f"deployment: '{arm_id}' is not the ARM id of a version under {kind}")
        return assets.get(match["name"], match["version"])

    def _download(self, asset: Files, what: str) -> Path:
        target = self._folder / what / asset.name / asset.version
        if target.is_dir():
            return target
        container, path = self._place(asset.uri)
        files = self._files(container, path)
        if not files:
            raise ModelDownloadError(what, f"there is nothing at {asset.uri}")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Complete or not at all: a folder that is there is never filled again.
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=target.parent))
        try:
            for name, blob in files.items():
                place = partial / name
                if ".." in name.parts or name.is_absolute():
                    raise ModelDownloadError(what, f"a file's path leads out of it ({name})")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._blobs.file(blob), place)
            partial.chmod(0o755)  # an image's user is not the emulator's
            partial.rename(target)
        except OSError as error:
            raise ModelDownloadError(what, f"{asset.uri} cannot be stored as files ({error.strerror})") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return target

    def _files(self, container: str, path: str) -> Mapping[PurePosixPath, Blob]:
        """Answer the blobs at and under a path, by a name that begins with the last part of that path."""
        return {
            PurePosixPath(blob.path[len(path.rpartition("/")[0]) :].lstrip("/")): blob
            for blob in self._blobs.all(container, path)
            if not path or blob.path == path or blob.path.startswith(f"{path}/")
        }

    def _place(self, uri: str) -> tuple[str, str]:
        """Answer the container and the path that a URI names."""
        match = DATASTORE_URI.fullmatch(uri)
        if match is not None and match["datastore"] == DATASTORE:
            return self._default_container, match["path"].strip("/")
        root, _, rest = _path_of(uri).partition("/")
        if match is not None or root != STORAGE_ROOT:
            raise NotEmulatedError(f"a model or code at '{uri}', which is not in the datastore '{DATASTORE}',")
        container, _, path = rest.partition("/")
        return container, path.strip("/")


def _path_of(uri: str) -> str:
    try:
        return unquote(urlsplit(uri).path).lstrip("/")
    except ValueError:  # no URI at all, such as one with half of an IPv6 address
        return ""

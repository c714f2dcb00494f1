import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployment.emulator.blobs import Blobs, StorageError
from deployment.emulator.downloads import DATASTORE
from deployment.emulator.entities import Files, OperationStatus, Workspace
from deployment.emulator.errors import BadRequestError, ConflictError, NotEmulatedError, NotFoundError
from deployment.emulator.provisioning import State
from deployment.emulator.quota import cores_taken
from tests.lib.emulator_fakes import EPOCH, WANTED_DEPLOYMENT, WANTED_ENDPOINT, Bench, run

pytestmark = pytest.mark.unit
CONTAINER = Workspace().blob_container
WS = Workspace().arm_id
MODEL_ID = f"{WS}/models/mdl/versions/1"
CODE_ID = f"{WS}/codes/snippet/versions/1"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def files(name: str, uri: str, version: str = "1") -> Files:
    return Files(
        name=name,
        version=version,
        uri=uri,
        kind="custom_model",
        is_anonymous=False,
        is_archived=False,
        tags={},
        properties={},
        description=None,
        created_at=EPOCH,
    )


def in_store(path: str) -> str:
    return f"azureml://datastores/{DATASTORE}/paths/{path}"


async def upload(blobs: Blobs, content: dict[str, str]) -> None:
    for path, text in content.items():
        await blobs.put(CONTAINER, path, chunks(text.encode()), "text/plain", {})


def query(signature: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in signature.split("&"))


def test_a_signature_opens_its_container_alone_and_ends(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        blobs = bench.backend.blobs
        signed = query(blobs.signature("one"))
        blobs.check("one", signed)
        for container, given in (("two", signed), ("one", {}), ("one", {**signed, "se": "99999999999"})):
            with pytest.raises(StorageError) as refused:
                blobs.check(container, given)
            assert refused.value.status == 403
        await bench.clock.wind(8 * 3600)
        with pytest.raises(StorageError):
            blobs.check("one", signed)
        await bench.close()

    run(test())


def test_a_blob_is_made_of_its_blocks_in_the_order_of_the_list(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        blobs = bench.backend.blobs
        for block_id in ("b", "a"):
            await blobs.stage("box", "large", block_id, chunks(block_id.encode(), b"!"))
        with pytest.raises(StorageError) as refused:
            blobs.commit("box", "large", ["a", "c"], "text/plain", {})
        assert refused.value.code == "InvalidBlockList"
        blob = blobs.commit("box", "large", ["a", "b"], "text/plain", {"k": "v"})
        assert (blobs.file(blob).read_bytes(), blob.size, blob.metadata) == (b"a!b!", 4, {"k": "v"})
        assert [path.name for path in (tmp_path / "blobs").iterdir()] == [blob.file]
        await bench.close()

    run(test())


def test_a_blob_that_is_replaced_leaves_no_file_and_is_there_after_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        for text in (b"old", b"new"):
            await bench.backend.blobs.put("box", "../../a", chunks(text), "text/plain", {})
        await bench.close()
        again = Bench(folder=tmp_path)
        (found,) = again.backend.blobs.all("box")
        assert again.backend.blobs.file(found).read_bytes() == b"new"
        assert len(list((tmp_path / "blobs").iterdir())) == 1
        await again.close()

    run(test())


def test_the_model_and_the_code_of_a_deployment_become_folders(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await upload(bench.backend.blobs, {"u/model/weights": "w", "u/model2/other": "o", "c/src/score.py": "s"})
        bench.backend.models.put(files("mdl", in_store("u/model/")))
        bench.backend.codes.put(files("snippet", in_store("c/src")))
        await bench.with_colours()
        wanted = replace(
            WANTED_DEPLOYMENT, model_id=MODEL_ID, model_mount_path="/mnt", code_id=CODE_ID, entry_script="score.py"
        )
        bench.deployments.put(wanted)
        await bench.operations.settle()
        (spec,) = bench.runtime.started
        assert spec.model_dir is not None
        assert spec.code_dir is not None
        assert [str(path.relative_to(spec.model_dir)) for path in spec.model_dir.rglob("*")] == [
            "model",
            "model/weights",
        ]
        assert str(spec.model_mount) == "/mnt/mdl/1"
        assert (spec.code_dir.name, spec.entry_script) == ("src", "score.py")
        log = await bench.deployments.logs("diabetes", "blue", inference_server=False, tail=10)
        assert f"Downloading model {MODEL_ID}\nDownloaded model/weights (1 bytes)\n" in log
        await bench.close()

    run(test())


@pytest.mark.parametrize(
    ("model_uri", "script", "message"),
    [("u/absent", "score.py", "there is nothing at"), ("u/model", "other.py", "no scoring script 'other.py'")],
)
def test_what_cannot_be_downloaded_fails_the_deployment(
    tmp_path: Path, model_uri: str, script: str, message: str
) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await upload(bench.backend.blobs, {"u/model/weights": "w", "c/src/score.py": "s"})
        bench.backend.models.put(files("mdl", in_store(model_uri)))
        bench.backend.codes.put(files("snippet", in_store("c/src")))
        await bench.with_colours()
        wanted = replace(WANTED_DEPLOYMENT, model_id=MODEL_ID, code_id=CODE_ID, entry_script=script)
        _, operation, _ = bench.deployments.put(wanted)
        await bench.operations.settle()
        ended = bench.operations.get(operation.id)
        assert (ended.status, ended.error_code) == (OperationStatus.FAILED, "BadArgument")
        assert message in ended.error_message
        assert bench.deployments.get("diabetes", "blue").state is State.CREATION_FAILED
        assert not bench.runtime.started
        await bench.close()

    run(test())


def test_deployments_made_at_once_share_a_model_that_is_new(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await upload(bench.backend.blobs, {f"u/model/{number}": "x" * 1000 for number in range(200)})
        bench.backend.models.put(files("mdl", in_store("u/model")))
        await bench.with_colours()
        for name in ("blue", "green", "red"):
            bench.deployments.put(replace(WANTED_DEPLOYMENT, name=name, model_id=MODEL_ID))
        await bench.operations.settle()
        assert {each.state for each in bench.deployments.all("diabetes")} == {State.SUCCEEDED}
        await bench.close()

    run(test())


def test_what_a_killed_emulator_had_half_downloaded_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "downloads" / "model" / "mdl" / "partial-1"
    left.mkdir(parents=True)
    asyncio.run(Bench(folder=tmp_path).close())
    assert not left.exists()


def test_a_file_never_leaves_its_folder(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path / "state")
        await bench.backend.blobs.put(CONTAINER, "u/model/../../../../out", chunks(b"x"), "text/plain", {})
        bench.backend.models.put(files("mdl", in_store("u/model")))
        await bench.with_colours()
        _, operation, _ = bench.deployments.put(replace(WANTED_DEPLOYMENT, model_id=MODEL_ID))
        await bench.operations.settle()
        assert "leads out of it" in bench.operations.get(operation.id).error_message
        await bench.close()

    (tmp_path / "state").mkdir()
    run(test())
    assert [path for path in tmp_path.rglob("*") if path.name == "out"] == []


def test_a_model_that_is_elsewhere_or_absent_is_refused_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours()
        wanted = replace(WANTED_DEPLOYMENT, model_id=MODEL_ID)
        with pytest.raises(NotFoundError):
            bench.deployments.put(wanted)
        bench.backend.models.put(files("mdl", "runs:/1/model"))
        with pytest.raises(NotEmulatedError, match="runs:/1/model"):
            bench.deployments.put(wanted)
        bench.backend.models.put(files("mdl", "http://[x", "2"))
        with pytest.raises(NotEmulatedError, match=r"http://\[x"):
            bench.deployments.put(replace(wanted, model_id=MODEL_ID.replace("versions/1", "versions/2")))
        with pytest.raises(BadRequestError, match="ARM id"):
            bench.deployments.put(replace(wanted, model_id="azureml:mdl:1"))
        await bench.close()

    run(test())


def test_a_models_files_never_change_but_its_tags_may(tmp_path: Path) -> None:
    bench = Bench(folder=tmp_path)
    models = bench.backend.models
    models.put(files("mdl", "a"))
    assert models.put(replace(files("mdl", "a/"), tags={"a": "b"}))[1] is False
    with pytest.raises(ConflictError):
        models.put(files("mdl", "b"))
    models.put(replace(files("mdl", "b", "2"), is_anonymous=True))
    assert [[each.version for each in versions] for versions in models.all()] == [["1", "2"]]
    assert all(each.is_archived for each in models.archive("mdl", is_archived=True))
    asyncio.run(bench.close())


@pytest.mark.parametrize(("count", "cores"), [(1, 8), (2, 12), (5, 24), (10, 48)])
def test_the_platform_takes_a_fifth_more_cores_than_the_instances_have(count: int, cores: int) -> None:
    assert cores_taken("Standard_DS3_v2", count) == cores


def test_the_quota_counts_what_exists_and_is_given_back_by_a_deletion() -> None:
    async def test() -> None:
        bench = Bench(core_quota=16)
        await bench.with_colours(blue=0)
        bench.deployments.put(replace(WANTED_DEPLOYMENT, instance_count=2))
        await bench.operations.settle()
        with pytest.raises(
            BadRequestError, match="requested is 8 and your maximum amount of quota is \\[4\\]"
        ) as error:
            bench.deployments.put(replace(WANTED_DEPLOYMENT, name="green"))
        assert error.value.code == "OutOfQuota"
        bench.deployments.delete("diabetes", "blue")
        with pytest.raises(BadRequestError):
            bench.deployments.put(replace(WANTED_DEPLOYMENT, name="green"))
        await bench.operations.settle()
        bench.deployments.put(replace(WANTED_DEPLOYMENT, name="green"))
        await bench.operations.settle()
        await bench.close()

    run(test())


def test_an_operation_takes_as_long_as_it_is_told() -> None:
    async def test() -> None:
        bench = Bench(operation_s=30)
        await bench.clock.wind(0)
        _, operation, _ = bench.endpoints.put(WANTED_ENDPOINT)
        await bench.clock.wind(29)
        assert bench.operations.get(operation.id).status is OperationStatus.IN_PROGRESS
        await bench.clock.wind(2)
        assert bench.operations.get(operation.id).status is OperationStatus.SUCCEEDED
        await bench.close()

    run(test())

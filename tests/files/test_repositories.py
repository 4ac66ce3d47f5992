"""What holds of every repository: local, in memory by fsspec, in S3."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from otflow.errors import InvalidParameterError, MissingFileError, NotFoundError, OtflowError
from otflow.files.local import LocalRepository
from otflow.files.opening import open_repository
from otflow.files.repository import PARTIAL, ArtifactRepository


def listed(repository: ArtifactRepository, path: str | None = None) -> list[tuple[str, bool, int | None]]:
    return [(info.path, info.is_dir, info.file_size) for info in repository.list_artifacts(path)]


def tree(root: str | Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in Path(root).rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that speaks S3's protocol."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60
            while True:
                try:
                    request = urllib.request.Request(f"{url}/artifacts", method="PUT")
                    with urllib.request.urlopen(request, timeout=5):
                        break
                except (urllib.error.URLError, OSError):
                    if time.monotonic() > deadline or server.poll() is not None:
                        pytest.fail(f"The S3 server did not start:\n{log.read_text()[-2000:]}")
                    time.sleep(0.05)
            yield url
        finally:
            server.kill()
            server.wait(30)


@pytest.fixture(params=["local", "file", "memory", "s3"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactRepository:
    name = uuid.uuid4().hex
    if request.param == "s3":
        url = request.getfixturevalue("s3")
        for variable, value in {
            "MLFLOW_S3_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(variable, value)
        return open_repository(f"s3://artifacts/{name}")
    places = {
        "local": str(tmp_path / "a #b%20?"),
        "file": f"file://{tmp_path}/a%20b",
        "memory": f"memory://{name}/root",
    }
    return open_repository(places[request.param])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A local directory with files in it."""
    folder = tmp_path / "source"
    for name, content in {"a.txt": "A", "sub/b c.txt": "BB", "sub/deep/ü.txt": "CCC"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


class TestEveryRepository:
    def test_a_new_one_is_empty(self, repository):
        assert listed(repository) == listed(repository, "nothing") == []
        with pytest.raises(MissingFileError, match=r"'a\.txt'"):
            repository.read("a.txt")
        with pytest.raises(FileNotFoundError):
            repository.download_artifacts("a.txt")

    def test_bytes_and_streams_are_read_back(self, repository):
        repository.write("a.bin", b"\0\xff")
        repository.write("d/empty", b"")
        stream = io.BytesIO(b"123456")
        stream.seek(2)
        repository.write("d/rest", stream)
        repository.write("./d//same/../meant", b"m")
        assert repository.read("a.bin") == b"\0\xff"
        assert repository.read("d/empty") == b""
        assert repository.read("d/rest") == b"3456"
        assert repository.read("d/meant") == b"m"
        assert listed(repository) == [("a.bin", False, 2), ("d", True, None)]
        assert listed(repository, "d") == [("d/empty", False, 0), ("d/meant", False, 1), ("d/rest", False, 4)]
        assert listed(repository, "./d/") == listed(repository, "d")
        assert listed(repository, "a.bin") == []

    def test_a_stream_that_cannot_be_rewound(self, repository):
        class Pipe:
            def __init__(self) -> None:
                self.parts = [b"a" * 100, b"b", b""]

            def read(self, size: int = -1) -> bytes:
                return self.parts.pop(0)

        repository.write("piped", Pipe())
        assert repository.read("piped") == b"a" * 100 + b"b"

    def test_a_stream_that_fails_leaves_what_was_there(self, repository):
        class Failing:
            def read(self, size: int = -1) -> bytes:
                if size == 0 or not hasattr(self, "begun"):
                    self.begun = True
                    return b"half"
                raise OSError("the disk is gone")

        repository.write("f", b"whole")
        with pytest.raises((OSError, OtflowError)):
            repository.write("f", Failing())
        with pytest.raises((OSError, OtflowError)):
            repository.write("g", Failing())
        assert repository.read("f") == b"whole"
        assert listed(repository) == [("f", False, 5)]

    def test_text_is_no_stream(self, repository):
        class Text:
            def read(self, size: int = -1) -> str:
                return "text"

        with pytest.raises(TypeError):
            repository.write("t", Text())
        assert listed(repository) == []

    def test_what_is_there_is_replaced(self, repository):
        repository.write("a", b"long content")
        repository.write("a", b"x")
        assert repository.read("a") == b"x"

    def test_a_file_and_a_directory_go_up(self, repository, source):
        repository.log_artifact(str(source / "a.txt"))
        repository.log_artifact(source / "a.txt", "x/y")
        repository.log_artifact(source / "sub", "copies")
        repository.log_artifacts(str(source), "all")
        assert listed(repository) == [
            ("a.txt", False, 1),
            ("all", True, None),
            ("copies", True, None),
            ("x", True, None),
        ]
        assert listed(repository, "x/y") == [("x/y/a.txt", False, 1)]
        assert listed(repository, "copies/sub") == [("copies/sub/b c.txt", False, 2), ("copies/sub/deep", True, None)]
        assert repository.read("all/sub/deep/ü.txt") == b"CCC"

    def test_downloads(self, repository, source, tmp_path):
        repository.log_artifacts(str(source), "all")
        for number, (path, name, files) in enumerate(
            [
                ("all/sub", "sub", ["b c.txt", "deep/ü.txt"]),
                ("all/sub/", "", ["b c.txt", "deep/ü.txt"]),
                ("all/./sub", "sub", ["b c.txt", "deep/ü.txt"]),
                ("", "", ["all/a.txt", "all/sub/b c.txt", "all/sub/deep/ü.txt"]),
            ]
        ):
            to = tmp_path / "new" / str(number)
            assert repository.download_artifacts(path, str(to)) == os.path.join(to, name)
            assert tree(to / name) == files
        assert repository.download_artifacts("all/a.txt", "here") == str(tmp_path / "here" / "a.txt")
        assert repository.download_artifacts("all/a.txt", tmp_path / "here") == str(tmp_path / "here" / "a.txt")
        apart = repository.download_artifacts("all/sub/b c.txt")
        assert (os.path.basename(apart), Path(apart).read_text()) == ("b c.txt", "BB")
        assert not apart.startswith(str(tmp_path))

    def test_what_cannot_be_downloaded(self, repository, tmp_path):
        repository.write("d/a", b"x")
        (tmp_path / "file").write_text("f")
        with pytest.raises(InvalidParameterError, match="dst_path"):
            repository.download_artifacts("d", str(tmp_path / "file"))
        for missing in ("nothing", "d/nothing", "d/a/b", "nothing/"):
            with pytest.raises(MissingFileError):
                repository.download_artifacts(missing, str(tmp_path / "to"))
        assert not (tmp_path / "to").exists()

    def test_deleting(self, repository):
        for path in ("a", "d/b", "d/e/c"):
            repository.write(path, b"x")
        repository.delete_artifacts("d/e")
        repository.delete_artifacts("nothing")
        assert listed(repository, "d") == [("d/b", False, 1)]
        repository.delete_artifacts("a")
        assert listed(repository) == [("d", True, None)]
        repository.delete_artifacts()
        assert listed(repository) == []

    def test_a_path_that_leads_elsewhere_does_nothing(self, repository, source, tmp_path):
        before = tree(tmp_path)
        for path in ("../x", "/x", "%2e%2e/x", "..\\x", "x\0"):
            for act in (
                lambda path=path: repository.write(path, b"x"),
                lambda path=path: repository.log_artifact(str(source / "a.txt"), path),
                lambda path=path: repository.log_artifacts(str(source), path),
                lambda path=path: repository.read(path),
                lambda path=path: repository.list_artifacts(path),
                lambda path=path: repository.download_artifacts(path),
                lambda path=path: repository.delete_artifacts(path),
            ):
                with pytest.raises(InvalidParameterError):
                    act()
        assert tree(tmp_path) == before

    def test_a_local_file_that_is_not_there_and_nothing_is_copied(self, repository, source):
        for missing in ("missing", "", str(source / "missing")):
            with pytest.raises(MissingFileError):
                repository.log_artifact(missing)
            with pytest.raises(NotFoundError):
                repository.log_artifacts(missing)
        with pytest.raises(MissingFileError):
            repository.log_artifacts(str(source / "a.txt"))
        (source / "zz").symlink_to("nowhere")
        with pytest.raises(FileNotFoundError, match="zz"):
            repository.log_artifacts(str(source), "d")
        for wrong in (None, 5):
            with pytest.raises(TypeError):
                repository.log_artifact(wrong)
        assert listed(repository) == []

    def test_from_several_threads(self, repository):
        def write(number: int) -> None:
            repository.write("same", bytes([number]) * 50_000)
            repository.write(f"own/{number}", bytes([number]))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        same = repository.read("same")
        assert len(same) == 50_000
        assert len(set(same)) == 1
        assert [info.path for info in repository.list_artifacts("own")] == [f"own/{number}" for number in range(8)]


class TestLocal:
    def test_mode_and_time_of_a_file_stay(self, tmp_path, source):
        script = source / "a.txt"
        script.chmod(0o754)
        os.utime(script, (1_000_000_000, 1_000_000_000))
        repository = open_repository(tmp_path / "root")
        repository.log_artifact(script)
        for copy in (tmp_path / "root" / "a.txt", Path(repository.download_artifacts("a.txt"))):
            assert (copy.stat().st_mode & 0o777, copy.stat().st_mtime) == (0o754, 1_000_000_000)

    def test_a_new_file_may_be_read_as_the_umask_says(self, tmp_path):
        open_repository(tmp_path).write("a", b"x")
        (tmp_path / "plain").write_bytes(b"x")
        assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode

    def test_directories_without_files_stay(self, tmp_path, source):
        (source / "void" / "inner").mkdir(parents=True)
        repository = open_repository(tmp_path / "root")
        repository.log_artifacts(source, "all")
        repository.log_artifact(source / "void")
        assert listed(repository, "all/void") == [("all/void/inner", True, None)]
        assert listed(repository, "void") == [("void/inner", True, None)]
        assert (Path(repository.download_artifacts("all")) / "void" / "inner").is_dir()

    def test_a_directory_is_not_replaced_by_a_file_nor_the_reverse(self, tmp_path):
        repository = open_repository(tmp_path / "root")
        repository.write("d/a", b"x")
        with pytest.raises(InvalidParameterError, match="'d' is a directory"):
            repository.write("d", b"y")
        with pytest.raises(InvalidParameterError, match="below a file"):
            repository.write("d/a/b", b"y")
        assert tree(tmp_path / "root") == ["d/a"]

    def test_what_a_killed_process_left_is_no_artifact(self, tmp_path):
        (tmp_path / f"{PARTIAL}123").write_text("half")
        (tmp_path / "whole").write_text("w")
        repository = open_repository(tmp_path)
        assert listed(repository) == [("whole", False, 1)]
        assert tree(repository.download_artifacts("", str(tmp_path / "to"))) == ["whole"]

    def test_the_whole_is_not_copied_unless_somewhere(self, tmp_path):
        repository = open_repository(tmp_path / "root")
        repository.write("a", b"x")
        assert repository.download_artifacts("") == str(tmp_path / "root")
        assert repository.download_artifacts(None, "to") == os.path.join(tmp_path / "to", "")

    @pytest.mark.parametrize(
        ("uri", "path"),
        [
            ("rel/x", "rel/x"),
            ("file:rel2", "rel2"),
            ("file:///{0}/u%20v", "u v"),
            ("FILE:{0}/w", "w"),
            ("{0}/a#b?c%20", "a#b?c%20"),
        ],
    )
    def test_what_a_uri_means(self, uri, path, tmp_path):
        repository = open_repository(uri.format(str(tmp_path).lstrip("/") if ":///" in uri else tmp_path))
        assert isinstance(repository, LocalRepository)
        assert repository.root == str(tmp_path / path)


class TestOpening:
    def test_an_extra_that_is_missing_is_named(self, tmp_path):
        code = """
import sys
sys.modules.update(fsspec=None)
from otflow.files.opening import open_repository
from otflow.errors import MissingExtraError
for uri in sys.argv[1:]:
    try:
        open_repository(uri)
    except MissingExtraError as error:
        print(error)
"""
        uris = ["s3://b/p", "gs://b/p", "abfss://c@a/p", "wasbs://c@a/p", "sftp://h/p"]
        answer = subprocess.run([sys.executable, "-c", code, *uris], capture_output=True, text=True, timeout=120)
        lines = answer.stdout.splitlines()
        assert [line.split("otflow[")[1].split("]")[0] for line in lines] == [
            "s3",
            "gcs",
            "azure",
            "azure",
            "fsspec",
        ], answer

    def test_what_nothing_is_known_of(self):
        with pytest.raises(InvalidParameterError, match="weird://x/y"):
            open_repository("weird://x/y")
        with pytest.raises(InvalidParameterError, match="tracking URI"):
            open_repository("mlflow-artifacts:/1", tracking_uri="sqlite:///a.db")
        with pytest.raises(TypeError):
            open_repository(5)

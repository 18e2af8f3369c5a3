"""The folder of an embedded installation."""

import json
import stat
import threading
from pathlib import Path

import pytest

from clarion.data_folder import Address, DataFolder
from core.errors import ConfigurationError
from core.settings import load_settings
from core.store.engine import open_store


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "a" / "data")
    made.ensure()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_its_owners_alone(folder: DataFolder) -> None:
    folder.ensure()
    assert mode(folder.path) == 0o700


def test_where_no_folder_can_be_the_option_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(ConfigurationError, match=r"^--data: cannot make "):
            DataFolder(path).ensure()


def test_its_database_is_found_from_anywhere(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.path.parent)
    store = open_store(DataFolder(Path("data")).database_url)
    store.ping()
    store.close()
    assert (folder.path / "clarion.db").exists()


def test_the_secret_key_is_made_once_and_private(folder: DataFolder) -> None:
    key = folder.secret_key()
    assert folder.secret_key() == key
    assert mode(folder.path / "secret.key") == 0o600
    assert load_settings(secret_key=key).secret_key is not None


def test_two_folders_have_two_keys(folder: DataFolder, tmp_path: Path) -> None:
    other = DataFolder(tmp_path / "other")
    other.ensure()
    assert other.secret_key() != folder.secret_key()


def test_the_address_is_private_and_read_back(folder: DataFolder) -> None:
    address = Address("http://127.0.0.1:8080", "clk_swordfish")
    folder.write_address(address)
    assert folder.address() == address
    assert mode(folder.path / "up.json") == 0o600
    assert json.loads((folder.path / "up.json").read_text()) == {
        "url": "http://127.0.0.1:8080",
        "key": "clk_swordfish",
    }


def test_an_address_that_was_open_to_others_is_closed(folder: DataFolder) -> None:
    file = folder.path / "up.json"
    file.write_text("{}")
    file.chmod(0o644)
    folder.write_address(Address("http://127.0.0.1:1", "key"))
    assert mode(file) == 0o600


def test_nobody_reads_half_an_address(folder: DataFolder) -> None:
    written = threading.Event()
    addresses = [Address("http://127.0.0.1:1", "k" * 10_000), Address("http://127.0.0.1:2", "k")]
    folder.write_address(addresses[0])

    def write_many() -> None:
        for number in range(200):
            folder.write_address(addresses[number % 2])
        written.set()

    writing = threading.Thread(target=write_many)
    writing.start()
    while not written.is_set():
        assert folder.address() in addresses
    writing.join()
    assert [path.name for path in folder.path.iterdir()] == ["up.json"]


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b"null", b"{}", b'{"url": "x"}', b"\xff\xfe", b'"text"']
)
def test_an_address_that_cannot_be_read_is_none(folder: DataFolder, content: bytes | None) -> None:
    if content is not None:
        (folder.path / "up.json").write_bytes(content)
    assert folder.address() is None


def test_a_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    DataFolder(tmp_path).lock()
    with pytest.raises(ConfigurationError, match="another Clarion runs"):
        DataFolder(tmp_path).lock()

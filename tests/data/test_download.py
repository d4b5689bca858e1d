import hashlib
import http.server
import re
import tempfile
import threading
from pathlib import Path

import pytest

from minigan.data.download import Remote, cache_folder, fetch, fetch_all
from minigan.errors import DataError

CONTENT = bytes(range(256)) * 4000  # about a million bytes: several blocks
CUT = len(CONTENT) // 3


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT, by a rule that the test sets, and remembers the ranges asked for."""

    daemon_threads = False
    content = CONTENT
    ranges = True
    cuts = 0  # so many answers stop after CUT bytes
    status = None
    skipped = 0  # the first answer to a range begins so many bytes late

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []

    @property
    def remote(self):
        url = f"http://127.0.0.1:{self.server_port}/digits.gz"
        return Remote(url, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.status:
            return self.send_error(self.server.status)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.server.ranges else 0
        whole = self.server.content
        if start:
            start, self.server.skipped = start + self.server.skipped, 0
        if start and start >= len(whole):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        body = whole[start:]
        if self.server.cuts:
            self.server.cuts -= 1
            body = body[:CUT]
        self.wfile.write(body)

    def log_message(self, *ignored):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_comes_whole_and_is_not_fetched_again(server, tmp_path):
    folder = tmp_path / "not" / "there"
    steps = []
    path = fetch(server.remote, folder, lambda *step: steps.append(step))
    assert path == folder / "digits.gz"
    assert path.read_bytes() == CONTENT
    assert [item.name for item in folder.iterdir()] == ["digits.gz"]
    assert steps[-1] == ("digits.gz", len(CONTENT), len(CONTENT))
    fetch(server.remote, folder)
    assert server.asked == [None]


def test_a_cut_download_continues_where_it_was_cut(server, tmp_path):
    server.cuts = 2
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={CUT}-", f"bytes={2 * CUT}-"]


def test_what_an_earlier_run_left_is_continued(server, tmp_path):
    (tmp_path / "digits.gz.part").write_bytes(CONTENT[:1000])
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.ranges = False
    (tmp_path / "digits.gz.part").write_bytes(b"other bytes" * 100)
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT


def test_another_range_than_asked_for_starts_over(server, tmp_path):
    server.skipped = 500
    (tmp_path / "digits.gz.part").write_bytes(CONTENT[:1000])
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_a_part_as_long_as_the_file_needs_no_connection(server, tmp_path):
    (tmp_path / "digits.gz.part").write_bytes(CONTENT)
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / "digits.gz.part").write_bytes(CONTENT + b"more")
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_wrong_check_sum_deletes_what_came(server, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DataError, match=r"wrong check sum: SHA-256 .* run again"):
        fetch(server.remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_beginning_is_found_at_the_end(server, tmp_path):
    (tmp_path / "digits.gz.part").write_bytes(b"x" + CONTENT[1:1000])
    with pytest.raises(DataError, match="wrong check sum"):
        fetch(server.remote, tmp_path)
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT


def test_another_file_in_its_place_is_refused_and_the_part_kept(server, tmp_path):
    server.content, server.ranges = b"<html>please log in</html>", False
    part = tmp_path / "digits.gz.part"
    part.write_bytes(CONTENT[:1000])
    with pytest.raises(DataError, match=rf"sends 26 bytes, expected {len(CONTENT)}: another file"):
        fetch(server.remote, tmp_path)
    assert part.read_bytes() == CONTENT[:1000]


def test_a_connection_that_is_always_cut_is_given_up_and_kept(server, tmp_path, monkeypatch):
    monkeypatch.setitem(Handler.do_GET.__globals__, "CUT", 0)
    server.cuts = 100
    with pytest.raises(DataError, match=r"cut after 0 of \d+ bytes .* run again to continue"):
        fetch(server.remote, tmp_path)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_is_told(server, tmp_path, status):
    server.status = status
    with pytest.raises(DataError, match=f"digits.gz: the server answers {status}"):
        fetch(server.remote, tmp_path)


def test_without_a_network_the_error_names_the_files_to_fetch_by_hand(server, tmp_path):
    first = server.remote
    server.server_close()
    dead = [Remote(first.url.replace("digits", name), 1, "") for name in ("images", "labels")]
    with pytest.raises(DataError, match="no connection") as refused:
        fetch_all(dead, tmp_path)
    assert "--data-dir" in str(refused.value)
    assert all(remote.url in str(refused.value) for remote in dead)


def test_a_cache_that_cannot_be_made_is_told(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot make the cache folder"):
        fetch(server.remote, tmp_path / "file" / "cache")


def test_a_full_disk_is_told_and_nothing_is_lost(server, tmp_path):
    (tmp_path / "digits.gz.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"cannot write .*digits\.gz\.part: No space left"):
        fetch(server.remote, tmp_path)


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("MINIGAN_DATA")
    assert cache_folder().parts[-3:] == (".cache", "minigan", "data")


def test_without_a_home_the_cache_folder_is_a_temporary_one(monkeypatch):
    def expanduser(path):
        raise RuntimeError("Could not determine home directory.")  # as in a container whose user has no entry

    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setattr(Path, "expanduser", expanduser)
    assert cache_folder().is_relative_to(tempfile.gettempdir())

import contextlib
import hashlib
import http.server
import re
import tempfile
import threading
import time
from concurrent import futures
from pathlib import Path

import pytest

from minigan.data import download
from minigan.data.download import fetch, fetch_all
from minigan.data.sources import Remote, cache_folder
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


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    monkeypatch.setattr(download, "WAIT", 0.01)
    monkeypatch.setattr(download, "POLL", 0.01)


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


def test_another_range_than_asked_for_starts_over(server, tmp_path, hurried):
    server.skipped = 500
    (tmp_path / "digits.gz.part").write_bytes(CONTENT[:1000])
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_a_part_as_long_as_the_file_needs_no_connection(server, tmp_path):
    (tmp_path / "digits.gz.part").write_bytes(CONTENT)
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path, hurried):
    (tmp_path / "digits.gz.part").write_bytes(CONTENT + b"more")
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_wrong_checksum_deletes_what_came(server, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DataError, match=r"wrong checksum: SHA-256 .* run again"):
        fetch(server.remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_beginning_is_found_at_the_end(server, tmp_path):
    (tmp_path / "digits.gz.part").write_bytes(b"x" + CONTENT[1:1000])
    with pytest.raises(DataError, match="wrong checksum"):
        fetch(server.remote, tmp_path)
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT


def test_another_file_in_its_place_is_refused_and_the_part_kept(server, tmp_path):
    server.content, server.ranges = b"<html>please log in</html>", False
    part = tmp_path / "digits.gz.part"
    part.write_bytes(CONTENT[:1000])
    with pytest.raises(DataError, match=rf"sends 26 bytes, expected {len(CONTENT)}: a different file"):
        fetch(server.remote, tmp_path)
    assert part.read_bytes() == CONTENT[:1000]


def test_a_connection_that_is_always_cut_is_given_up_and_kept(server, tmp_path, monkeypatch, hurried):
    monkeypatch.setitem(Handler.do_GET.__globals__, "CUT", 0)
    server.cuts = 100
    with pytest.raises(DataError, match=r"gave up with 0 of \d+ bytes: run again to continue"):
        fetch(server.remote, tmp_path)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_told(server, tmp_path, status):
    server.status = status
    with pytest.raises(DataError, match=f"digits.gz: the server answers {status}"):
        fetch(server.remote, tmp_path)


# Servers that misbehave


def answer(handler, *headers, status=200, body=b""):
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def sparing(size):
    """One answer after the other brings `size` bytes of those asked for, and promises all."""

    def do(handler):
        wanted = handler.headers.get("Range")
        start = int(wanted[6:-1]) if wanted else 0
        span = ("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        length = ("Content-Length", str(len(CONTENT) - start))
        answer(handler, length, span, status=206 if start else 200, body=CONTENT[start : start + size])

    return do


def always_from_the_beginning(handler):
    span = ("Content-Range", f"bytes 0-999/{len(CONTENT)}")
    wanted = handler.headers.get("Range")
    length = len(CONTENT) - (int(wanted[6:-1]) if wanted else 0)
    answer(handler, ("Content-Length", str(length)), span, status=206, body=CONTENT[:1000])


def dripping(handler):
    answer(handler, ("Content-Length", str(len(CONTENT))))
    for _ in range(50):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def stalled(handler):
    answer(handler, ("Content-Length", str(len(CONTENT))), body=CONTENT[:1000])
    time.sleep(0.6)


def endless(handler):
    answer(handler)
    while True:
        handler.wfile.write(bytes(1 << 16))


MISBEHAVIOUR = {
    "one byte per connection": sparing(1),
    "a thousand bytes per connection": sparing(1000),
    "the beginning whatever is asked for": always_from_the_beginning,
    "a byte now and then": dripping,
    "no more bytes": stalled,
    "no answer": lambda handler: time.sleep(0.6),
    "another file without end": endless,
    "nothing": lambda handler: None,
    "no HTTP": lambda handler: handler.wfile.write(b"\0\xff" * 500),
    "a length that is no number": lambda handler: answer(handler, ("Content-Length", "banana"), body=CONTENT),
    "a length of 5,000 digits": lambda handler: answer(handler, ("Content-Length", "9" * 5000)),
    "a negative length": lambda handler: answer(handler, ("Content-Length", "-5")),
    "no content": lambda handler: answer(handler, ("Content-Length", "0"), status=204),
    "itself elsewhere": lambda handler: answer(handler, ("Location", handler.path), status=302),
    "a file of ours": lambda handler: answer(handler, ("Location", "file:///etc/hostname"), status=302),
    "trouble": lambda handler: answer(handler, status=503),
    "a range that was not asked for": lambda handler: answer(handler, status=416),
}


@pytest.mark.parametrize("kept", [0, 500])
@pytest.mark.parametrize("misbehaviour", MISBEHAVIOUR)
def test_a_server_that_sends(server, tmp_path, monkeypatch, hurried, misbehaviour, kept):
    """... anything but the file is given up after a few requests, with an error of ours and nothing in its place."""
    requests = []

    def do(handler):
        requests.append(handler.path)
        with contextlib.suppress(OSError):  # the other side may have given up
            MISBEHAVIOUR[misbehaviour](handler)

    monkeypatch.setattr(Handler, "do_GET", do)
    if kept:
        (tmp_path / "digits.gz.part").write_bytes(CONTENT[:kept])
    begun = time.monotonic()
    with pytest.raises(DataError, match=re.escape(server.remote.url)):
        fetch(server.remote, tmp_path)
    assert not (tmp_path / "digits.gz").exists()
    assert len(requests) <= 12
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("words", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nContent-"])
def test_an_answer_that_comes_a_letter_at_a_time_is_not_waited_for(server, tmp_path, monkeypatch, hurried, words):
    def do(handler):
        for part in (words, *[b"x"] * 12):
            handler.wfile.write(part)
            time.sleep(0.05)

    monkeypatch.setattr(Handler, "do_GET", do)
    with pytest.raises(DataError, match=r"digits\.gz: no answer in 0\.2 seconds"):
        fetch(server.remote, tmp_path)


@pytest.mark.parametrize("url", ["http://[nowhere/digits.gz", "nowhere/digits.gz", "http://127.0.0.1:99999/digits.gz"])
def test_what_is_no_address_is_told(tmp_path, url):
    with pytest.raises(DataError, match="no connection"):
        fetch(Remote(url, 1, ""), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_tries_wait_longer_each_time(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    monkeypatch.setattr(download, "TRIES", 5)
    monkeypatch.setattr(Handler, "do_GET", sparing(10))
    with pytest.raises(DataError, match="run again to continue"):
        fetch(server.remote, tmp_path)
    assert waits == [1, 2, 4, 8]


def test_a_server_that_is_busy_is_asked_again(server, tmp_path, monkeypatch, hurried):
    busy, serve = [503, 429], Handler.do_GET
    monkeypatch.setattr(
        Handler, "do_GET", lambda handler: answer(handler, status=busy.pop()) if busy else serve(handler)
    )
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT


# The same file at once, and files that are damaged later


def test_of_many_at_once_one_fetches_and_the_others_wait(server, tmp_path, monkeypatch, hurried):
    serve = Handler.do_GET
    monkeypatch.setattr(Handler, "do_GET", lambda handler: (time.sleep(0.1), serve(handler)))
    with futures.ThreadPoolExecutor(8) as threads:
        paths = list(threads.map(lambda _: fetch(server.remote, tmp_path, lambda *step: None), range(8)))
    assert all(path.read_bytes() == CONTENT for path in paths)
    assert server.asked == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["digits.gz"]


def test_one_that_gives_up_lets_the_next_go_on(server, tmp_path, monkeypatch, hurried):
    failing, serve = [True], Handler.do_GET
    monkeypatch.setattr(
        Handler, "do_GET", lambda handler: answer(handler, status=403) if failing and failing.pop() else serve(handler)
    )
    with futures.ThreadPoolExecutor(2) as threads:
        both = [threads.submit(fetch, server.remote, tmp_path) for _ in range(2)]
        futures.wait(both)
    assert sorted(one.exception() is None for one in both) == [False, True]
    assert (tmp_path / "digits.gz").read_bytes() == CONTENT


DAMAGE = {
    "a flipped bit": CONTENT[:5000] + bytes([CONTENT[5000] ^ 1]) + CONTENT[5001:],
    "a lost end": CONTENT[:-1],
    "another byte": CONTENT + b"x",
    "nothing left": b"",
    "zeros": bytes(len(CONTENT)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_damaged_in_the_cache_is_fetched_again(server, tmp_path, damage):
    (tmp_path / "digits.gz").write_bytes(DAMAGE[damage])
    assert fetch(server.remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_by_name_where_it_cannot_be_fetched(server, tmp_path, damage):
    target, server.status = tmp_path / "digits.gz", 404
    target.write_bytes(DAMAGE[damage])
    with pytest.raises(DataError, match=r"digits\.gz is damaged .*cannot be downloaded again:\n.* answers 404"):
        fetch(server.remote, tmp_path)
    assert target.read_bytes() == DAMAGE[damage]


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
    with pytest.raises(DataError, match="cannot create the cache folder"):
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

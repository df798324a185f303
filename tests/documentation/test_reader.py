"""The reader of pages: it finds every block, runs what is to be run, and fails where a page is wrong."""

import socket
from pathlib import Path

import pytest

from tests.documentation.fences import Step, fences_of, steps_of
from tests.documentation.reader import Reader, address_of


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> int:
    with Reader(folder) as reader:
        return reader.read(fences_of(page(folder, text), folder))


def test_every_block_is_found_with_what_the_page_says_of_it(tmp_path: Path) -> None:
    text = (
        "# x\n\n```sh\nls\n```\n\n<!-- not run: it\nharms -->\n```sh\nrm\n```\n"
        '\n- a\n\n  ```toml title="f.toml"\n  a = 1\n  ```\n\n```\nwhat\n```\n'
    )
    plain, harmful, file, wordless = fences_of(page(tmp_path, text), tmp_path)
    assert (plain.language, plain.text, plain.place) == ("sh", "ls\n", "page.md:3")
    assert (harmful.reason, plain.reason) == ("it\nharms", None)
    assert (file.title, file.text) == ("f.toml", "a = 1\n")
    assert wordless.language == ""


def test_a_command_goes_on_while_a_quote_is_open(tmp_path: Path) -> None:
    text = "```console\n$ echo 'a\nb'\na\nb\n$ true\n^C\nend\n```\n"
    (fence,) = fences_of(page(tmp_path, text), tmp_path)
    assert steps_of(fence) == [
        Step("echo 'a\nb'", ("a", "b")),
        Step("true", ()),
        Step("^C", ("end",)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo 12 apples\n7 apples\n$ echo\n```\n",
        "```console\n$ false\n$ echo $?\n1\n```\n",
        '```python title="a.py"\nB = 1\n```\n```python\nimport a\nprint(a.B)\n```\n```text\n5\n```\n',
        '```sh\necho \'{"a": 1}\'\n```\nprints\n```json\n{"a": 5}\n```\n',
        "```sh\necho a >b\ncat b\n```\n```text\na\n```\n",
        "<!-- not run: never -->\n```sh\nexit 1\n```\n",
    ],
)
def test_a_page_that_is_right_is_read_to_its_end(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == text.count("```console") + text.count("```sh") + text.count(
        "```python\n"
    ) - text.count("not run")


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo apples\npears\n```\n",
        "```console\n$ true\npears\n```\n",
        "```console\n$ echo apples\n```\n",
        "```console\n$ false\n```\n",
        "```sh\nfalse\ntrue\n```\n",
        "```sh\necho a\n```\n```text\nb\n```\n",
        "```python\nprint(1)\n```\n```text\none\n```\n",
        "```python\nraise ValueError\n```\n",
        "```sh\necho 1\n```\n```json\n{}\n```\n",
        "```fortran\nEND\n```\n",
    ],
)
def test_a_page_that_is_wrong_fails(tmp_path: Path, text: str) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:\d"):
        read(tmp_path, text)


def test_two_processes_of_one_machine_are_at_two_addresses() -> None:
    """Workers are started one after the other, and so are their numbers."""
    processes = range(65_000, 65_000 + 1_000)
    assert len({address_of(process, 1) for process in processes}) == len(processes)
    for process in (65_536, 255):  # the ends of a network of 256, as one counts elsewhere
        with socket.create_server((address_of(process, 1), 0)) as server:
            socket.create_connection(server.getsockname()).close()

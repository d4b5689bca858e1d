"""What a wheel has to hold."""

import configparser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_and_every_file_that_is_no_module_is_in_the_wheel():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    named = set(config["options"]["packages"].split())
    folders = {"minigan": ROOT / "minigan", "minigan.kernels": ROOT / "kernels"}
    found = {
        ".".join([name, *file.parent.relative_to(folder).parts])
        for name, folder in folders.items()
        for file in folder.rglob("__init__.py")
    }
    assert named == found
    for name in found:
        top = max((one for one in folders if name.startswith(one)), key=len)
        folder = folders[top].joinpath(*name.removeprefix(top).strip(".").split("."))
        data = config["options.package_data"].get(name, "").replace(",", " ").split()
        kept = {file for pattern in data for file in folder.glob(pattern)}
        rest = {file for file in folder.iterdir() if file.is_file() and file.suffix not in (".py", ".pyc")}
        assert rest == kept, name

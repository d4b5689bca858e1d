"""What one has to read stays within bounds: lines of a file, files of a step, modules of `minigan train`."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cases import GANS
from benchmarks.step import real_images
from minigan.data import Batches
from minigan.gan import Trainer

ROOT = Path(__file__).parents[1]
LONG = {"watch.h", "blocks.h", "simulator.h"}  # the simulator's headers, which only engineers of kernels read
TRAIN = """
import sys
from minigan.tool.__main__ import main
assert main(["train", "--steps", "1", "--batch", "2", "--out", "run"]) == 0
print(sum(name.partition(".")[0] == "minigan" for name in sys.modules))
"""


def test_no_file_is_longer_than_350_lines():
    files = [
        file
        for room in ("minigan", "kernels")
        for kind in ("py", "cu", "h")
        for file in ROOT.glob(f"{room}/**/*.{kind}")
    ]
    assert len(files) > 150
    assert {file.name for file in files if len(file.read_text().splitlines()) > 350} == LONG


@pytest.mark.slow
def test_minigan_train_imports_at_most_90_modules(tmp_path):
    done = subprocess.run([sys.executable, "-c", TRAIN], cwd=tmp_path, capture_output=True, text=True)
    assert 50 < int(done.stdout.splitlines()[-1]) <= 90, done.stderr


@pytest.mark.slow
def test_a_step_of_the_dcgan_is_in_at_most_35_files():
    case, files = GANS["dcgan-28"], set()
    gan, images = case.build(), real_images(case)[:8]
    trainer = Trainer(gan, Batches(images, batch_size=8), steps=1)
    trainer.train_step(images)  # compiles

    def note(frame, event, argument):
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(str(ROOT)):
            files.add(file.replace("/minigan/kernels/", "/kernels/"))

    sys.setprofile(note)
    trainer.train_step(images)
    sys.setprofile(None)
    ours = {file for file in files if file.startswith((f"{ROOT}/minigan/", f"{ROOT}/kernels/"))}
    assert 20 < len(ours) <= 35, sorted(ours)

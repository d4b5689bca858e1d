"""The page's pictures of what is inside networks."""

import drawn_mnist
import PIL.Image
import pytest

import minigan as mg
from docs.build import inside


@pytest.mark.slow
def test_each_picture_of_the_page_is_drawn(tmp_path, capsys):
    drawn_mnist.write(tmp_path / "mnist", train=60, test=60)
    train, test = mg.data.load_splits("mnist", tmp_path / "mnist")
    mg.classifier.fit("cnn", train, test=test, steps=1, batch=16, out=tmp_path / "cnn")
    mg.gan.fit("mlp-gan", train, steps=1, batch=16, out=tmp_path / "rgan-seed-0")
    where = "--runs", str(tmp_path), "--data-dir", str(tmp_path / "mnist"), "--docs", str(tmp_path / "docs")
    assert inside.main(where) == 0
    drawn = sorted(path.name for path in (tmp_path / "docs" / "pictures").iterdir())
    assert drawn == sorted(f"documents-inside-{name}.png" for of in inside.SHOWN.values() for name in of.values())
    for name in drawn:
        with PIL.Image.open(tmp_path / "docs" / "pictures" / name) as picture:
            assert min(picture.size) > 200
    assert inside.main(["--runs", str(tmp_path / "nowhere")]) == 1
    assert "not a run of minigan" in capsys.readouterr().err

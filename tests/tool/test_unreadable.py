from commands import draw_folder

from minigan.tool.cli import cli

TRAIN = ("train", "mlp-gan", "--data", "pets", "--size", 8, "--steps", 1, "--batch", 4)


def test_one_broken_image_ends_training_unless_it_may_be_skipped(tool):
    broken = draw_folder("pets", count=4) + "/cats/broken.png"
    with open(broken, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
    refused = tool(*TRAIN, "--out", "first")
    assert refused.code != 0
    assert "1 of 9 images cannot be read" in refused.err
    assert "--skip-unreadable" in refused.err
    assert "cats/broken.png" in refused.err
    assert tool(*TRAIN, "--out", "second", "--skip-unreadable").code == 0


def test_every_command_that_reads_a_set_can_skip():
    for name, command in cli.commands.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert ("--data" in options) == ("--skip-unreadable" in options), name

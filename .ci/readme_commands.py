"""Print README's commands in order: its first indented lines, and the lines of its ```sh blocks."""

import re
from pathlib import Path

readme = (Path(__file__).parent.parent / "README.md").read_text()
first = re.findall(r"^    (\S.*)$", readme.partition("```")[0], re.MULTILINE)
blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
commands = [*first, *(line for block in blocks for line in block.splitlines() if line.strip())]
assert len(first) == 2, f"README begins with two commands, but {first} were found"
print("\n".join(commands))

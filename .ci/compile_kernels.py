"""Compile every CUDA kernel for an H200 (sm_90), for float and double; none may spill or use too many registers.

Prints a table of registers and shared memory. Usage: compile_kernels.py NVCC
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "kernels" / "cuda"
ARCHITECTURE = "sm_90"
BUDGET = {"float": 128, "double": 255}  # registers: of 65,536 for a processor's threads, at least 2 and 1 blocks of 256
ENTRY = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)'.*?(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads"
    r".*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


def main() -> int:
    nvcc, problems = sys.argv[1], []
    print(f"{'kernel':28} {'numbers':8} {'registers':>9} {'shared':>12}")
    for source in sorted(FOLDER.glob("*.cu")):
        for real, budget in BUDGET.items():
            done = compiled(nvcc, source, real)
            if done.returncode:
                problems.append(f"{source.name} for {real} does not compile:\n{done.stderr}")
                continue
            entries = list(ENTRY.finditer(done.stdout + done.stderr))
            if not entries:
                problems.append(f"{source.name} for {real}: nvcc says nothing of its kernels")
            for entry in entries:
                kernel, registers = entry["kernel"], int(entry["registers"])
                shared = re.search(r"(\d+) bytes smem", entry["rest"])
                print(f"{kernel:28} {real:8} {registers:9} {(shared[1] if shared else '0') + ' bytes':>12}")
                if int(entry["stores"]) or int(entry["loads"]):
                    problems.append(f"{source.name}: {kernel} for {real} spills registers")
                if registers > budget:
                    problems.append(f"{source.name}: {kernel} for {real} uses {registers} registers, over {budget}")
    print("\n".join(problems) or f"no kernel spills, all are within {BUDGET} registers")
    return bool(problems)


def compiled(nvcc, source, real):
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, "-cubin", f"-arch={ARCHITECTURE}", "-std=c++17", "-Xptxas", "-v", f"-DREAL={real}", "-Werror"]
        command += ["all-warnings", "-o", f"{folder}/kernels.cubin", str(source)]
        return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())

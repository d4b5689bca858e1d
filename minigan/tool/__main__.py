"""Where the command line starts, and where every error ends as one message."""

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit code.

    0: done; 1: an error, told in one message; 2: the command line was not understood; 130: stopped by Ctrl-C
    """
    try:
        import click

        from minigan.tool.cli import cli
    except ImportError as error:
        if error.name not in ("click", "rich"):
            raise
        print(f"minigan: the command line needs {error.name}: pip install 'minigan[train]'", file=sys.stderr)
        return 1
    from minigan.errors import MiniganError
    from minigan.training.errors import Interrupted

    try:
        return cli.main(arguments, prog_name="minigan", standalone_mode=False) or 0
    except MiniganError as error:
        return _fail("\n".join([str(error), *getattr(error, "__notes__", ())]))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Interrupted:
        return 130
    except (KeyboardInterrupt, click.Abort):
        _fail("stopped at once by Ctrl-C")
        return 130
    except MemoryError:
        return _fail("the memory is full; a smaller --batch or --size needs less")


def _fail(message):
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""The entry point of the command line. Every error is reported as one message."""

import contextlib
import functools
import os
import signal
import sys
import warnings


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit code.

    0: success; for a training run, its weights, log and configuration are saved (a missing picture or report is only a
    warning); 1: an error, reported as one message; 2: a usage error; 130, 143, 129: stopped by Ctrl-C, SIGTERM, SIGHUP
    If the reader of the output goes away (`| head`), the work is still done and the exit code does not change. If
    output is lost for another reason, such as a full disk, 0 becomes 1.
    """
    from minigan.training.callbacks import SafeStream
    from minigan.training.loop import ending_in_order

    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:  # closed: the next file to be opened would get its number
            os.open(os.devnull, os.O_RDWR)
    out = SafeStream(sys.stdout)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(SafeStream(sys.stderr)), ending_in_order():
        code = _main(arguments)
        out.flush()
        if out.lost and not isinstance(out.lost, BrokenPipeError):
            _fail(f"standard output cannot be written: {out.lost}")
            return code or 1
    return code


def _main(arguments):
    try:
        import click

        from minigan.tool.cli import cli
    except ImportError as error:
        if error.name not in ("click", "rich"):
            raise
        print(f"minigan: the command line needs {error.name}: pip install 'minigan[train]'", file=sys.stderr)
        return 1
    from minigan.errors import MiniganError

    try:
        with warnings.catch_warnings():
            for kind in _user_warnings():
                warnings.simplefilter("always", kind)
            warnings.showwarning = functools.partial(_warn, warnings.showwarning)
            return cli.main(arguments, prog_name="minigan", standalone_mode=False) or 0
    except MiniganError as error:
        return _fail("\n".join([str(error), *getattr(error, "__notes__", ())]))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        _fail("\n".join(["stopped at once by Ctrl-C", *getattr(error.__cause__, "__notes__", ())]))
        return 130
    except SystemExit as error:
        _fail(f"stopped at once by {signal.Signals(error.code - 128).name}")
        return error.code
    except MemoryError:
        return _fail(f"out of memory{_memory_hint(cli, arguments)}")


def _memory_hint(cli, arguments):
    """Suggest which of the command's options to lower when memory runs out."""
    words = sys.argv[1:] if arguments is None else arguments
    command = cli.commands.get(words[0]) if words else None
    flags = [flag for option in (command.params if command else ()) for flag in option.opts]
    found = [flag for flag in ("--batch", "--size", "--count") if flag in flags]
    return f"; try a smaller {' or '.join(found)}" if found else ""


def _warn(otherwise, message, category, *where, **how):
    """Print a warning for users as one line, without the source line that raised it."""
    if issubclass(category, _user_warnings()):
        print(f"warning: {message}", file=sys.stderr)
    else:
        otherwise(message, category, *where, **how)


def _user_warnings():
    """Return the classes of warnings that are meant for users of the tool."""
    from minigan.errors import RunWarning
    from minigan.kernels.cache import CacheWarning

    return RunWarning, CacheWarning


def _fail(message):
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""Where the command line starts, and where every error ends as one message."""

import contextlib
import functools
import os
import signal
import sys
import warnings


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit code.

    0: done, and for a run: its weights, log and configuration are saved (a picture or the report that could not be made
    is a warning); 1: an error, in one message; 2: the command line was not understood; 130, 143, 129: stopped by
    Ctrl-C, SIGTERM, SIGHUP
    If the reader of the output goes away (`| head`), the work is still done and the exit status does not change.
    Words that were lost otherwise, as by a full disk, make a 0 a 1.
    """
    from minigan.training.callbacks import Steady
    from minigan.training.loop import ending_in_order

    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:  # closed: the next file that is opened would have its number, and be taken for it
            os.open(os.devnull, os.O_RDWR)
    out = Steady(sys.stdout)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(Steady(sys.stderr)), ending_in_order():
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
            for kind in _told():
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
        return _fail(f"the memory is full{_what_needs_less(cli, arguments)}")


def _what_needs_less(cli, arguments):
    """Of the options of the command that was called, those that its memory depends on."""
    words = sys.argv[1:] if arguments is None else arguments
    command = cli.commands.get(words[0]) if words else None
    flags = [flag for option in (command.params if command else ()) for flag in option.opts]
    found = [flag for flag in ("--batch", "--size", "--count") if flag in flags]
    return f"; a smaller {' or '.join(found)} needs less" if found else ""


def _warn(otherwise, message, category, *where, **how):
    """Show a warning that is meant for the user as one line, without the line of code that it comes from."""
    if issubclass(category, _told()):
        print(f"warning: {message}", file=sys.stderr)
    else:
        otherwise(message, category, *where, **how)


def _told():
    """The warnings that are meant for users of the tool."""
    from minigan.errors import RunWarning
    from minigan.kernels.cache import CacheWarning

    return RunWarning, CacheWarning


def _fail(message):
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

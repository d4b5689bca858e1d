"""The option --skip-unreadable, which all commands that read a data set share."""

import click

KEY = "minigan.skip_unreadable"

skip_unreadable_option = click.option(
    "--skip-unreadable",
    is_flag=True,
    expose_value=False,
    callback=lambda context, parameter, value: context.meta.__setitem__(KEY, value),
    help="Go on without the images of a folder that cannot be read.",
)


def skip_unreadable() -> bool:
    """Whether the present command was called with --skip-unreadable."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(KEY, False)

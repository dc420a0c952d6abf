"""The progress bar of long commands."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


def progress_bar(*, terminals_only: bool = False) -> Progress:
    """Return a progress bar on stderr, with rate and time left; elsewhere than on a terminal, a line at the end."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=terminals_only and not console.is_terminal)


class Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        """Return the column's text."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "-/s")

import io

from rich.console import Console

from trainer.metrics import Row
from trainer.progress import TrainingProgress


def shown(*, terminal: bool, steps: int = 25, done: int = 0) -> str:
    """What a person sees of a run whose steps take two seconds each."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=150, soft_wrap=True, color_system=None)
    with TrainingProgress(console, done=done, steps=steps, log_every=10) as progress:
        for step in range(done + 1, steps + 1):
            row = Row(
                step=step, loss=5.0, lr=1e-3, grad_norm=0.5, tokens=step, seconds=2.0 * step, tokens_per_second=1234.0
            )
            progress.step(row, {"books": step / 10})
    return output.getvalue()


def test_plain_lines_come_every_few_steps_and_at_both_ends():
    lines = shown(terminal=False).splitlines()
    assert [line.split()[1] for line in lines] == ["1/25", "10/25", "20/25", "25/25"]
    assert lines[1].endswith("loss 5.0000  lr 1.00e-03  grad 0.50  1,234 tokens/s  left 0:00:30  epochs: books 1.00")


def test_a_resumed_run_starts_with_its_first_step():
    lines = shown(terminal=False, done=12).splitlines()
    assert [line.split()[1] for line in lines] == ["13/25", "20/25", "25/25"]
    assert "left 0:00:10" in lines[1]


def test_a_terminal_shows_a_bar():
    screen = shown(terminal=True)
    assert "step 25/25" in screen
    assert "left" in screen
    assert "epochs: books 2.50" in screen

from trainer.metrics import Metrics, Row


def row(step: int) -> Row:
    return Row(step=step, loss=1 / 3, lr=0.1, grad_norm=1.0, tokens=8 * step, seconds=0.5, tokens_per_second=1.0)


def test_rows_are_in_the_file_at_once(tmp_path):
    with Metrics(tmp_path, steps_done=0) as metrics:
        metrics.append(row(1))
        assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 1
        metrics.append(row(2))
    with Metrics(tmp_path, steps_done=2) as again:
        assert again.rows == [row(1), row(2)]


def test_rows_after_the_checkpoint_are_taken_back(tmp_path):
    with Metrics(tmp_path, steps_done=0) as metrics:
        for step in range(1, 6):
            metrics.append(row(step))
    with Metrics(tmp_path, steps_done=3) as metrics:
        metrics.append(row(4))
    with Metrics(tmp_path, steps_done=9) as metrics:
        assert [entry["step"] for entry in metrics.rows] == [1, 2, 3, 4]


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path):
    with Metrics(tmp_path, steps_done=0) as metrics:
        metrics.append(row(1))
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 2, "lo')
    with Metrics(tmp_path, steps_done=5) as metrics:
        assert metrics.rows == [row(1)]
        metrics.append(row(2))
    with Metrics(tmp_path, steps_done=5) as metrics:
        assert metrics.rows == [row(1), row(2)]

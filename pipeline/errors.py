"""What can go wrong in a step of a workflow, and what it costs."""

EXIT_REFUSED = 1
EXIT_BAD_INPUT = 2


class PipelineError(Exception):
    """A step cannot go on; each message says what was wrong, with which value, and what to do next."""

    def __init__(self, *messages: str, exit_code: int = EXIT_BAD_INPUT) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages
        self.exit_code = exit_code

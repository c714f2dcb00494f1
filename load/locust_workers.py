"""Who runs the plan: this process alone, or workers with a share each. Import it in load/locustfile.py only."""

import logging
from typing import Any

import gevent  # type: ignore[import-untyped]  # it ships no types
from locust import events
from locust.env import Environment
from locust.runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from load.locust_options import what_is_wrong

WORKER_ENDED = "paired_load_ended"
POLL_S = 0.25
NEVER = -1  # what --autoquit is where nobody gave it

log = logging.getLogger(__name__)


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def prepare(environment: Environment, **_: Any) -> None:
    """Let each process have the one user that it needs, and end at once where the run could not work.

    In the web UI the form can still supply what is missing, and a worker has its plan from the master, later.
    """
    options: Any = environment.parsed_options
    if isinstance(environment.runner, WorkerRunner):
        return
    # All at once: a worker that began later would be behind the others for the whole run.
    options.num_users = options.spawn_rate = 1
    if isinstance(environment.runner, MasterRunner):
        options.num_users = options.spawn_rate = options.expect_workers
        Workers(environment, environment.runner)
    elif options.headless and (wrong := what_is_wrong(options)):
        raise SystemExit(wrong)


class Workers:
    """The workers of a distributed run, as its master sees them: a user each, and the last to end ends the run."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self.environment = environment
        self.runner = runner
        self.started: set[str] = set()
        self.ended: set[str] = set()
        self.failed = False
        runner.register_message(WORKER_ENDED, self.note)
        events: Any = environment.events  # Locust leaves its hooks untyped
        events.test_start.add_listener(self.start)
        events.quitting.add_listener(self.leave)

    def start(self, **_: Any) -> None:
        """Share the rate among the workers that are there."""
        options: Any = self.environment.parsed_options
        self.started = {client.id for client in self.runner.clients.all if client.state != STATE_MISSING}
        self.ended.clear()
        self.failed = False
        options.expect_workers = len(self.started)
        gevent.spawn(self.follow, options.expect_workers)

    def note(self, msg: Any, **_: Any) -> None:
        """Take note of a worker that has ended its share, or could not begin it."""
        self.ended.add(msg.node_id)
        if msg.data:
            self.failed = True
            log.error("%s (worker %s)", msg.data, msg.node_id)

    def follow(self, workers: int) -> None:
        """End the run with its last worker; one that is gone is waited for no longer."""
        if self.runner.target_user_count != workers:
            self.failed = True
            log.error(
                "load: %s users for %s workers; each needs one: start again with as many users as workers",
                self.runner.target_user_count,
                workers,
            )
        while self.runner.state == STATE_SPAWNING or (self.present() - self.ended and not self.failed):
            if self.runner.state not in {STATE_SPAWNING, STATE_RUNNING}:
                return  # somebody has ended it in the web UI
            gevent.sleep(POLL_S)
        for lost in self.started - self.ended:
            log.error("load: worker %s has not ended its share; its rows are those of a run cut off", lost)
        end_test(self.environment)

    def present(self) -> set[str]:
        return {client.id for client in self.runner.clients.all if client.state != STATE_MISSING} & self.started

    def leave(self, **_: Any) -> None:
        """Say by the exit code whether all workers have done their share."""
        if self.failed or self.started - self.ended:
            self.environment.process_exit_code = 1


def end_test(environment: Environment) -> None:
    """End the test, and the process too unless its web UI is to stay."""
    options: Any = environment.parsed_options
    runner: Any = environment.runner
    web_ui: Any = environment.web_ui
    if options.headless:
        runner.quit()
        return
    runner.stop()
    if options.autoquit != NEVER:
        gevent.sleep(options.autoquit)
        runner.quit()
        web_ui.stop()

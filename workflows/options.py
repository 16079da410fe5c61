"""The named time-outs, retry policies and queues of every workflow."""

from datetime import timedelta

from temporalio.common import RetryPolicy

TASK_QUEUE = "carillon"

# Claiming takes 5 seconds at most, composing 4, the provider 8, recording 5: the activity ends by itself, and always
# with what it knows.
DELIVERY_TIMEOUT = timedelta(seconds=30)
DATABASE_TIMEOUT = timedelta(seconds=10)

# The run of a schedule takes up fifty at once, and each of them waits two seconds at most for others with its key.
BATCH_TIMEOUT = timedelta(seconds=60)

# The slowest of them decides: places, then the same steps as for one.
PAGE_TIMEOUT = timedelta(seconds=40)

# Running a delivery again is safe: the claim makes the second run find what the first one did. So the database may be
# away for as long as it likes; nothing is sent meanwhile.
PATIENT = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=1),
)

# What is done again in half a minute anyway is not tried for long.
BRIEF = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=3)

# Connecting takes 5 seconds at most, answering 10, writing it down 5.
CALL_TIMEOUT = timedelta(seconds=30)
# A tenant's service that is away for an hour is still asked; afterwards somebody has to look.
CALLING = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=3.0,
    maximum_interval=timedelta(minutes=10),
    maximum_attempts=12,
)

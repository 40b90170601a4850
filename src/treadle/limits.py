"""Every limit, named with its unit, with AWS's value as the default.

The line above a group says whose they are: AWS's are those of the quotas pages of the developer guides, of the Amazon
States Language and of the service models, if no other source is named; a bound of ours protects the server.
`config.py` reads overrides from the environment (`TREADLE_LIMIT_<NAME>`); everything else is handed a `Limits`.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that a self-hosted server may change. All sizes are bytes of UTF-8 unless the name says otherwise."""

    # -- requests (bounds of ours where no source is named) --------------------------------------------------------

    request_bytes: int = 1_048_576
    """Body of one API request (the quotas page)."""
    request_drain_bytes: int = 16 * 1_048_576
    """Body of a request that is too large: so much of it is read and thrown away, so that its sender, who has not
    finished sending, gets to read the answer."""
    request_seconds: int = 60
    """Longest time that the body of one API request may take to arrive."""
    requests_under_way: int = 1_000
    """Requests of Step Functions' API that wait for the server at once; the next one gets ThrottlingException."""
    executions_in_memory: int = 100_000
    """Executions at work at once, some ten kilobytes each; a start that would bring one more gets ThrottlingException.
    Those that sleep or wait for an outside answer are not in memory."""
    throttled_milliseconds: int = 1_000
    """How long a request that is refused so waits for its answer."""
    json_depth: int = 1_000
    """Nesting of arrays and objects in any JSON that is sent in."""
    page_items: int = 1_000
    """Largest maxResults of a listing (the service model)."""
    page_items_default: int = 100
    """Items of a page, if a request does not say (the service model)."""
    signature_skew_seconds: int = 300
    """How far the time of a signature may be from the server's: AWS's own refusals name five minutes for most
    services ("Signature expired: ... - 5 min.")."""
    presigned_seconds: int = 604_800
    """Longest time that a presigned request may be good for: seven days, as in the IAM User Guide."""
    chunk_head_bytes: int = 16_384
    """What stands before one chunk of a signed upload, or behind the last one."""
    access_keys: int = 1_000
    """Access keys that the database holds, revoked ones included (a bound of ours)."""

    # -- event streams (bounds of ours) ----------------------------------------------------------------------------

    stream_backlog_events: int = 100
    """History events that wait in memory for one reader of an event stream; one that falls behind further reads on
    from the database."""
    stream_keep_alive_seconds: int = 15
    """A reader of an event stream hears something at least this often."""
    stream_send_seconds: int = 30
    """Longest time that a reader of an event stream may take to accept what is sent."""

    # -- what there may be in an account and region (AWS's) --------------------------------------------------------

    machines: int = 10_000
    """State machines of one account and region."""
    machine_versions: int = 1_000
    """Published versions of one state machine."""
    machine_aliases: int = 100
    """Aliases of one state machine."""
    activities: int = 10_000
    """Activities of one account and region."""
    tags: int = 50
    """Tags of one resource."""
    name_characters: int = 80
    """Name of a state machine, an execution or an activity."""

    # -- nodes on one database (bounds of ours) --------------------------------------------------------------------

    node_look_milliseconds: int = 1_000
    """How often a node looks who is there, and after what notices did not tell of."""
    node_silence_seconds: int = 10
    """A node from which the database has not heard for so long loses its shards."""
    node_answer_seconds: int = 30
    """How long a node waits for the one that runs an execution; then the request may be made again."""
    shard_drain_seconds: int = 20
    """How long a shard that is let go of waits for the tasks of its executions; what has not ended then is begun again
    by the next holder."""

    # -- definitions (AWS's; the depth, and how they are checked, are ours) ----------------------------------------

    definition_bytes: int = 1_048_576
    """Text of a state machine definition."""
    state_name_characters: int = 80
    """Name of a state."""
    variable_name_characters: int = 80
    """Name of a variable."""
    label_characters: int = 40
    """Label of a Map state."""
    seconds_max: int = 99_999_999
    """Largest value of any field in seconds (Wait, TimeoutSeconds, HeartbeatSeconds, IntervalSeconds)."""
    timeout_seconds_default: int = 99_999_999
    """TimeoutSeconds of a task that names none."""
    retry_attempts_max: int = 99_999_999
    """Largest MaxAttempts of a retrier."""
    retry_delay_seconds_max: int = 31_622_400
    """Largest MaxDelaySeconds of a retrier: 366 days."""
    diagnostics: int = 100
    """Findings about a definition that one answer lists."""
    definition_depth: int = 100
    """Nesting of arrays and objects in a definition; each Parallel within another takes four levels."""
    definition_file_bytes: int = 8 * 1_048_576
    """A file that `treadle validate` reads; in YAML, or indented, it is longer than the definition in it."""
    definition_characters_at_once: int = 65_536
    """A definition up to this size is checked while others wait; a larger one in a thread of its own."""

    # -- executions (AWS's, unless it says otherwise) --------------------------------------------------------------

    payload_bytes: int = 262_144
    """Input, output and result of an execution, state or task."""
    variable_bytes: int = 10 * 1_048_576
    """All workflow variables of one execution. (What one state assigns is bounded by `payload_bytes`.)"""
    history_events: int = 25_000
    """Events in the history of a Standard execution."""
    execution_seconds_standard: int = 31_536_000
    """Longest run of a Standard execution: one year."""
    execution_seconds_express: int = 300
    """Longest run of an Express execution."""
    test_state_seconds: int = 300
    """Longest run of a state that TestState tests."""
    cause_characters: int = 32_768
    """Cause of a failure, as the API's model bounds it."""
    executions_open: int = 1_000_000
    """Standard executions that run at once, of all accounts, children of map runs among them; a start or a redrive that
    would be one more gets ExecutionLimitExceeded. (AWS counts each account and region for itself.)"""
    redrive_days: int = 14
    """Days after its end during which an execution counts as redrivable."""
    map_concurrency: int = 40
    """Iterations of one inline Map that run at once, when MaxConcurrency is 0 or larger than this."""
    activity_wait_seconds: int = 60
    """How long GetActivityTask waits for a task."""
    activity_workers: int = 100_000
    """Workers that wait for tasks of one activity at the same time (AWS: 1,000)."""

    # -- how executions share the server (bounds of ours) ----------------------------------------------------------

    transitions_per_turn: int = 1_000
    """State transitions of one execution before others get their turn, for fairness."""
    machines_cached: int = 1_000
    """State machines that are remembered as they were last read."""
    programs_cached: int = 1_000
    """Compiled definitions that are kept: those used last."""

    # -- retention: how executions leave the database that ended long ago (bounds of ours) -------------------------

    retention_pass_seconds: int = 600
    """From one search for executions that ended too long ago to the next."""
    retention_executions: int = 100
    """Executions that are removed in one transaction, without what they leave behind."""
    retention_rows: int = 500
    """Rows of what they leave behind (journals, children of map runs) that are removed in one transaction."""

    # -- Distributed Map (AWS's) -----------------------------------------------------------------------------------

    map_run_concurrency: int = 10_000
    """Children of one map run that run at once, when MaxConcurrency is 0 or larger than this."""
    map_runs_open: int = 1_000
    """Map runs of one account that are open at once; others wait for one of them to end."""
    map_run_redrives: int = 1_000
    """How often one map run is redriven (AWS, "Redriving Map Runs")."""
    reader_items: int = 100_000_000
    """Largest MaxItems of an ItemReader; no more are read without one either."""
    reader_header_bytes: int = 10_240
    """All column names of a CSV object together."""
    reader_parquet_bytes: int = 5 * 1_073_741_824
    """A Parquet object, of which a temporary copy is made."""
    result_file_bytes: int = 5 * 1_073_741_824
    """One file of results that a ResultWriter writes; then another begins."""

    # -- Distributed Map: what is in memory (bounds of ours) -------------------------------------------------------

    reader_line_characters: int = 1_048_576
    """One line, or one item of JSON, that an ItemReader reads. (AWS bounds items at 256 KiB, and so does
    `payload_bytes`; here it is what of a bad object gets into memory.)"""
    reader_manifest_bytes: int = 16 * 1_048_576
    """The manifest.json of an S3 inventory."""
    reader_threads: int = 4
    """Threads that parse what ItemReaders read, for all map runs together."""
    result_part_bytes: int = 8 * 1_048_576
    """Of a file of results: what is in memory, and sent to S3 as one part."""

    # -- paths (bounds of ours) ------------------------------------------------------------------------------------

    expression_characters: int = 10_000
    """Text of one path or intrinsic function call."""
    expression_depth: int = 50
    """Nesting of filters, parentheses and literals inside one path."""
    path_steps: int = 1_000_000
    """Values that the evaluation of one path may look at: about a second of work."""

    # -- intrinsic functions (AWS's) -------------------------------------------------------------------------------

    intrinsic_depth: int = 10
    """Nesting of intrinsic functions."""
    intrinsic_characters: int = 10_000
    """Text that States.Base64Encode, Base64Decode and Hash take."""
    array_range_items: int = 1_000
    """Result of States.ArrayRange."""

    # -- JSONata ---------------------------------------------------------------------------------------------------

    jsonata_characters: int = 100_000
    """Text of one JSONata expression (a bound of ours; AWS's, if it has one, is not known)."""
    jsonata_depth: int = 100
    """Nesting of a JSONata evaluation, in expressions within expressions, through the calls of functions: 100 is
    accepted and 101 refused on AWS (reported in github.com/floci-io/floci, issue 2737)."""
    jsonata_value_bytes: int = 24 * 873_782
    """One value that a JSONata expression makes, at 24 bytes per item and 4 per character. It lies between what AWS
    accepts (an array of 873,782 items, a string of 2^22 characters) and what it refuses (one item more, 2^23
    characters; reported in github.com/floci-io/floci, issue 2737)."""
    jsonata_total_bytes: int = 128 * 1_048_576
    """All values that one JSONata evaluation makes, kept or not, counted so (a bound of ours)."""
    jsonata_steps: int = 500_000
    """Work of one JSONata evaluation, in calls and items looked at: half a second to a second (AWS bounds the time)."""
    jsonata_backtracking_milliseconds: int = 100
    """One search of a JSONata regular expression with lookaround or back-references; all others take a time that
    grows with the text alone (a bound of ours)."""

    # -- functions: what they are made of (Lambda's, unless it says otherwise) -------------------------------------

    function_archive_bytes: int = 50 * 1_048_576
    """A zip archive with a function's code."""
    function_code_bytes: int = 250 * 1_048_576
    """A function's code, unpacked."""
    function_code_files: int = 50_000
    """Files and folders in a function's code (a bound of ours)."""
    function_total_code_bytes: int = 75 * 1_073_741_824
    """Archives of one account and region, as GetAccountSettings tells it (75 GB; nothing is refused for it)."""
    function_layers: int = 5
    """Layers of one function."""
    function_policy_bytes: int = 20_480
    """The policy of one function, or of a version or alias of it."""
    function_concurrency: int = 1_000
    """Invocations at once that the functions of one account and region may reserve, as far as Lambda counts."""
    function_concurrency_unreserved: int = 100
    """How many of these must stay for functions that reserve nothing."""

    # -- functions: invocations (Lambda's, unless it says otherwise) -----------------------------------------------

    function_request_bytes: int = 6 * 1_048_576
    """Payload of one function invocation, and of its answer."""
    function_client_context_bytes: int = 3_583
    """ClientContext of an invocation, in Base64."""
    function_timeout_seconds: int = 900
    """Longest run of one function invocation; a task's own TimeoutSeconds may end it sooner."""
    function_stream_bytes: int = 20 * 1_048_576
    """Answer of a function that streams it (Lambda's was so much at first)."""
    function_stream_buffer_bytes: int = 262_144
    """Of a streamed answer, what waits in memory for its reader; a handler that writes more waits until it is taken."""
    function_url_metadata_bytes: int = 65_536
    """Status and headers that a handler streams before the body of its answer to a function URL (a bound of ours)."""

    # -- functions: workers (bounds of ours where no source is named) ----------------------------------------------

    function_init_seconds: int = 10
    """Longest start of a worker: importing the handler's module (Lambda's). One that takes longer is started again,
    under the time-out of the invocation."""
    function_provisioned_init_seconds: int = 130
    """The same of a worker of provisioned concurrency, if the function has no longer time-out (Lambda's)."""
    function_idle_seconds: int = 300
    """A worker without an invocation for this long is ended."""
    function_workers: int = 64
    """Worker processes of all functions together; further invocations wait their turn."""
    function_workers_each: int = 40
    """Worker processes of one function: as many as an inline Map has iterations at once."""
    function_header_bytes: int = 2 * 1_048_576
    """Head of one request to the Lambda Runtime API (the official client puts a stack trace of up to 1 MiB there)."""
    function_processes: int = 1_024
    """Processes and threads of one worker: of Lambda's quotas."""
    function_open_files: int = 1_024
    """Open files of one process of a worker: of Lambda's quotas."""
    function_memory_headroom_megabytes: int = 1_024
    """MiB that a Python function may allocate beyond its memory size, because not all that is allocated is used: the
    stack of each thread, 8 MiB, and an arena of memory for each (a bound of ours)."""

    # -- functions: their output (bounds of ours where no source is named) -----------------------------------------

    function_log_tail_bytes: int = 4_096
    """Last part of an invocation's output, as LogType Tail returns it."""
    function_log_file_bytes: int = 10 * 1_048_576
    """A function's log file; one older file of this size is kept beside it."""
    function_output_bytes_per_second: int = 64 * 1_048_576
    """Output that is read from one worker; a worker that writes more waits until it is read."""
    function_logs_milliseconds: int = 1_000
    """Output of functions reaches CloudWatch Logs this long after it was written."""
    function_logs_backlog_characters: int = 8 * 1_048_576
    """Output of functions that waits in memory for CloudWatch Logs; beyond it the oldest is dropped."""
    function_logs_emulated_bytes: int = 64 * 1_048_576
    """Output of functions that the emulator of CloudWatch Logs holds in its memory; beyond it the oldest streams are
    deleted."""
    function_logs_close_seconds: int = 2
    """Longest time that a server that stops waits for CloudWatch Logs."""

    # -- event sources (bounds of ours where no source is named) ---------------------------------------------------

    event_source_mappings: int = 1_000
    """Event source mappings of one account and region."""
    event_source_filters: int = 5
    """Filters of one mapping (Lambda's)."""
    event_source_concurrency: int = 10
    """Batches of one mapping under way at once, unless its ScalingConfig says (Lambda begins with 5 and goes on to
    more as long as there are messages)."""
    event_source_wait_seconds: int = 20
    """How long one poll of a queue waits for messages: the most that SQS allows."""
    event_source_idle_seconds: int = 1
    """Longest pause between polls that do not wait, of queues and of the shards of streams, while nothing comes."""
    event_source_pause_seconds: int = 10
    """Longest pause of a mapping whose source or function is not there, before it looks again; and of a batch of a
    stream's records that fails, before it is tried again."""

    # -- asynchronous invocations (Lambda's) -----------------------------------------------------------------------

    event_payload_bytes: int = 1_048_576
    """Payload of an asynchronous invocation."""
    event_retries: int = 2
    """How often an asynchronous invocation is repeated whose function fails, unless its configuration says less."""
    event_first_retry_milliseconds: int = 60_000
    """From the first failure of the function to the next attempt."""
    event_second_retry_milliseconds: int = 120_000
    """From the second to the third."""
    event_age_seconds: int = 21_600
    """How long an event waits for its function at most, unless its configuration says less: six hours."""
    event_chain: int = 16
    """How often a function may be invoked in one chain of events before the chain is cut off as endless."""

    # -- deliveries (bounds of ours) -------------------------------------------------------------------------------

    deliveries_at_once: int = 48
    """Attempts to deliver that run at once, to functions and all other targets; the workers of functions that are left
    are for those who wait for an answer."""
    deliveries_at_once_each: int = 32
    """Of these, attempts for one target."""
    delivery_seconds: int = 21_600
    """How long a delivery is tried to a target that is no function and cannot be reached."""
    delivery_pause_milliseconds: int = 1_000
    """The first pause when a target takes nothing; each further one is twice as long."""
    delivery_pause_longest_milliseconds: int = 300_000
    """The longest of these pauses: five minutes."""

    # -- the emulator (bounds of ours) -----------------------------------------------------------------------------

    neighbour_start_seconds: int = 60
    """Longest start of the emulator of AWS's services; requests wait so long for it."""
    neighbour_survival_seconds: int = 600
    """How long the emulator waits for the next server of the same data folder when one has died; 0: not at all."""
    neighbour_deliveries: int = 10_000
    """Deliveries of the emulator to functions and state machines that wait to be made; further ones are lost."""
    neighbour_delivery_seconds: int = 3_600
    """How long the emulator tries a delivery again that the server cannot take."""

    # -- calls to neighbours (bounds of ours) ----------------------------------------------------------------------

    neighbour_connect_seconds: int = 5
    """Longest time that a neighbour may take to accept a connection."""
    neighbour_silence_seconds: int = 300
    """Longest time without a byte of an answer from a neighbour."""
    neighbour_call_seconds: int = 960
    """Longest call of a task to a neighbour, its whole answer included, however it drips. (The longest that AWS has is
    Lambda's Invoke, 900 seconds; a task's own TimeoutSeconds may end it sooner.)"""
    neighbour_connections: int = 256
    """Connections to one neighbour; further requests wait their turn."""
    neighbour_calls: int = 192
    """Calls of tasks that one neighbour is asked at once. Fewer than there are connections, so that requests of clients
    need not wait until ten thousand tasks have been served."""
    neighbour_header_bytes: int = 65_536
    """One header of a neighbour's answer."""
    neighbour_signed_bytes: int = 16 * 1_048_576
    """Body of a request to a neighbour whose signature covers it and does not say its hash: it is held in memory
    until the signature is checked."""
    neighbour_answer_bytes: int = 8 * 1_048_576
    """Answer of a neighbour to a task. (The task's result has the bound `payload_bytes`.)"""

    # -- HTTP tasks and API Gateway (bounds of ours where no source is named) --------------------------------------

    http_task_seconds: int = 60
    """Longest request of an HTTP task, and of a call of API Gateway (the quotas page)."""
    http_task_connections: int = 1_000
    """Connections of all HTTP tasks together; further requests wait their turn, within their time."""
    oauth_token_seconds: int = 3_600
    """How long an OAuth token is used whose answer does not say how long it is good for (a guess of ours)."""
    oauth_tokens: int = 1_000
    """OAuth tokens that are remembered: those used last."""
    api_integration_seconds: int = 29
    """Longest work behind a call of one of API Gateway's APIs (its quotas page)."""
    api_body_bytes: int = 10 * 1_048_576
    """Body of a call of one of API Gateway's APIs, and of its answer (its quotas page)."""

    # -- jobs (bounds of ours where no source is named) ------------------------------------------------------------

    job_processes: int = 64
    """Jobs whose command runs at the same time; further ones wait their turn."""
    job_log_bytes: int = 10 * 1_048_576
    """Log file of one job; what it writes beyond that is dropped."""
    job_stop_seconds: int = 30
    """How long a job may take to end after SIGTERM, before SIGKILL (the default stopTimeout of an ECS container)."""
    emr_instances: int = 4_000
    """Instances of one cluster: what AWS gives an instance fleet at most (the EMR management guide)."""
    emr_active_steps: int = 256
    """Steps of one cluster that have not ended (the EMR management guide)."""

    # -- tasks that wait for jobs (bounds of ours) -----------------------------------------------------------------

    job_poll_milliseconds_min: int = 20
    """A task that waits for a job asks for it at intervals of a twentieth of its wait so far: at least this..."""
    job_poll_seconds_max: int = 30
    """... and at most this, or longer if so many wait that all together would ask more often than..."""
    job_polls_per_second: int = 100
    """... this."""
    job_polls_at_once: int = 32
    """Tasks that ask for their jobs at the same time; others wait their turn."""
    job_missing_polls: int = 5
    """So many answers in a row that there is no such job, and its task has failed: services may need a moment to know
    of a job that they have begun."""
    job_cancel_seconds: int = 10
    """How long a job that is to be cancelled is tried again while its service does not answer."""


DEFAULT_LIMITS = Limits()

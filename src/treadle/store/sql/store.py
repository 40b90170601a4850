"""All tables together: what a database's store has beside its own way to write executions."""

from __future__ import annotations

from treadle.store.sql.access_keys import AccessKeyTables
from treadle.store.sql.activities import ActivityTables
from treadle.store.sql.deliveries import DeliveryTables
from treadle.store.sql.event_sources import EventSourceTables
from treadle.store.sql.executions import ExecutionTables
from treadle.store.sql.functions import FunctionTables
from treadle.store.sql.jobs import JobTables
from treadle.store.sql.layers import LayerTables
from treadle.store.sql.machines import MachineTables
from treadle.store.sql.map_runs import MapRunTables
from treadle.store.sql.retention import RetentionTables


class SqlTables(
    MachineTables,
    ActivityTables,
    AccessKeyTables,
    FunctionTables,
    LayerTables,
    MapRunTables,
    ExecutionTables,
    RetentionTables,
    EventSourceTables,
    JobTables,
    DeliveryTables,
):
    """Implements `store.contract.Store`, but for `open`, `close`, `secret`, `execution_id` and `commit`."""

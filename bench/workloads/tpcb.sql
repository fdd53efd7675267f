-- pgbench TPC-B: many transactions of four changes. bench/lib/workloads.py runs pgbench instead of load().
ALTER TABLE pgbench_accounts REPLICA IDENTITY FULL;
ALTER TABLE pgbench_branches REPLICA IDENTITY FULL;
ALTER TABLE pgbench_tellers REPLICA IDENTITY FULL;
ALTER TABLE pgbench_history REPLICA IDENTITY FULL;

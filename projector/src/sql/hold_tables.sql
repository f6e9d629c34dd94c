-- verify::rows: keeps the live tables in their place until the transaction ends, which may sit idle meanwhile. No binds.
lock table checkpoints, orders, licenses, license_types, clubs, parked_events in access share mode;
set local idle_in_transaction_session_timeout = 0

//! The migrations of `read-model` and the engine make the same tables of the engine.

use crate::world::World;

const CREATE: &str = include_str!("../../../crates/engine/projection/src/sql/create_tables.sql");

/// Name, type and nullability of every column, constraints and indexes of the four tables in a schema.
const SHAPE: &str = "
    select string_agg(line, e'\\n' order by line)
    from (
        select concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) as line
        from information_schema.columns
        where table_schema = $1 and table_name in ('checkpoints', 'leases', 'log_heads', 'parked_events')
        union all
        select concat_ws(' ', relname, pg_get_constraintdef(con.oid))
        from pg_constraint con join pg_class c on c.oid = conrelid
        where c.relnamespace = to_regnamespace($1::text) and relname in ('checkpoints', 'leases', 'log_heads', 'parked_events')
        union all
        select replace(indexdef, ' ' || schemaname || '.', ' ')
        from pg_indexes
        where schemaname = $1 and tablename in ('checkpoints', 'leases', 'log_heads', 'parked_events')
    ) lines";

#[tokio::test]
async fn the_published_tables_are_those_of_the_engine() {
    let world = World::shared().await;
    let client = world.read.get().await.unwrap();
    let create =
        format!("create schema engine; set search_path = engine; {CREATE}; set search_path = public");
    client.batch_execute(&create).await.unwrap();
    let published: String = client.query_one(SHAPE, &[&"public"]).await.unwrap().get(0);
    let engine: String = client.query_one(SHAPE, &[&"engine"]).await.unwrap().get(0);
    assert_eq!(published, engine);
}

//! `projector rebuild`: the rows again in a shadow schema, then as the live rows, while reads and projection continue.

mod interrupted;
mod readers;
mod rows;

use tokio::process::Child;
use uuid::Uuid;

use crate::command::Said;
use crate::shop;
use crate::world::{Running, World, eventually};

/// A shop with some history, and a projector that runs.
async fn shop_with_history(purchases: u32) -> (World, Running) {
    let world = World::shared().await;
    let running = world.projector().await;
    world
        .append([
            shop::club("NMK Bodø"),
            shop::license_type(Uuid::now_v7(), "banedag-bil"),
        ])
        .await;
    let last = world.append((0..purchases).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    (world, running)
}

async fn rebuild(world: &World, more: &[&str]) -> Said {
    world
        .command(&[&["rebuild", "licensing", "--json"], more].concat())
        .await
}

async fn as_read_owner(world: &World, sql: &str) {
    world.read.get().await.unwrap().batch_execute(sql).await.unwrap();
}

/// The schemas that a rebuild makes, as far as they are there.
pub(crate) async fn schemas(world: &World) -> String {
    let client = world.read.get().await.unwrap();
    client
        .query_one(
            "select coalesce(string_agg(nspname, ' ' order by nspname), '') from pg_namespace where nspname like 'licensing%'",
            &[],
        )
        .await
        .unwrap()
        .get(0)
}

/// Identity of the live table of orders.
async fn live_table(world: &World) -> i64 {
    world.count("select 'public.orders'::regclass::oid::bigint").await
}

pub(crate) async fn ended(child: Child) -> Said {
    let output = child.wait_with_output().await.unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Keeps every rebuild waiting where it makes its schema, until it is dropped.
pub(crate) async fn hold_migrations(world: &World) -> tokio_postgres::Client {
    let (owner, connection) = tokio_postgres::connect(&world.databases.read_owner, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    // The ASCII codes of `readmdl`, as in `read_model::migrate`.
    owner
        .batch_execute("select pg_advisory_lock(x'00726561646d646c'::bigint)")
        .await
        .unwrap();
    owner
}

/// Waits until a rebuild waits there.
pub(crate) async fn building(world: &World) {
    eventually("a rebuild has begun", async || {
        let there = "select count(*) from pg_namespace where nspname = 'licensing_rebuild'";
        (world.count(there).await == 1)
            .then_some(())
            .ok_or_else(|| "not yet".into())
    })
    .await;
}

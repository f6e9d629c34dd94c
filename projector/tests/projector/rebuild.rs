//! `projector rebuild`: the rows again, beside the live ones and then in their place, while everything goes on.

mod interrupted;
mod readers;
mod rows;

use tokio::process::Child;
use uuid::Uuid;

use crate::command::Said;
use crate::shop;
use crate::world::{Running, World};

/// A shop with some history, and a projector that goes on.
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
async fn schemas(world: &World) -> String {
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

async fn ended(child: Child) -> Said {
    let output = child.wait_with_output().await.unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

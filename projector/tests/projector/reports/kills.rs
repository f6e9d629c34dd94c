//! The program is killed again and again while the shop sells.

use std::time::Duration;

use super::sales::{Books, Sale};
use crate::world::{World, eventually};

#[tokio::test]
async fn sums_survive_a_kill_between_any_two_batches() {
    let world = World::shared().await;
    world.relay().await;
    let selling = async {
        let mut books = Books::new(2026);
        let mut last = None;
        for number in 0..120 {
            let mut sale = Sale::new(number);
            world.append(sale.buy()).await;
            last = Some(world.append([books.receipt(&sale)]).await);
        }
        last.unwrap()
    };
    let killing = async {
        for round in 1..=4 {
            let (mut child, _) = world.serve();
            let enough = round * 100;
            eventually(&format!("{enough} events are in the sums"), async || {
                let at = world.count_in_reports("select position from checkpoints").await;
                if at >= enough {
                    Ok(())
                } else {
                    Err(format!("{at}"))
                }
            })
            .await;
            // SIGKILL, in the middle of whatever it does.
            child.kill().await.unwrap();
        }
    };
    let (last, ()) = tokio::join!(selling, killing);
    let (mut child, _) = world.serve();
    world.projected_to(last).await;
    world.reported_to(last).await;
    child.kill().await.unwrap();
    for name in ["licensing", "reports"] {
        world.command(&["verify", name, "--json"]).await.well();
    }
    world.assert_reports_agree().await;
    tokio::time::timeout(Duration::from_secs(1), child.wait())
        .await
        .unwrap()
        .unwrap();
}

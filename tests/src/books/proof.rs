//! The system's own proofs: `projector verify`, which replays the log and compares rows and stream with it, and
//! `command-api log verify`, which compares every event with its seal.

use serde_json::Value;
use stack::Process;

use crate::Shop;

/// The output of a command, and the complaints about it.
pub(super) struct Proof {
    pub(super) said: Value,
    pub(super) complaints: Vec<String>,
}

/// The log is whole, the stream is the log, and the rows of both projections are a replay of it. What is said is of the rows
/// that pages read.
pub(super) async fn verify(shop: &Shop) -> Proof {
    let (licensing, reports) = (
        verify_of(shop, "licensing").await,
        verify_of(shop, "reports").await,
    );
    Proof {
        said: licensing.said,
        complaints: [licensing.complaints, reports.complaints].concat(),
    }
}

async fn verify_of(shop: &Shop, projection: &str) -> Proof {
    let proof = run(
        shop,
        Process::Projector,
        &["verify", projection, "--json", "--stream-sample", "0"],
        &[],
    )
    .await;
    let problems = ["problems", "unknown"].iter().flat_map(|name| {
        let told = proof.said[name].as_array().into_iter().flatten();
        told.map(|problem| format!("verify {projection}: {}", problem.as_str().unwrap_or_default()))
    });
    Proof {
        complaints: problems.chain(proof.complaints).collect(),
        said: proof.said,
    }
}

/// Every event is unchanged since it was sealed.
pub(super) async fn verify_seals(shop: &Shop) -> Proof {
    let key = [("SEAL_PUBLIC_KEY", shop.system.seal_public_key())];
    let proof = run(shop, Process::CommandApi, &["log", "verify", "--json"], &key).await;
    let findings = proof.said["findings"].as_array().into_iter().flatten();
    let told = findings.map(|finding| format!("seals: {finding}"));
    Proof {
        complaints: told.chain(proof.complaints).collect(),
        said: proof.said,
    }
}

async fn run(shop: &Shop, process: Process, args: &[&str], env: &[(&str, &str)]) -> Proof {
    let mut command = shop.system.command(process, args).unwrap();
    let output = command.envs(env.iter().copied()).output().await.unwrap();
    let complaints = if output.status.success() {
        Vec::new()
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        vec![format!("{process} {}: {}, {last}", args.join(" "), output.status)]
    };
    Proof {
        said: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        complaints,
    }
}

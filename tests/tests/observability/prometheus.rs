//! A real Prometheus, scraping with the committed configuration.

use std::process::Stdio;

use serde_json::Value;
use stack::Port;
use system_tests::{Shop, eventually};
use tokio::process::{Child, Command};

use crate::root;

/// A running Prometheus that has seen every service several times.
pub(crate) struct Prometheus {
    http: reqwest::Client,
    url: String,
    _port: Port,
    _child: Child,
}

impl Prometheus {
    /// `None` where Prometheus is not installed.
    pub(crate) async fn start(shop: &Shop) -> Option<Self> {
        let program = stack::prometheus()?;
        let dir = shop.system.logs().join("prometheus");
        std::fs::create_dir_all(&dir).expect("a directory");
        let config = dir.join("prometheus.yml");
        std::fs::write(&config, configuration(shop)).expect("a configuration");
        let port = Port::any().expect("a port");
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={}", port.address()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.join("log")).expect("a log file"))
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let prometheus = Self {
            http: shop.http().clone(),
            url: port.http_url(),
            _port: port,
            _child: child,
        };
        // A rate needs two samples.
        eventually("Prometheus has scraped all services", async || {
            let seen = prometheus
                .query("count(sum_over_time(up[1m]) >= 3) == 4")
                .await
                .ok()?;
            (!seen.is_empty()).then_some(())
        })
        .await;
        Some(prometheus)
    }

    /// The results of an instant query, or Prometheus's error.
    pub(crate) async fn query(&self, expr: &str) -> Result<Vec<Value>, String> {
        let url = format!("{}/api/v1/query", self.url);
        let answer = self.http.get(url).query(&[("query", expr)]).send().await;
        let answer: Value = answer
            .map_err(|error| error.to_string())?
            .json()
            .await
            .map_err(|error| error.to_string())?;
        match answer["data"]["result"].as_array() {
            Some(results) if answer["status"] == "success" => Ok(results.clone()),
            _ => Err(answer["error"].to_string()),
        }
    }
}

/// The committed configuration with this system's ports and a shorter interval.
fn configuration(shop: &Shop) -> String {
    let mut text = std::fs::read_to_string(root().join("grafana/prometheus.yml")).expect("a configuration");
    for (port, url) in [
        (9080, shop.system.command_ops_url()),
        (9081, shop.system.query_ops_url()),
        (9082, shop.system.projector_ops_url()),
        (9083, shop.system.front_door_ops_url()),
    ] {
        let documented = format!("\"127.0.0.1:{port}\"");
        assert!(text.contains(&documented), "{documented} is not scraped");
        text = text.replace(&documented, &format!("\"{}\"", url.trim_start_matches("http://")));
    }
    text.replace("scrape_interval: 5s", "scrape_interval: 250ms")
        .replace("scrape_timeout: 4s", "scrape_timeout: 250ms")
}

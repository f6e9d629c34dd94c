//! The summary that `make up` prints when it is ready, and the same for scripts in `.local/stack.env`.

use std::fmt::Write as _;

use crate::catalogue::Catalogue;
use crate::nats_logins::{NatsLogins, without_login};
use crate::process::Process;
use crate::proof::{self, Purchase};
use crate::system::{System, Tokens};

/// The settings that only one process can have begin with these: its addresses, its user in NATS, its log.
const OF_ONE_PROCESS: [&str; 4] = ["LISTEN", "OPS_LISTEN", "NATS_", "LOG_"];

/// The variables of `.local/stack.env`, in shell syntax.
pub fn stack_env(system: &System, tokens: &Tokens) -> anyhow::Result<String> {
    let url = system.servers().nats().url();
    // The operator may only read. For repairs the administrator's password is in its file.
    let (nats_url, nats_api_prefix) = match system.servers().nats_logins() {
        None => (url.to_owned(), "$JS.API"),
        Some(logins) => (
            logins.url_of("operator", &without_login(url))?,
            NatsLogins::api_prefix("operator"),
        ),
    };
    let databases = system.databases();
    let mut values: Vec<(&str, String)> = vec![
        ("EDGE_URL", system.edge_url()),
        ("COMMAND_API_URL", system.command_api_url()),
        ("QUERY_API_URL", system.query_api_url()),
        ("FRONT_DOOR_URL", system.front_door_url()),
        ("COMMAND_OPS_URL", system.command_ops_url()),
        ("QUERY_OPS_URL", system.query_ops_url()),
        ("FRONT_DOOR_OPS_URL", system.front_door_ops_url()),
        ("PROJECTOR_OPS_URL", system.projector_ops_url()),
        ("PAYMENT_EMULATOR_URL", system.payment_emulator_url()),
        ("MAIL_URL", system.mail_url()),
        ("EVENTS_DATABASE_URL", databases.events_owner.clone()),
        ("READ_DATABASE_URL", databases.read_owner.clone()),
        ("NATS_URL", nats_url),
        ("NATS_API_PREFIX", nats_api_prefix.to_owned()),
        ("REDIS_URL", system.servers().redis().url().to_owned()),
        ("SEAL_PUBLIC_KEY", system.seal_public_key().to_owned()),
        ("CUSTOMER_TOKEN", tokens.customer.clone()),
        ("CUSTOMER2_TOKEN", tokens.customer2.clone()),
        ("ORGANIZER_TOKEN", tokens.organizer.clone()),
        ("STAFF_TOKEN", tokens.staff.clone()),
        ("ADMIN_TOKEN", tokens.admin.clone()),
    ];
    if let Some(files) = system.servers().certificates() {
        values.extend([
            ("NATS_CA_FILE", files.authority.display().to_string()),
            ("NATS_CERT_FILE", files.client.certificate.display().to_string()),
            ("NATS_KEY_FILE", files.client.key.display().to_string()),
        ]);
    }
    // What the programs need for their other commands. Secrets are in files.
    for process in [Process::CommandApi, Process::QueryApi] {
        for (name, value) in system.settings(process) {
            let known = values.iter().any(|(known, _)| known == name);
            if !(known || OF_ONE_PROCESS.iter().any(|begin| name.starts_with(begin))) {
                values.push((name, value.clone()));
            }
        }
    }
    // Single quotes protect everything but a single quote. No URL or token has one, and paths are assumed to have none.
    Ok(values.iter().fold(String::new(), |text, (name, value)| {
        text + name + "='" + value + "'\n"
    }))
}

/// A variable's value in the text of `stack.env`.
pub(crate) fn value<'a>(stack_env: &'a str, name: &str) -> Option<&'a str> {
    let line = stack_env
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(line.trim_matches('\''))
}

/// The closing summary: the purchase, the addresses, and commands to try.
pub(crate) fn text(system: &System, catalogue: &Catalogue, purchase: &Purchase) -> String {
    let mut out = format!(
        "\nThe catalogue has {} license types and {} clubs ({} rows new), loaded through commands.\n\
         One license was bought to prove that everything works (order {}, license {}):\n",
        catalogue.license_types.len(),
        catalogue.clubs.len(),
        catalogue.created,
        purchase.order_id,
        purchase.license_id
    );
    for (hop, took) in &purchase.hops {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {:>8.1} ms  {hop}", took.as_secs_f64() * 1000.0);
    }
    let total: std::time::Duration = purchase.hops.iter().map(|(_, took)| *took).sum();
    let _ = writeln!(out, "  {:>8.1} ms  in all\n", total.as_secs_f64() * 1000.0);
    let _ = writeln!(
        out,
        "Its document, for the customer's token (?lang=en for English):\n  {}/api/v1/licenses/{}/license.pdf\n",
        system.query_api_url(),
        purchase.license_id
    );
    let _ = writeln!(
        out,
        "  {:<17} {:<23} pages and both APIs at one address",
        "edge",
        system.edge_url()
    );
    for (name, url, ops) in [
        ("command-api", system.command_api_url(), system.command_ops_url()),
        ("query-api", system.query_api_url(), system.query_ops_url()),
        ("front-door", system.front_door_url(), system.front_door_ops_url()),
        ("projector", String::new(), system.projector_ops_url()),
        ("payment emulator", system.payment_emulator_url(), String::new()),
        ("letters", system.mail_url(), String::new()),
    ] {
        let ops = if ops.is_empty() {
            ops
        } else {
            format!("metrics and health at {ops}")
        };
        let line = format!("  {name:<17} {url:<23} {ops}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for (replica, process) in system.servers().replicas().zip(Process::REPLICAS) {
        // The host and the port of the URL, without the login.
        let address = replica
            .url()
            .rsplit('@')
            .next()
            .and_then(|rest| rest.split('/').next());
        let line = format!("  {:<17} {}", process.name(), address.unwrap_or_default());
        let _ = writeln!(out, "{line:<41} read by query-api");
    }
    out + &try_it(catalogue)
}

/// Three commands for a shell with curl.
fn try_it(catalogue: &Catalogue) -> String {
    let club = catalogue.clubs.first().map(|(club, _)| *club).unwrap_or_default();
    format!(
        r#"
All addresses, database URLs and tokens (customer, organizer, staff, admin) are in .local/stack.env;
logs are in .local/logs. In another terminal, order a license, approve its payment, and read it back:

  . .local/stack.env; order=$(curl -sS "$COMMAND_API_URL/api/v1/orders" -H "Authorization: Bearer $CUSTOMER_TOKEN" -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" -H 'Content-Type: application/json' -d '{order}'); echo "$order"
  curl -sS -X POST -H 'Accept: application/json' "$(echo "$order" | sed -E 's/.*"redirect_url": ?"([^"]+)".*/\1/')/approve"
  curl -sS "$QUERY_API_URL/api/v1/orders/$(echo "$order" | sed -E 's/.*"order_id": ?"([^"]+)".*/\1/')?min_position=$(echo "$order" | sed -E 's/.*"position": ?([0-9]+).*/\1/')" -H "Authorization: Bearer $CUSTOMER_TOKEN"

It runs until Ctrl-C. `make token ROLE=staff` prints a fresh token; `make clean-data` forgets all data.
"#,
        order = proof::order(club)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_read_back_without_its_quotes() {
        let text = "CUSTOMER_TOKEN='abc'\nCUSTOMER2_TOKEN='def'\n";
        assert_eq!(value(text, "CUSTOMER_TOKEN"), Some("abc"));
        assert_eq!(value(text, "CUSTOMER2_TOKEN"), Some("def"));
        assert_eq!(value(text, "STAFF_TOKEN"), None);
    }
}

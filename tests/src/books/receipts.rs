//! The receipts: each year's numbers are 1, 2, 3 … in the order of the log, and each order's documents add up to what its
//! books say was collected and paid back.

use tokio_postgres::Client;

/// Series whose numbers have a gap or a double, or do not follow the log.
const SERIES: &str = "select aggregate_id::text, count(*)::bigint
    from (select aggregate_id, sequence, (payload::jsonb ->> 'number')::bigint as number,
              (payload::jsonb ->> 'cause')::bigint as cause,
              lag((payload::jsonb ->> 'cause')::bigint) over (partition by aggregate_id order by sequence) as before
          from events where event_type = 'ReceiptIssued') as receipts
    group by aggregate_id
    having not (bool_and(number = sequence) and bool_and(cause >= coalesce(before, 0)))";
/// Orders whose receipts are not what was collected in full, one `PaymentCaptured` each.
const CAPTURED: &str = "select c.aggregate_id::text
    from (select aggregate_id, max((payload::jsonb ->> 'captured_ore')::bigint) as captured
          from events where event_type = 'PaymentCaptured' group by aggregate_id) as c
    left join (select (payload::jsonb ->> 'order_id')::uuid as order_id, sum((payload::jsonb ->> 'gross_ore')::bigint) as gross
          from events where event_type = 'ReceiptIssued' and payload::jsonb ->> 'kind' = 'receipt' group by 1) as r
        on r.order_id = c.aggregate_id
    where r.gross is distinct from c.captured limit 20";
/// Documents whose lines do not add up to their sum.
const SUMS: &str = "select payload::jsonb ->> 'receipt_number'
    from events where event_type = 'ReceiptIssued'
      and (payload::jsonb ->> 'gross_ore')::bigint
          <> (select sum((line ->> 'gross_ore')::bigint) from jsonb_array_elements(payload::jsonb -> 'lines') as line)
    limit 20";

/// How many of the receipts of payments that were collected are there, and how many are due.
pub(super) const ISSUED_OF_DUE: &str = "select
    (select count(distinct payload::jsonb ->> 'order_id') from events
        where event_type = 'ReceiptIssued' and payload::jsonb ->> 'kind' = 'receipt'),
    (select count(distinct aggregate_id) from events where event_type = 'PaymentCaptured')";

pub(super) async fn complaints(log: &Client) -> Vec<String> {
    let mut complaints = Vec::new();
    for row in log.query(SERIES, &[]).await.unwrap() {
        let (series, count): (String, i64) = (row.get(0), row.get(1));
        complaints.push(format!(
            "receipts: the {count} numbers of series {series} have a gap, a double, or another order than the log"
        ));
    }
    for (sql, what) in [
        (CAPTURED, "receipts: not what was collected of order"),
        (SUMS, "receipts: the lines do not add up on"),
    ] {
        let rows = log.query(sql, &[]).await.unwrap();
        complaints.extend(
            rows.iter()
                .map(|row| format!("{what} {}", row.get::<_, String>(0))),
        );
    }
    complaints
}

//! A letter is sent, once. Its end is recorded after the exchange with the mail server, so a crash within the exchange may
//! send it twice, with the same `Message-ID`; nothing else does.

mod due;

use std::time::Duration;

use backon::{ConstantBuilder, Retryable as _};
use chrono::{TimeDelta, Utc};
use domain::{Letter, LetterOutcome, Letters, LettersCommand, Recipient, SmtpReply, letters_id};
use envelope::Personal;
use event_store::{CommandError, Task};
use lettre::Address;
use metrics::counter;
use serde_json::json;
use vocabulary::{LetterFailure, Word as _};

use self::due::{Due, Whom, content, due, is_forgotten, whom};
use super::context::ProcessContext;
use super::step::{Outcome, StepError, call, key, metadata};
use crate::erasure::complete_in;
use crate::letters::{Content, NotMade, NotTaken, Post, Trouble, Wrapped, address, message};
use crate::metrics::LETTERS_TOTAL;

pub(super) use self::due::age;

/// How long a letter is tried. After that the licenses are old news, and staff sees that it did not arrive.
const GIVE_UP: TimeDelta = TimeDelta::days(3);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(30);
/// How often the record of a letter that was sent is tried, a second apart: about as long as an attempt may take.
const RECORD_TRIES: usize = 240;

/// Why nothing was sent, for now.
#[derive(Debug, thiserror::Error)]
enum NotNow {
    #[error(transparent)]
    Server(#[from] Trouble),
    #[error(transparent)]
    Documents(#[from] NotMade),
    #[error("the message could not be composed")]
    Message,
    /// The task stays: the other worker may fail.
    #[error("another worker has begun")]
    NotMine,
}

impl NotNow {
    fn reply(self) -> Option<SmtpReply> {
        match self {
            Self::Server(trouble) => trouble.reply,
            Self::Documents(_) | Self::Message | Self::NotMine => None,
        }
    }
}

/// Sends the letter that the task's event asks for.
pub(super) async fn send(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let Some(due) = due(context, task).await? else {
        return Ok(Outcome::Done);
    };
    let Some(post) = &context.post else {
        return Ok(done(&due.letter, "not_configured"));
    };
    if has_end(context, &due.letter).await? {
        forget_again(context, task, &due).await?;
        return Ok(Outcome::Done);
    }
    let old = Utc::now() - due.since > GIVE_UP;
    if old && task.attempts <= 1 {
        // Planned for the first time long after its event, because the log began a new epoch: it is too late for a letter.
        return Ok(done(&due.letter, "too_old"));
    }
    let (to, language) = match whom(context, task, &due.placed).await? {
        Whom::Known(to, language) => (to, language),
        Whom::Forgotten => return Ok(done(&due.letter, "nothing_to_send")),
        Whom::Nobody => return give_up(context, task, &due, LetterFailure::NoAddress, None).await,
    };
    if old {
        return give_up(context, task, &due, LetterFailure::GaveUp, None).await;
    }
    let Ok(address) = address(to.address.expose()) else {
        return give_up(context, task, &due, LetterFailure::BadAddress, None).await;
    };
    let Some(brought) = content(context, &due, language).await? else {
        return Ok(done(&due.letter, "nothing_to_send"));
    };
    match exchange(context, task, post, &due.letter, &address, brought).await? {
        Ok(Handed::Over(sent, taken)) => end(context, task, &due, to, sent, taken).await,
        Ok(Handed::ByAnother) => Ok(Outcome::Done),
        Err(problem) => wait(context, task, &due, problem).await,
    }
}

async fn has_end(context: &ProcessContext, letter: &Letter) -> Result<bool, StepError> {
    let id = letters_id(letter.order_id);
    let letters = context.cashier.command_handler.load::<Letters>(id).await?;
    Ok(letters.aggregate.ended(letter.id()))
}

/// Who has sent a letter.
enum Handed {
    /// This worker, and what the server said.
    Over(Wrapped, Taken),
    /// Its end is recorded.
    ByAnother,
}

/// What the server said of a letter.
enum Taken {
    Yes,
    Refused(SmtpReply),
}

/// Makes the letter and hands it over. The server is asked for a connection first: while it is away, no document is made.
async fn exchange(
    context: &ProcessContext,
    task: &Task,
    post: &Post,
    letter: &Letter,
    to: &Address,
    brought: Content,
) -> Result<Result<Handed, NotNow>, StepError> {
    let mut exchange = match post.server.connect().await {
        Ok(exchange) => exchange,
        Err(trouble) => return Ok(Err(trouble.into())),
    };
    let made = match post.documents(brought).await {
        Ok(made) => made,
        Err(problem) => return Ok(Err(problem.into())),
    };
    let Ok(wrapped) = message(post, letter, to, made) else {
        return Ok(Err(NotNow::Message));
    };
    match exchange.offer(&post.from.email, to).await {
        Ok(()) => {}
        Err(NotTaken::Refused(reply)) => return Ok(Ok(Handed::Over(wrapped, Taken::Refused(reply)))),
        Err(NotTaken::Later(trouble)) => return Ok(Err(trouble.into())),
    }
    // A worker that was stopped for longer than its lease must not send what another one has sent meanwhile.
    let (mine, ended) = tokio::join!(
        context.tasks.renew(task, super::lanes::LEASE),
        has_end(context, letter)
    );
    if ended? {
        return Ok(Ok(Handed::ByAnother));
    }
    if !mine? {
        return Ok(Err(NotNow::NotMine));
    }
    Ok(match exchange.hand_over(&wrapped.bytes).await {
        Ok(()) => Ok(Handed::Over(wrapped, Taken::Yes)),
        Err(NotTaken::Refused(reply)) => Ok(Handed::Over(wrapped, Taken::Refused(reply))),
        Err(NotTaken::Later(trouble)) => Err(trouble.into()),
    })
}

/// Records what the server said. It said so only here, so the record is tried as long as this attempt may last.
async fn end(
    context: &ProcessContext,
    task: &Task,
    due: &Due,
    to: Recipient,
    sent: Wrapped,
    taken: Taken,
) -> Result<Outcome, StepError> {
    let (message_id, documents) = (sent.message_id, sent.documents);
    let outcome = |to: Recipient| match &taken {
        Taken::Yes => LetterOutcome::Sent {
            to,
            message_id: message_id.clone(),
            documents,
        },
        Taken::Refused(reply) => LetterOutcome::Refused {
            to,
            message_id: message_id.clone(),
            reply: reply.clone(),
        },
    };
    let record_once = async || {
        let to = still(context, task, to.clone()).await?;
        record(context, task, due, outcome(to)).await
    };
    let pace = ConstantBuilder::new()
        .with_delay(Duration::from_secs(1))
        .with_max_times(RECORD_TRIES);
    record_once.retry(pace).when(may_pass).await?;
    forget_again(context, task, due).await?;
    let (order_id, letter_id) = (due.letter.order_id, due.letter.id());
    Ok(match &taken {
        Taken::Yes => {
            tracing::info!(%order_id, %letter_id, "letter sent");
            done(&due.letter, "sent")
        }
        Taken::Refused(reply) => {
            tracing::warn!(%order_id, %letter_id, code = reply.code, "letter refused");
            done(&due.letter, "refused")
        }
    })
}

/// Whether the log may take the record later.
const fn may_pass(error: &StepError) -> bool {
    !matches!(error, StepError::Command(CommandError::Refused(_)))
}

/// The recipient without the address, if they were forgotten during the exchange.
async fn still(context: &ProcessContext, task: &Task, to: Recipient) -> Result<Recipient, StepError> {
    let address = if is_forgotten(context, task, to.id).await? {
        Personal::erased()
    } else {
        to.address
    };
    Ok(Recipient { id: to.id, address })
}

/// The address may have been recorded after its owner was forgotten, although [`still`] looked before.
async fn forget_again(context: &ProcessContext, task: &Task, due: &Due) -> Result<(), StepError> {
    let holder = due.placed.lines.first().and_then(|first| first.holder_id);
    for person in [Some(due.placed.customer_id), holder].into_iter().flatten() {
        if is_forgotten(context, task, person).await? {
            let (handler, key) = (&context.cashier.command_handler, &context.holder_key);
            let of = (person, letters_id(due.letter.order_id));
            complete_in(handler, key, of, metadata(task)).await?;
        }
    }
    Ok(())
}

async fn record(
    context: &ProcessContext,
    task: &Task,
    due: &Due,
    outcome: LetterOutcome,
) -> Result<(), StepError> {
    let letter = due.letter.clone();
    let call = call(
        letters_id(letter.order_id),
        LettersCommand::End { letter, outcome },
        key(task, "end"),
        task,
    );
    let command_handler = &context.cashier.command_handler;
    command_handler.execute::<Letters>(call, |_, _| json!({})).await?;
    Ok(())
}

/// The letter waits, unless it has waited for too long.
async fn wait(
    context: &ProcessContext,
    task: &Task,
    due: &Due,
    problem: NotNow,
) -> Result<Outcome, StepError> {
    let again = Utc::now() + pause(task.attempts, fastrand::f64());
    let (order_id, letter_id) = (due.letter.order_id, due.letter.id());
    if again - due.since > GIVE_UP {
        tracing::error!(%order_id, %letter_id, attempts = task.attempts, error = %problem, "a letter is given up");
        return give_up(context, task, due, LetterFailure::GaveUp, problem.reply()).await;
    }
    tracing::warn!(%order_id, %letter_id, attempts = task.attempts, error = %problem, "a letter waits");
    count(&due.letter, "put_off");
    Ok(Outcome::Again(again, problem.to_string()))
}

/// Records that a letter can't be delivered.
async fn give_up(
    context: &ProcessContext,
    task: &Task,
    due: &Due,
    reason: LetterFailure,
    reply: Option<SmtpReply>,
) -> Result<Outcome, StepError> {
    let to = match whom(context, task, &due.placed).await? {
        Whom::Known(to, _) => Some(to),
        Whom::Nobody | Whom::Forgotten => None,
    };
    record(
        context,
        task,
        due,
        LetterOutcome::Undeliverable { reason, to, reply },
    )
    .await?;
    Ok(done(&due.letter, "undeliverable"))
}

fn done(letter: &Letter, outcome: &'static str) -> Outcome {
    count(letter, outcome);
    Outcome::Done
}

fn count(letter: &Letter, outcome: &'static str) {
    counter!(LETTERS_TOTAL, "kind" => letter.kind.as_str(), "outcome" => outcome).increment(1);
}

/// Two seconds, doubled with every attempt, half an hour at most, and of that a half to the whole at random. `dice` is in 0
/// to 1.
fn pause(attempts: u32, dice: f64) -> TimeDelta {
    let whole = Duration::from_secs(1 << attempts.min(11)).min(LONGEST_PAUSE);
    TimeDelta::from_std(whole.mul_f64(0.5 + dice / 2.0)).unwrap_or(TimeDelta::minutes(30))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{GIVE_UP, pause};

    #[test]
    fn pauses_double_up_to_half_an_hour_and_are_spread_over_their_second_half() {
        let seconds = |attempts, dice| pause(attempts, dice).num_seconds();
        assert_eq!([seconds(1, 0.0), seconds(1, 1.0)], [1, 2]);
        assert_eq!([seconds(5, 0.0), seconds(5, 1.0)], [16, 32]);
        for attempts in [11, 12, 64, u32::MAX] {
            assert_eq!(pause(attempts, 1.0), TimeDelta::minutes(30));
        }
        // A server that is away for three days is asked a bounded number of times.
        let (mut waited, mut attempts) = (TimeDelta::zero(), 0);
        while waited < GIVE_UP {
            attempts += 1;
            waited += pause(attempts, 0.0);
        }
        assert!((100..400).contains(&attempts), "{attempts}");
    }
}

//! A client that opens a fresh connection every few milliseconds, whatever became of the earlier ones.
//!
//! An outage is what such a client sees: the time from the last answer to the next one, where at least one attempt
//! that began in between got none. A lost SYN is repeated by the kernel only after a second, so what counts is the
//! first *fresh* attempt that is answered. Two lines per attempt: `START_US 0 begun`, and when it has ended
//! `START_US DURATION_US KIND [ANSWER]`.

use super::host::{Host, View};
use super::net::Lab;
use super::process::{Process, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long one attempt may take.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How many attempts may be open at once; more are skipped, and counted.
pub const MAX_PENDING: usize = 4000;

/// So long after the last answer, in microseconds, a running client counts as cut off.
const STILL: u64 = 80_000;

/// `lab client --to ADDRESS:PORT [--every-us 2000]`
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let (mut to, mut every) = (None, 2000);
    let mut rest = args.iter();
    while let (Some(option), Some(value)) = (rest.next(), rest.next()) {
        match (option.as_str(), value.parse::<u64>()) {
            ("--to", _) => to = value.parse::<SocketAddr>().ok(),
            ("--every-us", Ok(number)) if number > 0 => every = number,
            (other, _) => return usage(other),
        }
    }
    let Some(to) = to else { return usage("--to") };
    super::exit(super::block_on(knock(to, Duration::from_micros(every))))
}

fn usage(what: &str) -> ExitCode {
    eprintln!("lab client --to ADDRESS:PORT [--every-us N]; not understood: {what}");
    ExitCode::from(2)
}

async fn knock(to: SocketAddr, every: Duration) -> Result<()> {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let pending = std::rc::Rc::new(std::cell::Cell::new(0_usize));
    loop {
        tick.tick().await;
        if pending.get() >= MAX_PENDING {
            println!("{} 0 skipped", super::now_us());
            continue;
        }
        pending.set(pending.get() + 1);
        let pending = std::rc::Rc::clone(&pending);
        tokio::task::spawn_local(async move {
            let (start, clock) = (super::now_us(), Instant::now());
            println!("{start} 0 begun");
            let (kind, stream) = match tokio::time::timeout(PATIENCE, ask(to)).await {
                Ok(Ok((answer, stream))) => (format!("ok {answer}"), Some(stream)),
                Ok(Err(error)) => (name(&error).to_owned(), None),
                Err(_) => ("timeout".to_owned(), None),
            };
            println!("{start} {} {kind}", clock.elapsed().as_micros());
            if let Some(mut stream) = stream {
                // The other side ends first, so that the waiting ends of old connections are not ours.
                let _ = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await;
            }
            pending.set(pending.get() - 1);
        });
    }
}

async fn ask(to: SocketAddr) -> std::io::Result<(String, TcpStream)> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    stream.write_all(b"who\n").await?;
    let mut answer = Vec::new();
    let mut chunk = [0; 128];
    while !answer.ends_with(b"\n") {
        match stream.read(&mut chunk).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            length => answer.extend_from_slice(&chunk[..length]),
        }
    }
    Ok((String::from_utf8_lossy(&answer).trim().to_owned(), stream))
}

fn name(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => "refused",
        Some(libc::ECONNRESET | libc::EPIPE) => "reset",
        Some(libc::ETIMEDOUT) => "timeout",
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => "unreachable",
        Some(_) => "error",
        None => "closed",
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, in microseconds since 1970.
    pub start: u64,
    /// How long it took, in microseconds.
    pub took: u64,
    /// The answer, `BACKEND PROXY-ADDRESS`, or the kind of failure.
    pub result: std::result::Result<String, String>,
}

/// A time without answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The last answer before it, in microseconds since 1970.
    pub start: u64,
    /// The first answer after it; `None` when there was none.
    pub end: Option<u64>,
}

impl Outage {
    /// How long it was; for ever is [`Duration::MAX`].
    #[must_use]
    pub fn length(&self) -> Duration {
        self.end.map_or(Duration::MAX, |end| Duration::from_micros(end.saturating_sub(self.start)))
    }
}

/// What a client has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// All ended attempts by start.
    pub attempts: Vec<Attempt>,
    /// When those began that have not ended.
    pub pending: Vec<u64>,
    /// When it was read, where the client was still running.
    pub read: u64,
}

impl Report {
    /// Reads the lines that the client writes; a cut last line is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Report {
        let (mut attempts, mut begun) = (Vec::new(), BTreeSet::new());
        for attempt in text.split_inclusive('\n').filter_map(attempt) {
            if attempt.result.as_ref().is_err_and(|kind| kind == "begun") {
                begun.insert(attempt.start);
            } else {
                begun.remove(&attempt.start);
                attempts.push(attempt);
            }
        }
        attempts.sort_by_key(|attempt| attempt.start);
        let read = attempts.last().map_or(0, |last| last.start + last.took);
        Report { attempts, pending: begun.into_iter().collect(), read }
    }

    /// What began at `from` or later, and before `to`.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> Report {
        let inside = |attempt: &&Attempt| attempt.start >= from && attempt.start < to;
        let pending = self.pending.iter().copied().filter(|start| *start >= from && *start < to).collect();
        Report {
            attempts: self.attempts.iter().filter(inside).cloned().collect(),
            pending,
            read: self.read.min(to),
        }
    }

    /// How many attempts failed, by kind.
    #[must_use]
    pub fn failures(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for attempt in &self.attempts {
            if let Err(kind) = &attempt.result {
                *kinds.entry(kind.clone()).or_insert(0) += 1;
            }
        }
        kinds
    }

    /// How many attempts were answered.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.result.is_ok()).count()
    }

    /// The times without answers in which at least one attempt began that got none at once.
    #[must_use]
    pub fn outages(&self, longer_than: Duration) -> Vec<Outage> {
        let least = u64::try_from(longer_than.as_micros()).unwrap_or(u64::MAX);
        let mut answers: Vec<u64> =
            self.attempts.iter().filter(|a| a.result.is_ok()).map(|a| a.start + a.took).collect();
        answers.sort_unstable();
        let mut found = Vec::new();
        let hurt = |from: u64, to: u64| {
            let first = self.attempts.partition_point(|attempt| attempt.start < from);
            let mut inside = self.attempts[first..].iter().take_while(|attempt| attempt.start < to);
            inside.any(|attempt| attempt.result.is_err() || attempt.start + attempt.took > to)
                || self.pending.iter().any(|start| *start >= from && *start < to)
        };
        for pair in answers.windows(2) {
            if pair[1] - pair[0] > least && hurt(pair[0], pair[1]) {
                found.push(Outage { start: pair[0], end: Some(pair[1]) });
            }
        }
        if let Some(last) = answers.last()
            && self.read.saturating_sub(*last) > least.max(STILL)
        {
            found.push(Outage { start: *last, end: None });
        }
        found
    }

    /// The longest time without answers; zero when no attempt suffered.
    #[must_use]
    pub fn longest_outage(&self) -> Duration {
        let lengths = self.outages(Duration::ZERO).into_iter().map(|outage| outage.length());
        lengths.max().unwrap_or(Duration::ZERO)
    }
}

fn attempt(line: &str) -> Option<Attempt> {
    let line = line.strip_suffix('\n')?;
    let mut words = line.splitn(4, ' ');
    let start = words.next()?.parse().ok()?;
    let took = words.next()?.parse().ok()?;
    let result = match (words.next()?, words.next()) {
        ("ok", answer) => Ok(answer.unwrap_or_default().to_owned()),
        (kind, _) => Err(kind.to_owned()),
    };
    Some(Attempt { start, took, result })
}

/// A client that is running in a laboratory.
#[derive(Debug)]
pub struct Client {
    process: Process,
}

impl Client {
    /// Starts one on the laboratory's client machine.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(lab: &Lab, to: SocketAddr, every: Duration) -> Result<Client> {
        Client::start_on(lab, lab.client(), to, every)
    }

    /// Starts one on any machine.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_on(lab: &Lab, host: &Host, to: SocketAddr, every: Duration) -> Result<Client> {
        let argv = lab.helper(&format!("client --to {to} --every-us {}", every.as_micros()));
        Ok(Client { process: host.spawn("client", &argv, &View::default())? })
    }

    /// What it has seen so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let read = super::now_us();
        Report { read, ..Report::parse(&self.process.said()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_ends_with_the_first_fresh_answer_not_with_a_repeated_syn() {
        let text = "1000 500 ok a x\n3000 3000000 timeout\n5000 1004000 ok a x\n9000 600 ok b y\n11000";
        let report = Report::parse(text);
        assert_eq!(report.attempts.len(), 4);
        assert_eq!(
            report.outages(Duration::from_millis(2)).first(),
            Some(&Outage { start: 1500, end: Some(9600) })
        );
        assert_eq!(report.failures().get("timeout"), Some(&1));
    }

    #[test]
    fn an_attempt_that_still_hangs_makes_an_outage() {
        let report = Report::parse("1000 500 ok a x\n3000 0 begun\n90000 0 begun\n90000 500 ok a x\n");
        assert_eq!(report.pending, [3000]);
        assert_eq!(report.longest_outage(), Duration::from_micros(89_000));
    }

    #[test]
    fn a_client_that_merely_slept_saw_no_outage() {
        let report = Report::parse("1000 500 ok a x\n900000 500 ok a x\n");
        assert_eq!(report.longest_outage(), Duration::ZERO);
    }

    #[test]
    fn an_outage_without_end_is_said() {
        let report = Report::parse("1000 500 ok a x\n3000 10 refused\n190000 10 refused\n");
        assert_eq!(report.longest_outage(), Duration::MAX);
    }
}

//! Whole connections: A19. From what an exchange came to, and the view that it was given.
//!
//! Where the policy of tries leaves a choice (who is tried next) only its bounds are judged, never the choice itself.

use super::Broken;
use standfast_core::balance::view::{PoolView, ServerView};
use standfast_core::config::model::Redispatch;
use standfast_core::id::ServerId;
use standfast_core::session::{Event, Report, Side, Step};

/// What an exchange came to.
#[derive(Debug, Default)]
pub struct Exchanged {
    /// What was fed, and what the session said to it.
    pub steps: Vec<(Event, Step)>,
    /// Who was tried.
    pub tries: Vec<ServerId>,
    /// To whom an end was passed on.
    pub ended: Vec<Side>,
    /// How many times it ended.
    pub finished: u32,
    /// Its own account.
    pub report: Option<Report>,
}

fn takes(server: &ServerView) -> bool {
    server.usable && server.weight > 0
}

/// A19: a connection ends once; it is refused only when nobody is usable or all tries have failed, each at another server
/// while there is one; and once open, all octets arrive and each end is passed on.
#[must_use]
pub fn exchange_is_whole(view: &PoolView, seen: &Exchanged) -> Broken {
    let (tries, most) =
        (seen.tries.len(), usize::try_from(view.retries).unwrap_or(usize::MAX).saturating_add(1));
    let broken = |what: String| Some(("A19", format!("{}: {what}", view.name)));
    if seen.finished != 1 {
        return broken(format!("a connection has ended {} times, after {:?}", seen.finished, seen.steps));
    }
    if tries > most {
        return broken(format!("{tries} tries, at most {most} are allowed"));
    }
    let open = seen.steps.iter().any(|(_, step)| *step == Step::Relay);
    let usable = view.servers.iter().filter(|server| takes(server)).count();
    if !open && usable > 0 && tries < most {
        return broken(format!("gives up after {tries} of {most} tries"));
    }
    let others = view.servers.iter().filter(|server| takes(server) && !server.backup).count() > 1;
    let same = seen.tries.windows(2).find(|pair| pair[0] == pair[1]);
    let elsewhere = others && view.redispatch != Redispatch::Never;
    if let Some(pair) = same.filter(|_| elsewhere && view.algorithm.takes_turns()) {
        return broken(format!("tries {} again, although another server is usable", pair[0]));
    }
    if elsewhere && tries == most && most > 1 && seen.tries[most - 2] == seen.tries[most - 1] {
        return broken(format!("spends its last try on {}, too", seen.tries[most - 1]));
    }
    if !open {
        return None;
    }
    if seen.ended != [Side::Server] {
        return broken(format!("the client's end was passed on to {:?}", seen.ended));
    }
    let report = seen.report.as_ref()?;
    let octets = |of: fn(&Event) -> usize| {
        u64::try_from(seen.steps.iter().map(|(event, _)| of(event)).sum::<usize>()).unwrap_or(u64::MAX)
    };
    let moved = (
        octets(|event| if let Event::Read(Side::Client, octets) = event { *octets } else { 0 }),
        octets(|event| if let Event::Wrote(Side::Client, octets) = event { *octets } else { 0 }),
    );
    let counted = (report.from_client, report.to_client);
    (counted != moved).then(|| ("A19", format!("{}: counts {counted:?} octets, not {moved:?}", view.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::config::model::Algorithm;
    use standfast_core::id::PoolId;

    fn view() -> PoolView {
        let server = |nth: u32| ServerView {
            id: ServerId(nth),
            name: "s".into(),
            address: "198.51.100.1:6443".parse().expect("an address"),
            weight: 16,
            usable: true,
            backup: false,
            shutdown: false,
        };
        PoolView {
            pool: PoolId(1),
            name: "p".into(),
            version: 1,
            algorithm: Algorithm::RoundRobin,
            all_backups: false,
            servers: vec![server(0), server(1)],
            retries: 2,
            redispatch: Redispatch::Last,
            connect: None,
            server: None,
        }
    }

    fn tried(servers: &[u32]) -> Exchanged {
        Exchanged {
            tries: servers.iter().map(|id| ServerId(*id)).collect(),
            finished: 1,
            ..Exchanged::default()
        }
    }

    #[test]
    fn tries_are_as_many_as_allowed_and_each_elsewhere() {
        assert_eq!(exchange_is_whole(&view(), &tried(&[0, 1, 0])), None);
        for wrong in [&[0, 1][..], &[0, 1, 0, 1], &[0, 0, 1]] {
            assert!(exchange_is_whole(&view(), &tried(wrong)).is_some(), "{wrong:?}");
        }
        assert!(exchange_is_whole(&view(), &Exchanged { finished: 2, ..tried(&[0, 1, 0]) }).is_some());
    }
}

//! Whole connections through the data plane of a host: the real session, from the first try to the last octet.
//!
//! One per burst of connections. The client sends so many octets and then its end; the server gives as many back and ends,
//! too. A dead server refuses. Pauses between tries pass at once, since the session is only told of the time; nothing
//! here waits, draws, or decides. What is judged is the session alone (A19): within its view it must be right.

use super::invariant::{self, Exchanged};
use super::marks::Mark;
use super::world::World;
use standfast_core::balance::pick::Ask;
use standfast_core::balance::view::PoolView;
use standfast_core::id::PoolId;
use standfast_core::session::{Choice, ConnectError, Event, Session, Side, Step};
use std::net::IpAddr;
use std::time::Duration;

/// A client is silent for no longer than this.
const CLIENT: Duration = Duration::from_secs(20);
/// Octets each way.
const OCTETS: usize = 7;
/// More steps than this are an exchange that does not end.
const MAX_STEPS: usize = 64;

impl World {
    /// A connection to `pool` is made, used and ended.
    pub(crate) fn exchange(&mut self, host: usize, pool: PoolId) {
        let began = self.hosts[host].read(self.now);
        let Some(process) = &mut self.hosts[host].process else { return };
        let Some(plane) = process.seen.traffic.get_mut(&pool) else { return };
        let view = plane.view.clone();
        let (mut session, mut seen) = (Session::new(began, Some(CLIENT)), Exchanged::default());
        // Somebody else each time, so that hashing finds another server.
        let client = IpAddr::from([198, 51, 100, began.0.to_le_bytes()[2]]);
        let (mut now, mut events) = (began, vec![Event::Start]);
        for _ in 0..MAX_STEPS {
            let Some(event) = events.pop() else { break };
            let ask = Ask { client: Some(client), ..Ask::anybody() };
            let choice = Choice { view: &view, picker: &mut plane.sessions, ask };
            let step = session.on(now, event, Some(choice));
            seen.steps.push((event, step));
            match step {
                Step::None => {}
                Step::Connect { server, address } => {
                    seen.tries.push(server);
                    let refused = Event::ConnectFailed(ConnectError::Refused);
                    let answers = self.truth.server_lives(address) || self.truth.server_hangs_now(address);
                    events = vec![if answers { Event::Connected } else { refused }];
                }
                Step::Pause => {
                    now = session.deadline().unwrap_or(now).max(now);
                    events = vec![Event::Deadline];
                }
                Step::Relay => events = talk(),
                Step::ShutdownWrite(side) => seen.ended.push(side),
                Step::Finish { .. } => seen.finished += 1,
            }
        }
        self.judge(host, &view, &session, seen);
    }

    fn judge(&mut self, host: usize, view: &PoolView, session: &Session, mut seen: Exchanged) {
        seen.report = Some(session.report());
        if seen.tries.windows(2).any(|pair| pair[0] != pair[1]) {
            self.mark(Mark::Redispatched);
        }
        if let Some((name, what)) = invariant::exchange_is_whole(view, &seen) {
            self.fail(name, format!("n{}: {what}", host + 1));
        }
    }
}

/// What happens on an open connection, the last first.
fn talk() -> Vec<Event> {
    let mut events = vec![
        Event::Read(Side::Client, OCTETS),
        Event::Wrote(Side::Server, OCTETS),
        Event::Eof(Side::Client),
        Event::Read(Side::Server, OCTETS),
        Event::Wrote(Side::Client, OCTETS),
        Event::Eof(Side::Server),
        // Too late: it has ended.
        Event::Eof(Side::Client),
    ];
    events.reverse();
    events
}

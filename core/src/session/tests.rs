//! A connection's policy against the lines that haproxy 2.6 wrote in the same situations.

use super::*;
use crate::balance::view::{PoolView, ServerView};
use crate::config::model::Algorithm;
use crate::id::PoolId;
use alloc::format;
use alloc::vec::Vec;

const MS: fn(u64) -> Time = Time::from_millis;

fn view(servers: u32, retries: u32, redispatch: Redispatch) -> PoolView {
    let server = |n: u32| ServerView {
        id: ServerId(n),
        name: Arc::from(format!("s{n}")),
        address: format!("192.0.2.1{n}:6443").parse().unwrap(),
        weight: 16,
        usable: true,
        backup: false,
        shutdown: false,
    };
    PoolView {
        pool: PoolId(1),
        name: Arc::from("b"),
        version: 1,
        algorithm: Algorithm::RoundRobin,
        servers: (1..=servers).map(server).collect::<Vec<_>>(),
        retries,
        redispatch,
        connect: Some(Duration::from_millis(700)),
        server: Some(Duration::from_secs(3)),
    }
}

struct Rig {
    view: PoolView,
    picker: Picker,
    session: Session,
}

impl Rig {
    fn new(view: PoolView) -> Rig {
        Rig { view, picker: Picker::new(), session: Session::new(MS(0), Some(Duration::from_secs(5))) }
    }

    fn on(&mut self, ms: u64, event: Event) -> Step {
        let choice = Choice { view: &self.view, picker: &mut self.picker };
        self.session.on(MS(ms), event, Some(choice))
    }

    fn relaying(&mut self) {
        assert!(matches!(self.on(0, Event::Start), Step::Connect { .. }));
        assert_eq!(self.on(1, Event::Connected), Step::Relay);
    }

    fn ending(&self) -> (alloc::string::String, u32, bool) {
        let report = self.session.report();
        (format!("{}", report.code), report.retries, report.redispatched)
    }
}

const REFUSED: Event = Event::ConnectFailed(ConnectError::Refused);

#[test]
fn nobody_usable_is_refused_at_once_with_a_reset() {
    let mut rig = Rig::new(view(0, 3, Redispatch::Last));
    assert_eq!(rig.on(0, Event::Start), Step::Finish { reset_client: true, reset_server: true });
    assert_eq!(rig.ending(), ("SC".into(), 0, false));
    assert_eq!(rig.session.report().server, None);
}

#[test]
fn with_redispatch_and_a_choice_another_server_is_tried_without_a_pause() {
    let mut rig = Rig::new(view(2, 1, Redispatch::Last));
    let Step::Connect { server: first, .. } = rig.on(0, Event::Start) else { panic!("no connect") };
    let Step::Connect { server: second, .. } = rig.on(1, REFUSED) else { panic!("no second connect") };
    assert_ne!(first, second);
    assert_eq!(rig.on(2, Event::Connected), Step::Relay);
    assert_eq!(rig.ending(), ("--".into(), 1, true));
}

#[test]
fn one_refusing_server_is_tried_again_after_the_connect_timeout_and_then_given_up() {
    let mut rig = Rig::new(view(1, 1, Redispatch::Last));
    rig.on(0, Event::Start);
    assert_eq!(rig.on(0, REFUSED), Step::Pause);
    assert_eq!(rig.session.deadline(), Some(MS(700)));
    assert_eq!(rig.on(699, Event::Deadline), Step::None);
    assert!(matches!(rig.on(700, Event::Deadline), Step::Connect { .. }));
    assert!(matches!(rig.on(701, REFUSED), Step::Finish { reset_client: true, .. }));
    assert_eq!(rig.ending(), ("SC".into(), 1, false));
}

#[test]
fn without_redispatch_the_same_server_is_tried_each_time() {
    let mut rig = Rig::new(view(3, 2, Redispatch::Never));
    let Step::Connect { server: first, .. } = rig.on(0, Event::Start) else { panic!("no connect") };
    assert_eq!(rig.on(0, REFUSED), Step::Pause);
    let Step::Connect { server: again, .. } = rig.on(700, Event::Deadline) else { panic!("no connect") };
    assert_eq!(first, again);
}

#[test]
fn a_connect_that_takes_too_long_ends_as_a_time_out() {
    let mut rig = Rig::new(view(1, 0, Redispatch::Never));
    rig.on(0, Event::Start);
    assert_eq!(rig.session.deadline(), Some(MS(700)));
    assert!(matches!(rig.on(700, Event::Deadline), Step::Finish { .. }));
    assert_eq!(rig.ending(), ("sC".into(), 0, false));
}

#[test]
fn half_close_is_passed_on_and_the_other_direction_goes_on() {
    let mut rig = Rig::new(view(1, 0, Redispatch::Never));
    rig.relaying();
    assert_eq!(rig.on(2, Event::Eof(Side::Client)), Step::ShutdownWrite(Side::Server));
    rig.on(3, Event::Read(Side::Server, 212));
    rig.on(3, Event::Wrote(Side::Client, 212));
    assert_eq!(
        rig.on(4, Event::Eof(Side::Server)),
        Step::Finish { reset_client: false, reset_server: false }
    );
    assert_eq!(rig.ending().0, "--");
    assert_eq!(rig.session.report().to_client, 212);
}

#[test]
fn a_reset_of_either_side_is_passed_on_and_named() {
    for (side, code) in [(Side::Client, "CD"), (Side::Server, "SD")] {
        let mut rig = Rig::new(view(1, 0, Redispatch::Never));
        rig.relaying();
        assert_eq!(rig.on(9, Event::Reset(side)), Step::Finish { reset_client: true, reset_server: true });
        assert_eq!(rig.ending().0, code);
    }
}

#[test]
fn silence_ends_at_the_shorter_time_out_and_any_byte_puts_it_off() {
    let mut rig = Rig::new(view(1, 0, Redispatch::Never));
    rig.relaying();
    rig.on(2000, Event::Read(Side::Server, 1));
    rig.on(2000, Event::Wrote(Side::Client, 1));
    assert_eq!(rig.on(3001, Event::Deadline), Step::None);
    assert!(matches!(rig.on(5000, Event::Deadline), Step::Finish { .. }));
    assert_eq!(rig.ending().0, "sD", "server time-out 3 s after its last byte");
}

#[test]
fn a_server_marked_down_ends_its_connections() {
    let mut rig = Rig::new(view(1, 0, Redispatch::Never));
    rig.relaying();
    assert!(matches!(rig.on(5, Event::ServerGone), Step::Finish { .. }));
    assert_eq!(rig.ending().0, "D-");
    assert_eq!(rig.on(6, Event::Eof(Side::Client)), Step::None, "nothing after the end");
}

//! What a session decides, and the fields of haproxy's log line that come of it.

use super::*;
use crate::config::model::Algorithm;
use crate::id::PoolId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const A: ServerId = ServerId(1);
const B: ServerId = ServerId(2);

fn pool(servers: u32, retries: u32, redispatch: Redispatch) -> PoolView {
    let servers = (1..=servers).map(|id| ServerView {
        id: ServerId(id),
        name: format!("s{id}").into(),
        address: SocketAddr::from(([192, 0, 2, u8::try_from(id).unwrap()], 6443)),
        weight: 16,
        usable: true,
        backup: false,
        shutdown: false,
    });
    PoolView {
        pool: PoolId(1),
        name: "p".into(),
        version: 1,
        algorithm: Algorithm::RoundRobin,
        all_backups: false,
        servers: servers.collect(),
        retries,
        redispatch,
        connect: Some(Duration::from_millis(700)),
        server: Some(Duration::from_secs(3)),
    }
}

/// A session with its pool and its clock.
struct Bench {
    session: Session,
    view: PoolView,
    picker: Picker,
    now: u64,
}

impl Bench {
    fn new(view: PoolView) -> Bench {
        let session = Session::new(Time::ZERO, Some(Duration::from_secs(2)));
        Bench { session, view, picker: Picker::new(), now: 0 }
    }

    fn relaying() -> Bench {
        let mut bench = Bench::new(pool(1, 3, Redispatch::Never));
        bench.on(Event::Start);
        assert_eq!(bench.on(Event::Connected), Step::Relay);
        bench
    }

    fn on(&mut self, event: Event) -> Step {
        let choice = Choice { view: &self.view, picker: &mut self.picker, ask: Ask::anybody() };
        self.session.on(Time::from_millis(self.now), event, Some(choice))
    }

    /// Moves the clock to `ms`.
    fn at(&mut self, ms: u64) -> &mut Bench {
        self.now = ms;
        self
    }

    /// Moves the clock to the deadline and feeds it.
    fn wait(&mut self) -> Step {
        self.now = u64::try_from(self.session.deadline().unwrap().since_origin().as_millis()).unwrap();
        self.on(Event::Deadline)
    }

    fn fail(&mut self) -> Step {
        self.on(Event::ConnectFailed(ConnectError::Refused))
    }

    /// One direction moved `bytes` from `side`.
    fn moved(&mut self, side: Side, bytes: usize) {
        self.on(Event::Read(side, bytes));
        self.on(Event::Wrote(side.other(), bytes));
    }

    /// `server Tw/Tc/Tt bytes code retries`.
    fn line(&self) -> String {
        let report = self.session.report();
        let ms = |d: Option<Duration>| d.map_or(-1, |d| i64::try_from(d.as_millis()).unwrap());
        format!(
            "{} {}/{}/{} {} {} {}{}",
            report.server.as_ref().map_or("<NOSRV>", |(_, name)| name),
            ms(report.waited),
            ms(report.connect),
            ms(Some(report.total)),
            report.to_client,
            report.code,
            if report.redispatched { "+" } else { "" },
            report.retries
        )
    }
}

fn to(step: Step) -> ServerId {
    let Step::Connect { server, .. } = step else { panic!("{step:?}") };
    server
}

const RESET: Step = Step::Finish { reset_client: true, reset_server: true };
const ORDERLY: Step = Step::Finish { reset_client: false, reset_server: false };

#[test]
fn an_orderly_session_ends_when_both_ends_have_come() {
    let mut bench = Bench::new(pool(1, 3, Redispatch::Never));
    assert_eq!(to(bench.on(Event::Start)), A);
    assert_eq!(bench.at(1).on(Event::Connected), Step::Relay);
    bench.moved(Side::Client, 100);
    bench.moved(Side::Server, 212);
    assert_eq!(bench.at(4).on(Event::Eof(Side::Server)), Step::ShutdownWrite(Side::Client));
    assert_eq!(bench.at(5).on(Event::Eof(Side::Client)), ORDERLY);
    assert_eq!(bench.line(), "s1 0/1/5 212 -- 0");
    assert_eq!(bench.session.report().from_client, 100);
}

#[test]
fn after_the_end_nothing_is_asked_for() {
    let mut bench = Bench::relaying();
    assert_eq!(bench.on(Event::Reset(Side::Server)), RESET);
    for event in
        [Event::Start, Event::Connected, Event::Deadline, Event::Eof(Side::Client), Event::ServerGone]
    {
        assert_eq!(bench.on(event), Step::None);
    }
    assert_eq!(bench.session.deadline(), None);
    assert_eq!(bench.line(), "s1 0/0/0 0 SD 0");
}

#[test]
fn no_usable_server_is_refused_at_once_with_a_reset() {
    let mut view = pool(2, 3, Redispatch::Last);
    for server in &mut view.servers {
        server.usable = false;
    }
    let mut bench = Bench::new(view);
    assert_eq!(bench.on(Event::Start), RESET);
    assert_eq!(bench.line(), "<NOSRV> -1/-1/0 0 SC 0");
}

#[test]
fn no_pool_is_refused_at_once_with_a_reset() {
    let mut session = Session::new(Time::ZERO, None);
    assert_eq!(session.on(Time::ZERO, Event::Start, None), RESET);
    assert_eq!(format!("{}", session.report().code), "SC");
}

#[test]
fn one_refusing_server_and_one_retry_wait_once_and_the_wait_lands_in_tw() {
    let mut bench = Bench::new(pool(1, 1, Redispatch::Last));
    bench.on(Event::Start);
    assert_eq!(bench.fail(), Step::Pause);
    assert_eq!(bench.session.deadline(), Some(Time::from_millis(700)));
    assert_eq!(to(bench.wait()), A);
    assert_eq!(bench.fail(), RESET);
    assert_eq!(bench.line(), "s1 700/-1/700 0 SC 1");
}

#[test]
fn without_redispatch_the_same_server_is_tried_until_the_retries_are_used_up() {
    let mut bench = Bench::new(pool(2, 3, Redispatch::Never));
    assert_eq!(to(bench.on(Event::Start)), A);
    for _ in 0..3 {
        assert_eq!(bench.fail(), Step::Pause);
        assert_eq!(to(bench.wait()), A);
    }
    assert_eq!(bench.fail(), RESET);
    assert_eq!(bench.line(), "s1 0/-1/2100 0 SC 3");
}

#[test]
fn without_retries_the_first_failure_ends_it() {
    let mut bench = Bench::new(pool(2, 0, Redispatch::Last));
    bench.on(Event::Start);
    assert_eq!(bench.at(1).fail(), RESET);
    assert_eq!(bench.line(), "s1 0/-1/1 0 SC 0");
}

#[test]
fn when_this_host_lacks_descriptors_no_other_server_is_tried() {
    let mut bench = Bench::new(pool(2, 3, Redispatch::Last));
    bench.on(Event::Start);
    assert_eq!(bench.at(1).on(Event::ConnectFailed(ConnectError::Resources)), RESET);
    assert_eq!(bench.line(), "s1 0/-1/1 0 RC 0");
}

#[test]
fn with_redispatch_and_a_choice_another_server_is_tried_at_once() {
    for retries in [1, 3] {
        for redispatch in [Redispatch::Last, Redispatch::Every(2)] {
            let mut bench = Bench::new(pool(2, retries, redispatch));
            assert_eq!(to(bench.on(Event::Start)), A);
            assert_eq!(to(bench.at(1).fail()), B);
            bench.at(1).on(Event::Connected);
            bench.moved(Side::Server, 212);
            bench.on(Event::Eof(Side::Client));
            bench.on(Event::Eof(Side::Server));
            assert_eq!(bench.line(), "s2 1/0/1 212 -- +1");
        }
    }
}

#[test]
fn all_servers_of_a_pool_are_tried_in_turn_before_the_retries_are_used_up() {
    let mut bench = Bench::new(pool(3, 3, Redispatch::Last));
    let mut tried = Vec::from([to(bench.on(Event::Start))]);
    for _ in 0..3 {
        tried.push(to(bench.fail()));
    }
    assert_eq!(tried, [ServerId(1), ServerId(2), ServerId(3), ServerId(1)]);
    assert_eq!(bench.fail(), RESET);
}

#[test]
fn the_interval_of_redispatch_counts_when_there_is_one_active_server_only() {
    let mut view = pool(2, 4, Redispatch::Every(2));
    view.servers[1].backup = true;
    let mut bench = Bench::new(view);
    bench.on(Event::Start);
    // The first retry stays; before the second the choice is made anew, and nobody else may serve.
    for _ in 0..2 {
        assert_eq!(bench.fail(), Step::Pause);
        assert_eq!(to(bench.wait()), A);
    }
    assert!(!bench.session.report().redispatched);
    assert_eq!(bench.session.report().waited, Some(Duration::from_millis(1400)));
}

#[test]
fn a_server_that_went_down_meanwhile_is_left_only_with_redispatch() {
    for (redispatch, next) in [(Redispatch::Last, B), (Redispatch::Never, A)] {
        let mut bench = Bench::new(pool(2, 3, redispatch));
        bench.on(Event::Start);
        bench.view.servers[0].usable = false;
        bench.view.version = 2;
        assert_eq!(bench.fail(), Step::Pause, "one active server is left: the pause stays");
        assert_eq!(to(bench.wait()), next);
    }
}

#[test]
fn a_connect_time_out_is_followed_by_the_next_try_without_a_pause() {
    let mut bench = Bench::new(pool(1, 1, Redispatch::Last));
    bench.on(Event::Start);
    assert_eq!(bench.session.deadline(), Some(Time::from_millis(700)));
    assert_eq!(to(bench.wait()), A);
    assert_eq!(bench.wait(), RESET);
    assert_eq!(bench.line(), "s1 700/-1/1400 0 sC 1");
}

#[test]
fn the_pause_is_a_second_unless_the_connect_time_out_is_shorter() {
    for (connect, pause) in [(None, 1000), (Some(5000), 1000), (Some(1001), 1000), (Some(250), 250)] {
        let mut view = pool(1, 3, Redispatch::Never);
        view.connect = connect.map(Duration::from_millis);
        let mut bench = Bench::new(view);
        bench.on(Event::Start);
        assert_eq!(bench.fail(), Step::Pause);
        assert_eq!(bench.session.deadline(), Some(Time::from_millis(pause)), "{connect:?}");
    }
}

#[test]
fn a_server_removed_during_the_pause_is_replaced() {
    let mut bench = Bench::new(pool(2, 3, Redispatch::Never));
    bench.on(Event::Start);
    assert_eq!(bench.fail(), Step::Pause);
    bench.view.servers.remove(0);
    bench.view.version = 2;
    assert_eq!(to(bench.wait()), B);
}

#[test]
fn a_pool_removed_during_the_pause_ends_it() {
    let mut bench = Bench::new(pool(1, 3, Redispatch::Never));
    bench.on(Event::Start);
    bench.fail();
    let step = bench.session.on(Time::from_millis(700), Event::Deadline, None);
    assert_eq!(step, RESET);
    assert_eq!(bench.line(), "<NOSRV> -1/-1/700 0 SC 1");
}

#[test]
fn the_same_silence_on_both_sides_is_the_clients() {
    let mut bench = Bench::new(pool(1, 3, Redispatch::Never));
    bench.view.server = Some(Duration::from_secs(2));
    bench.on(Event::Start);
    bench.on(Event::Connected);
    assert_eq!(bench.wait(), Step::Finish { reset_client: false, reset_server: true });
    assert_eq!(bench.line(), "s1 0/0/2000 0 cD 0");
}

#[test]
fn a_client_that_has_ended_waits_for_the_server_until_its_time_out() {
    let mut bench = Bench::relaying();
    assert_eq!(bench.at(10).on(Event::Eof(Side::Client)), Step::ShutdownWrite(Side::Server));
    assert_eq!(bench.session.deadline(), Some(Time::from_millis(3000)));
    bench.wait();
    assert_eq!(bench.line(), "s1 0/0/3000 0 sD 0");
}

#[test]
fn any_byte_of_a_side_refreshes_it() {
    let mut bench = Bench::relaying();
    bench.at(1500).moved(Side::Server, 1);
    assert_eq!(bench.session.deadline(), Some(Time::from_millis(3500)));
    assert_eq!(bench.at(2000).on(Event::Deadline), Step::None, "too early is harmless");
    bench.at(3000).moved(Side::Client, 1);
    assert_eq!(bench.session.deadline(), Some(Time::from_millis(5000)));
}

#[test]
fn a_client_that_does_not_take_its_data_is_timed_out_and_the_server_is_not() {
    let mut bench = Bench::relaying();
    bench.view.server = None;
    bench.at(100).on(Event::Read(Side::Server, 10));
    bench.on(Event::Wrote(Side::Client, 4));
    assert_eq!(bench.session.deadline(), Some(Time::from_millis(2100)));
    // Still being written to at 2 s: the client lives, and the server, which is not read, is not waited for.
    bench.at(2000).on(Event::Wrote(Side::Client, 5));
    assert_eq!(bench.session.deadline(), Some(Time::from_millis(4000)));
    assert_eq!(bench.wait(), Step::Finish { reset_client: false, reset_server: true });
    assert_eq!(bench.line(), "s1 0/0/4000 9 cD 0");
}

#[test]
fn reading_goes_on_with_a_fresh_clock_once_the_other_side_has_taken_all() {
    let mut bench = Bench::relaying();
    bench.on(Event::Read(Side::Server, 10));
    bench.at(1900).on(Event::Wrote(Side::Client, 10));
    bench.at(3800).moved(Side::Client, 1);
    assert_eq!(bench.on(Event::Deadline), Step::None, "the server could speak since 1.9 s only");
}

#[test]
fn without_time_outs_there_is_no_deadline() {
    let mut view = pool(1, 3, Redispatch::Never);
    view.server = None;
    view.connect = None;
    let mut session = Session::new(Time::ZERO, None);
    let mut picker = Picker::new();
    session.on(
        Time::ZERO,
        Event::Start,
        Some(Choice { view: &view, picker: &mut picker, ask: Ask::anybody() }),
    );
    assert_eq!(session.deadline(), None);
    session.on(Time::ZERO, Event::Connected, None);
    assert_eq!(session.deadline(), None);
}

#[test]
fn what_ends_a_session_gives_its_code() {
    let rows =
        [(Event::Reset(Side::Client), "CD"), (Event::Reset(Side::Server), "SD"), (Event::ServerGone, "D-")];
    for (event, code) in rows {
        let mut bench = Bench::relaying();
        assert_eq!(bench.at(100).on(event), RESET);
        assert_eq!(bench.line(), format!("s1 0/0/100 0 {code} 0"));
    }
}

#[test]
fn a_client_that_resets_before_the_server_is_there_ends_it() {
    let mut connecting = Bench::new(pool(1, 3, Redispatch::Never));
    connecting.on(Event::Start);
    assert_eq!(connecting.at(5).on(Event::Reset(Side::Client)), RESET);
    assert_eq!(connecting.line(), "s1 0/-1/5 0 CC 0");
    let mut pausing = Bench::new(pool(1, 3, Redispatch::Never));
    pausing.on(Event::Start);
    pausing.fail();
    assert_eq!(pausing.at(5).on(Event::Reset(Side::Client)), RESET);
    assert_eq!(pausing.line(), "s1 0/-1/5 0 CC 1");
}

#[test]
fn a_server_marked_down_while_connecting_is_left_to_the_connect() {
    let mut bench = Bench::new(pool(1, 3, Redispatch::Never));
    bench.on(Event::Start);
    assert_eq!(bench.on(Event::ServerGone), Step::None);
    assert_eq!(bench.on(Event::Connected), Step::Relay);
}

#[test]
fn turns_go_on_over_sessions() {
    let view = pool(3, 3, Redispatch::Never);
    let mut picker = Picker::new();
    let picked: Vec<u32> = (0..6)
        .map(|_| {
            let choice = Choice { view: &view, picker: &mut picker, ask: Ask::anybody() };
            to(Session::new(Time::ZERO, None).on(Time::ZERO, Event::Start, Some(choice))).0
        })
        .collect();
    assert_eq!(picked, [1, 2, 3, 1, 2, 3]);
}

//! A session driven by hand: the rules of reception, the state machine, and the timers of RFC 5880.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

use super::*;
use crate::action::Action;
use crate::config::model::BfdTiming;
use crate::id::BfdId;
use crate::outbox::{Outbox, Signal};
use crate::rng::Seed;
use crate::time::Time;
use crate::timers::Timers;
use crate::wire::bfd::{Diagnostic, Flags};
use alloc::vec;
use core::time::Duration;

const ID: BfdId = BfdId(7);
const PEER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 2));
const THEIRS: u32 = 0xabcd_0001;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn config() -> BfdConfig {
    BfdConfig {
        id: ID,
        name: Arc::from("WAN"),
        to: PEER,
        from: None,
        hops: 255,
        max_hops: 0,
        timing: BfdTiming { min_tx: ms(10), min_rx: ms(20), idle_tx: ms(1000), multiplier: 3 },
        passive: false,
    }
}

struct Bench {
    now: Time,
    out: Outbox,
    timers: Timers,
    sessions: Sessions,
    /// Packets sent, with their times.
    sent: Vec<(Time, Control)>,
    told: Vec<Event>,
    signals: Vec<Signal>,
    opened: Vec<(Ticket, Option<crate::action::BfdPath>)>,
}

impl Bench {
    fn unopened(config: BfdConfig) -> Bench {
        let (mut out, mut timers) = (Outbox::default(), Timers::default());
        let mut whole = Config::default();
        whole.sessions.insert(config.id, Arc::new(config));
        let cx = &mut Context { now: Time::ZERO, out: &mut out, timers: &mut timers };
        let sessions = Sessions::new(&whole, &Rng::new(Seed(5)), cx);
        let mut bench = Bench {
            now: Time::ZERO,
            out,
            timers,
            sessions,
            sent: vec![],
            told: vec![],
            signals: vec![],
            opened: vec![],
        };
        bench.collect();
        bench
    }

    fn new(config: BfdConfig) -> Bench {
        let mut bench = Bench::unopened(config);
        let ticket = bench.opened[0].0;
        bench.act(|sessions, cx| sessions.on_done(cx, ticket, Ok(())));
        bench
    }

    /// One whose session is up, and the neighbour has answered our Poll.
    fn up(config: BfdConfig) -> Bench {
        let mut bench = Bench::new(config);
        bench.hear(Control { yours: 0, state: State::Down, ..control() });
        bench.hear(Control { state: State::Init, ..bench.control() });
        bench.answer_poll();
        assert_eq!(bench.state(), State::Up);
        bench
    }

    fn answer_poll(&mut self) {
        let flags = Flags { last: true, ..Flags::default() };
        self.hear(Control { flags, ..self.control() });
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Sessions, &mut Context<'_>) -> R) -> R {
        let cx = &mut Context { now: self.now, out: &mut self.out, timers: &mut self.timers };
        let result = act(&mut self.sessions, cx);
        self.sessions.check_invariants();
        self.collect();
        result
    }

    fn collect(&mut self) {
        while let Some(action) = self.out.take_action() {
            match action {
                Action::BfdSend { payload, .. } => {
                    self.sent.push((self.now, Control::parse(&payload).unwrap()));
                }
                Action::Bfd { ticket, open, .. } => self.opened.push((ticket, open)),
                Action::Event(event) => self.told.push(event),
                other => panic!("{other:?}"),
            }
        }
        while let Some(signal) = self.out.take_signal() {
            self.signals.push(signal);
        }
    }

    /// A packet of an up neighbour that knows us.
    fn control(&self) -> Control {
        Control { yours: self.sessions.all[&ID].discriminator(), ..control() }
    }

    fn hear(&mut self, control: Control) {
        self.hear_bytes(PEER, 255, &control.emit());
    }

    fn hear_bytes(&mut self, from: IpAddr, hops: u8, payload: &[u8]) {
        self.act(|sessions, cx| sessions.on_datagram(cx, &Datagram { from, hops, payload }));
    }

    /// Lets time pass, firing timers when they are due.
    fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((at, _)) = self.timers.next().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.fire(at);
        }
        self.now = end;
    }

    fn fire(&mut self, due: Time) {
        let Some(TimerKey::Bfd(id, timer)) = self.timers.take_due(self.now) else { panic!("no timer") };
        self.act(|sessions, cx| sessions.on_timer(cx, id, timer, due));
    }

    fn state(&self) -> State {
        self.sessions.all[&ID].state()
    }

    fn last(&self) -> Control {
        self.sent.last().unwrap().1
    }
}

fn control() -> Control {
    Control {
        diagnostic: Diagnostic::NONE,
        state: State::Up,
        flags: Flags::default(),
        multiplier: 4,
        mine: THEIRS,
        yours: 1,
        desired_tx: ms(30),
        required_rx: ms(15),
    }
}

#[test]
fn each_rule_of_reception_refuses_its_packet_and_changes_nothing() {
    let mut bench = Bench::up(config());
    let good = bench.control();
    let octets = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = good.emit();
        change(&mut octets);
        octets
    };
    type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);
    let rules: [(Damage<'_>, BfdError); 11] = [
        (&|o| o[0] = 0x40, BfdError::Version),
        (&|o| o[3] = 23, BfdError::Length),
        (&|o| o[3] = 25, BfdError::Length),
        (&|o| o.truncate(23), BfdError::Length),
        (&|o| o[2] = 0, BfdError::Multiplier),
        (&|o| o[1] |= 1, BfdError::Multipoint),
        (&|o| o[4..8].fill(0), BfdError::MyDiscriminator),
        (&|o| o[11] ^= 1, BfdError::NoSession),
        (&|o| o[8..12].fill(0), BfdError::YourDiscriminator),
        (
            &|o| {
                o[8..12].fill(0);
                o[1] = 0x80; // Init
            },
            BfdError::YourDiscriminator,
        ),
        (
            &|o| {
                o[1] |= 4;
                o[3] = 26;
                o.extend([1, 2]);
            },
            BfdError::Authenticated,
        ),
    ];
    bench.pass(ms(50));
    let before = (bench.state(), bench.timers.clone());
    for (change, error) in rules {
        let told = bench.told.len();
        bench.hear_bytes(PEER, 255, &octets(change));
        assert_eq!((bench.state(), bench.timers.clone()), before, "{error:?}");
        let said = bench.told[told..]
            .iter()
            .any(|e| matches!(e, Event::BfdRejected { error: e, .. } if *e == error));
        let again = bench.told[..told]
            .iter()
            .any(|e| matches!(e, Event::BfdRejected { error: e, .. } if *e == error));
        assert!(said || again, "{error:?} is told, once");
    }
    bench.hear_bytes("192.0.2.3".parse().unwrap(), 255, &good.emit());
    bench.hear_bytes(PEER, 254, &good.emit());
    assert_eq!((bench.state(), bench.timers.clone()), before);
    let rejected = &bench.sessions.status()[0].counters.rejected;
    assert_eq!(rejected.keys().collect::<Vec<_>>(), ["bfd_authentication", "bfd_sender", "bfd_ttl"]);
    assert_eq!(bench.sessions.strays().values().sum::<u64>(), 10);
}

#[test]
fn a_stranger_without_a_session_is_counted() {
    let mut bench = Bench::new(config());
    let hello = Control { yours: 0, state: State::Down, ..control() };
    bench.hear_bytes("192.0.2.9".parse().unwrap(), 255, &hello.emit());
    assert_eq!(bench.sessions.strays().get("bfd_no_session"), Some(&1));
    assert_eq!(bench.state(), State::Down);
}

#[test]
fn the_state_machine_is_that_of_rfc_5880_section_6_2() {
    let (admin, down, init, up) = (State::AdminDown, State::Down, State::Init, State::Up);
    let table = [
        (down, admin, down),
        (down, down, init),
        (down, init, up),
        (down, up, down),
        (init, admin, down),
        (init, down, init),
        (init, init, up),
        (init, up, up),
        (up, admin, down),
        (up, down, down),
        (up, init, up),
        (up, up, up),
    ];
    for (ours, theirs, then) in table {
        let mut bench = match ours {
            State::Up => Bench::up(config()),
            State::AdminDown | State::Down | State::Init => Bench::new(config()),
        };
        if ours == State::Init {
            bench.hear(Control { yours: 0, state: State::Down, ..control() });
        }
        assert_eq!(bench.state(), ours);
        bench.hear(Control { state: theirs, ..bench.control() });
        assert_eq!(bench.state(), then, "{ours:?} hears {theirs:?}");
        if then == State::Down && ours != State::Down {
            assert_eq!(bench.last().diagnostic, Diagnostic::SIGNALED);
        }
    }
}

#[test]
fn while_not_up_packets_leave_once_a_second_at_75_to_100_per_cent() {
    let mut bench = Bench::new(config());
    bench.pass(Duration::from_secs(200));
    let gaps: Vec<Duration> = bench.sent.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!(gaps.iter().all(|gap| (ms(750)..=ms(1000)).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap < ms(800)) && gaps.iter().any(|gap| *gap > ms(950)));
    assert!(bench.sent.iter().all(|(_, packet)| packet.desired_tx == ms(1000) && packet.yours == 0));
}

#[test]
fn with_a_multiplier_of_one_packets_leave_at_90_per_cent_at_the_latest() {
    let mut one = config();
    one.timing.multiplier = 1;
    let mut bench = Bench::new(one);
    bench.pass(Duration::from_secs(200));
    let gaps = bench.sent.windows(2).map(|pair| pair[1].0.since(pair[0].0));
    assert!(gaps.into_iter().all(|gap| (ms(750)..=ms(900)).contains(&gap)));
}

#[test]
fn an_up_session_sends_at_the_slower_of_both_wishes_and_tells_of_it_by_a_poll() {
    let mut bench = Bench::new(config());
    bench.hear(Control { yours: 0, state: State::Down, ..control() });
    bench.hear(Control { state: State::Init, ..bench.control() });
    assert!(bench.last().flags.poll, "the faster interval is told of by a Poll sequence");
    assert_eq!(bench.last().desired_tx, ms(10));
    bench.answer_poll();
    let from = bench.sent.len();
    for _ in 0..20 {
        bench.pass(ms(30));
        bench.hear(bench.control());
    }
    let sent = &bench.sent[from..];
    assert!(sent.iter().all(|(_, packet)| !packet.flags.poll), "the neighbour has answered");
    let gaps: Vec<Duration> = sent.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!(gaps.iter().all(|gap| (Duration::from_micros(11_200)..=ms(15)).contains(gap)), "{gaps:?}");
}

#[test]
fn a_poll_is_answered_at_once_with_final_and_without_poll() {
    let mut bench = Bench::up(config());
    let sent = bench.sent.len();
    let flags = Flags { poll: true, ..Flags::default() };
    bench.hear(Control { flags, ..bench.control() });
    assert_eq!(bench.sent.len(), sent + 1);
    assert!(bench.last().flags.last && !bench.last().flags.poll);
    assert_eq!(bench.sent[sent].0, bench.now);
}

#[test]
fn silence_of_their_multiplier_times_the_slower_interval_takes_the_session_down() {
    let mut bench = Bench::up(config());
    // max(min_rx 20 ms, their min_tx 30 ms) x their 4.
    bench.pass(Duration::from_micros(119_999));
    assert_eq!(bench.state(), State::Up);
    bench.pass(Duration::from_micros(1));
    assert_eq!(bench.state(), State::Down);
    let last = bench.last();
    assert_eq!((last.diagnostic, last.state, last.yours), (Diagnostic::EXPIRED, State::Down, 0));
    assert_eq!(last.desired_tx, ms(1000));
    let down = Signal::Session { session: ID, up: false };
    assert_eq!(bench.signals.last(), Some(&down));
}

#[test]
fn a_node_that_overslept_reads_what_waits_before_it_believes_the_silence_once() {
    let mut bench = Bench::up(config());
    bench.now = bench.now + ms(129);
    let expire = |bench: &mut Bench| {
        let key = TimerKey::Bfd(ID, BfdTimer::Detect);
        let due = bench.timers.at(key).unwrap();
        bench.timers.disarm(key);
        bench.act(|sessions, cx| sessions.on_timer(cx, ID, BfdTimer::Detect, due));
    };
    expire(&mut bench);
    assert_eq!(bench.state(), State::Up);
    bench.now = bench.now + ms(40);
    expire(&mut bench);
    assert_eq!(bench.state(), State::Down, "one interval more, and no longer");
    let mut bench = Bench::up(config());
    bench.now = bench.now + ms(129);
    expire(&mut bench);
    bench.hear(bench.control());
    bench.pass(ms(119));
    assert_eq!(bench.state(), State::Up, "the packet that waited counts");
    let mut bench = Bench::up(config());
    bench.now = bench.now + ms(127);
    expire(&mut bench);
    assert_eq!(bench.state(), State::Down, "a wake-up late by less than the jitter is none of this");
}

#[test]
fn a_passive_session_is_silent_until_the_neighbour_speaks() {
    let mut bench = Bench::new(BfdConfig { passive: true, ..config() });
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.sent, []);
    bench.hear(Control { yours: 0, state: State::Down, ..control() });
    assert_eq!(bench.last().state, State::Init);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.state(), State::Down, "forgotten after its detection time");
    let sent = bench.sent.len();
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.sent.len(), sent);
}

#[test]
fn a_neighbour_that_wants_no_packets_gets_none_but_answers() {
    let mut bench = Bench::up(config());
    bench.hear(Control { required_rx: Duration::ZERO, ..bench.control() });
    let sent = bench.sent.len();
    bench.pass(ms(110));
    assert_eq!(bench.sent.len(), sent);
    let flags = Flags { poll: true, ..Flags::default() };
    bench.hear(Control { required_rx: Duration::ZERO, flags, ..bench.control() });
    assert_eq!(bench.sent.len(), sent + 1);
}

#[test]
fn a_neighbour_in_demand_mode_stops_our_packets_while_both_are_up() {
    let mut bench = Bench::up(config());
    let flags = Flags { demand: true, ..Flags::default() };
    bench.hear(Control { flags, ..bench.control() });
    let sent = bench.sent.len();
    bench.pass(ms(110));
    assert_eq!(bench.sent.len(), sent);
    bench.hear(bench.control());
    bench.pass(ms(110));
    assert!(bench.sent.len() > sent, "it left demand mode");
}

#[test]
fn a_shorter_wish_of_the_neighbour_holds_at_once_counted_from_the_last_packet() {
    let mut bench = Bench::new(config());
    bench.hear(Control { yours: 0, state: State::Down, required_rx: ms(5000), ..control() });
    bench.hear(Control { state: State::Init, required_rx: ms(5000), ..bench.control() });
    bench.answer_poll();
    bench.hear(Control { required_rx: ms(5000), ..bench.control() });
    let sent = bench.sent.last().unwrap().0;
    bench.pass(ms(100));
    assert_eq!(bench.sent.last().unwrap().0, sent);
    bench.hear(bench.control());
    bench.pass(ms(1));
    assert!(
        bench.sent.last().unwrap().0 > sent,
        "15 ms have passed since the last one: due as soon as possible"
    );
}

#[test]
fn slower_sending_waits_for_the_end_of_the_poll_and_the_session_stays_up() {
    let mut bench = Bench::up(config());
    let mut slower = config();
    slower.timing.min_tx = ms(200);
    slower.timing.min_rx = ms(5);
    let mut whole = Config::default();
    whole.sessions.insert(ID, Arc::new(slower));
    bench.act(|sessions, cx| sessions.configure(cx, &whole));
    assert!(bench.last().flags.poll);
    assert_eq!((bench.last().desired_tx, bench.last().required_rx), (ms(200), ms(5)));
    let status = bench.sessions.status();
    assert_eq!(status[0].interval, ms(15), "the old interval holds until the neighbour knows");
    bench.answer_poll();
    assert_eq!(bench.sessions.status()[0].interval, ms(200));
    assert_eq!(bench.state(), State::Up);
    assert_eq!(bench.sessions.status()[0].counters.ups, 1);
}

#[test]
fn another_neighbour_is_another_session_and_the_old_one_is_taken_leave_of() {
    let mut bench = Bench::up(config());
    let old = bench.sessions.all[&ID].discriminator();
    let mut whole = Config::default();
    let to = "192.0.2.3".parse().unwrap();
    whole.sessions.insert(ID, Arc::new(BfdConfig { to, ..config() }));
    bench.act(|sessions, cx| sessions.configure(cx, &whole));
    let last = bench.last();
    assert_eq!((last.mine, last.state, last.diagnostic), (old, State::AdminDown, Diagnostic::ADMINISTRATIVE));
    assert_eq!(bench.state(), State::Down);
    assert_eq!(bench.opened.last().unwrap().1.map(|path| path.to), Some(to));
}

#[test]
fn a_stop_says_admin_down_and_closes() {
    let mut bench = Bench::up(config());
    bench.act(|sessions, cx| sessions.stop(cx));
    assert_eq!(bench.last().state, State::AdminDown);
    assert_eq!(bench.opened.last().unwrap().1, None);
    assert_eq!(bench.timers.next(), None);
}

#[test]
fn a_refused_socket_is_told_once_and_asked_for_again_from_another_port() {
    let mut bench = Bench::unopened(config());
    for round in 0..3 {
        let (ticket, path) = *bench.opened.last().unwrap();
        assert!(path.unwrap().port >= SOURCE_PORTS);
        bench.act(|sessions, cx| sessions.on_done(cx, ticket, Err(Errno(98))));
        assert_eq!(bench.told.len(), 1, "round {round}");
        bench.pass(session::RETRY);
    }
    assert_eq!(bench.sent, []);
    let ports: BTreeSet<u16> = bench.opened.iter().filter_map(|(_, path)| Some((*path)?.port)).collect();
    assert!(ports.len() > 1);
    let ticket = bench.opened.last().unwrap().0;
    bench.act(|sessions, cx| sessions.on_done(cx, ticket, Ok(())));
    assert_eq!(bench.last().state, State::Down);
}

#[test]
fn max_hops_lets_packets_through_that_lost_so_much_of_their_ttl() {
    let mut bench = Bench::new(BfdConfig { max_hops: 2, ..config() });
    let hello = Control { yours: 0, state: State::Down, ..control() }.emit();
    bench.hear_bytes(PEER, 252, &hello);
    assert_eq!(bench.state(), State::Down);
    bench.hear_bytes(PEER, 253, &hello);
    assert_eq!(bench.state(), State::Init);
}

#[test]
fn one_complaint_more_than_the_limit_is_counted_and_not_told() {
    let mut bench = Bench::new(config());
    for n in 0..=u32::try_from(MAX_COMPLAINTS).unwrap() {
        let from = core::net::Ipv4Addr::from(0xc633_6400 + n).into();
        bench.hear_bytes(from, 255, &[]);
    }
    assert_eq!(bench.told.len(), MAX_COMPLAINTS);
    assert_eq!(bench.sessions.strays().get("bfd_length"), Some(&(MAX_COMPLAINTS as u64 + 1)));
}

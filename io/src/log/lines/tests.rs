//! Every event with the words an operator's grep knows.

use super::*;
use standfast_core::config::model::{Algorithm, PoolConfig, Redispatch, ServerConfig};
use standfast_core::id::{BfdId, CheckId, FrontendId, InstanceId, Interface, PoolId, ServerId};
use standfast_core::wire::bfd::BfdError;
use std::sync::Arc;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 12));

fn vi() -> Arc<str> {
    Arc::from("VI_1")
}

fn role_event(from: Role, to: Role, why: Why, priority: u8) -> Event {
    Event::Role { instance: InstanceId(1), name: vi(), from, to, why, priority }
}

fn outcome(code: CheckCode, status: Option<u32>, info: &str) -> Outcome {
    Outcome { passed: false, code, status, info: info.to_owned(), took: Duration::from_millis(3) }
}

fn server_event(state: ServerState, outcome: Option<Outcome>, active: u32, backup: u32) -> Event {
    let name = Arc::from("apiserver/cp1");
    Event::Server { pool: PoolId(1), server: ServerId(1), name, state, outcome, active, backup, sessions: 5 }
}

fn config(backup: bool, listen: bool) -> Config {
    let server = ServerConfig {
        id: ServerId(1),
        name: Arc::from("cp1"),
        address: "192.0.2.11:6443".parse().unwrap(),
        weight: 1,
        backup,
        disabled: false,
        check: None,
        shutdown_when_down: false,
    };
    let pool = PoolConfig {
        id: PoolId(1),
        name: Arc::from("apiserver"),
        algorithm: Algorithm::RoundRobin,
        all_backups: false,
        servers: vec![server],
        retries: 3,
        redispatch: Redispatch::Never,
        connect: None,
        server: None,
        log: Vec::new(),
        listen,
    };
    let mut config = Config::default();
    config.pools.insert(PoolId(1), Arc::new(pool));
    config
}

#[test]
fn lines_about_virtual_routers_keep_the_familiar_phrases_and_say_why() {
    let silent = Duration::from_millis(3609);
    let cases = [
        (
            role_event(Role::Backup, Role::Master, Why::MasterDown { last: Some(PEER), silent }, 100),
            "(VI_1) Entering MASTER STATE, was BACKUP: nothing heard from 192.0.2.12 for 3.609 s; priority 100",
        ),
        (role_event(Role::Init, Role::Backup, Why::Start, 100), "(VI_1) Entering BACKUP STATE (init)"),
        (
            role_event(Role::Backup, Role::Fault, Why::Tracked { what: "interface eth0 is down".into() }, 0),
            "(VI_1) Entering FAULT STATE, was BACKUP: interface eth0 is down; priority 0",
        ),
        (
            role_event(Role::Master, Role::Backup, Why::Better { from: PEER, priority: 150 }, 100),
            "(VI_1) Master received advert from 192.0.2.12 with higher priority 150, ours 100: (VI_1) Entering BACKUP STATE, was MASTER",
        ),
        (
            role_event(Role::Master, Role::Backup, Why::Better { from: PEER, priority: 100 }, 100),
            "(VI_1) Master received advert from 192.0.2.12 with same priority 100 but higher address than ours: (VI_1) Entering BACKUP STATE, was MASTER",
        ),
        (
            Event::LowerHeard { name: vi(), from: PEER, priority: 50 },
            "(VI_1) Received advert from 192.0.2.12 with lower priority 50, forcing new election",
        ),
        (
            Event::Priority { instance: InstanceId(1), name: vi(), from: 100, to: 98 },
            "(VI_1) Changing effective priority from 100 to 98",
        ),
        (
            Event::Rejected { instance: None, name: vi(), from: PEER, error: PacketError::AuthFailure },
            "(VI_1) Dropping advert from 192.0.2.12: wrong password (auth_failure)",
        ),
        (
            Event::GroupRole { name: vi(), to: Role::Master },
            "VRRP_Group(VI_1) Syncing instances to MASTER state",
        ),
        (
            Event::Session {
                session: BfdId(1),
                name: vi(),
                neighbor: PEER,
                from: State::Up,
                to: State::Down,
                why: Diagnostic::EXPIRED,
            },
            "BFD_Instance(VI_1) Entering Down state (neighbour 192.0.2.12, detection time expired)",
        ),
        (
            Event::BfdRejected { name: vi(), from: PEER, error: BfdError::Sender },
            "BFD_Instance(VI_1) dropped a packet from 192.0.2.12: it is not from the neighbour (bfd_sender)",
        ),
        (
            Event::Ordered { what: "virtual router VI_1 resigns".into() },
            "Ordered by an operator: virtual router VI_1 resigns",
        ),
        (Event::Leaving { name: vi(), heard: Some(PEER) }, "(VI_1) Left: 192.0.2.12 has taken over"),
    ];
    for (event, wanted) in cases {
        assert_eq!(human(&event).1, wanted);
    }
}

#[test]
fn lines_about_the_host_say_what_the_kernel_says() {
    let address = "192.0.2.100/24".parse().unwrap();
    let on = Interface(2);
    let link = |usable, exists| Event::Link { name: Arc::from("eth0"), usable, exists };
    let cases = [
        (link(true, true), NOTICE, "Netlink reports eth0 up"),
        (link(false, true), WARNING, "Netlink reports eth0 down"),
        (link(false, false), WARNING, "Netlink reports eth0 deleted"),
        (
            Event::AddressLost { name: vi(), on, address, then: "giving up MASTER".into() },
            ERROR,
            "(VI_1) Somebody else removed address 192.0.2.100/24: giving up MASTER",
        ),
        (
            Event::Refused { what: "add 192.0.2.100/24".into(), errno: Errno::EPERM },
            ERROR,
            "The kernel refused: add 192.0.2.100/24: Operation not permitted (os error 1)",
        ),
        (Event::Reloaded { changes: Vec::new() }, NOTICE, "Reloaded: nothing changed"),
        (
            Event::Listening { frontend: FrontendId(1), name: Arc::from("fe"), open: true },
            NOTICE,
            "Frontend fe is listening",
        ),
    ];
    for (event, level, wanted) in cases {
        assert_eq!(human(&event), (level, wanted.to_owned()));
    }
}

#[test]
fn lines_about_scripts_are_keepalived_s() {
    let name: Arc<str> = Arc::from("check_apiserver");
    let failed = outcome(CheckCode::ScriptExit, Some(1), "");
    let check = CheckId(1);
    let cases = [
        (
            Event::Checked {
                check,
                name: name.clone(),
                count: 1,
                of: 10,
                rising: false,
                outcome: failed.clone(),
            },
            "Script `check_apiserver` now returning 1: 1 of 10 towards down",
        ),
        (
            Event::Verdict { check, name: name.clone(), up: false, outcome: failed },
            "VRRP_Script(check_apiserver) failed (exited with status 1)",
        ),
        (
            Event::Verdict { check, name, up: true, outcome: outcome(CheckCode::ScriptOk, Some(0), "") },
            "VRRP_Script(check_apiserver) succeeded",
        ),
    ];
    for (event, wanted) in cases {
        assert_eq!(human(&event).1, wanted);
    }
}

#[test]
fn servers_are_reported_in_haproxy_s_words() {
    let refused = outcome(CheckCode::L4Connection, None, "Connection refused");
    let wrong = outcome(CheckCode::L7Status, Some(503), "");
    let passed = outcome(CheckCode::L6Ok, None, "");
    let cases = [
        (
            server_event(ServerState::Down, Some(refused), 2, 0),
            ALERT,
            "Server apiserver/cp1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 3ms. 2 active and 0 backup servers left. 5 sessions active, 0 requeued, 0 remaining in queue.",
        ),
        (
            server_event(ServerState::Down, Some(wrong), 0, 1),
            ALERT,
            "Server apiserver/cp1 is DOWN, reason: Layer7 wrong status, code: 503, check duration: 3ms. 0 active and 1 backup servers left. Running on backup. 5 sessions active, 0 requeued, 0 remaining in queue.",
        ),
        (
            server_event(ServerState::Up, Some(passed), 3, 0),
            NOTICE,
            "Server apiserver/cp1 is UP, reason: Layer6 check passed, check duration: 3ms. 3 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
        ),
        (
            server_event(ServerState::Maintenance, None, 1, 0),
            ALERT,
            "Server apiserver/cp1 is going DOWN for maintenance. 1 active and 0 backup servers left. 5 sessions active, 0 requeued, 0 remaining in queue.",
        ),
        (
            server_event(ServerState::Drain, None, 0, 2),
            NOTICE,
            "Server apiserver/cp1 enters drain state. 0 active and 2 backup servers online. Running on backup. 0 sessions requeued, 0 total in queue.",
        ),
        (
            server_event(ServerState::Up, None, 3, 0),
            NOTICE,
            "Server apiserver/cp1 is UP/READY (leaving forced maintenance).",
        ),
    ];
    for (event, level, wanted) in cases {
        assert_eq!(haproxy_lines(&config(false, false), &event), Some((PoolId(1), level, wanted.to_owned())));
    }
    assert_eq!(haproxy_lines(&config(false, false), &server_event(ServerState::GoingDown, None, 3, 0)), None);
}

#[test]
fn backup_servers_and_listen_sections_are_named_as_haproxy_names_them() {
    let down = server_event(ServerState::Down, None, 0, 0);
    let (_, _, line) = haproxy_lines(&config(true, false), &down).unwrap();
    assert!(line.starts_with("Backup Server apiserver/cp1 is DOWN."), "{line}");
    let empty = Event::PoolEmpty { pool: PoolId(1), name: Arc::from("apiserver") };
    let said = |listen| haproxy_lines(&config(false, listen), &empty).unwrap();
    assert_eq!(said(false), (PoolId(1), EMERGENCY, "backend apiserver has no server available!".to_owned()));
    assert_eq!(said(true), (PoolId(1), EMERGENCY, "proxy apiserver has no server available!".to_owned()));
}

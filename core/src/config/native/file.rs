//! The native file as serde sees it: one struct per table, `None` where the default holds.
//!
//! Ranges of single values are checked by the types of `value`, so that the error carries the value's place; what
//! concerns several values is checked by `read`.

use super::value::{
    AtLeastOne, Balance, Facility, Hundred, Label, Level, LineLength, LogTo, Net, Nice, Password, Pause,
    Percent, ProcessName, Processor, Realtime, Runs, Time, TrackWeight, Umask, VersionNumber, Weight,
};
use crate::config::watch::Parameters;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use serde::{Deserialize, Serialize};
use toml::Spanned;

macro_rules! tables {
    ($($(#[doc = $doc:literal])* struct $name:ident { $($(#[$inner:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$inner])* pub(super) $field: $type,)*
        }
    )*};
}

tables! {
    /// The whole file.
    struct File {
        node: Option<Node>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        check: Vec<NamedCheck>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        watch: Vec<NamedWatch>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bfd: Vec<Bfd>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        virtual_router: Vec<VirtualRouter>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        group: Vec<Group>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        routing: Vec<Routing>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pool: Vec<Pool>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        frontend: Vec<Frontend>,
    }

    /// `[node]`.
    struct Node {
        router_id: Option<String>,
        lease: Option<bool>,
        start: Option<Start>,
        log_unknown_vrids: Option<bool>,
        max_connections: Option<u32>,
        spread_checks: Option<Percent>,
        record: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        log: Vec<Log>,
        pipe_states_on_reload: Option<bool>,
        process: Option<Process>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pipe: Vec<Pipe>,
        links: Option<Links>,
    }

    /// `[node.start]`: how long the virtual routers wait at the start.
    struct Start {
        delay: Option<Time>,
        delay_after_boot: Option<Time>,
    }

    /// `[node.links]`: how links and announcements on them are treated.
    struct Links {
        announce_gap: Option<Time>,
        announce_gap_ipv6: Option<Time>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        announce_group: Vec<AnnounceGroup>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        debounce: Vec<Debounce>,
    }

    /// `[[node.links.announce_group]]`: interfaces whose announcements share one pace.
    struct AnnounceGroup {
        interfaces: Vec<String>,
        gap: Option<Time>,
        gap_ipv6: Option<Time>,
    }

    /// `[[node.links.debounce]]`: how long a link must stand otherwise before it is believed.
    struct Debounce {
        interface: String,
        down: Option<Time>,
        up: Option<Time>,
    }

    /// `[node.process]`: how the process stands to its host.
    struct Process {
        name: Option<ProcessName>,
        umask: Option<Umask>,
        nice: Option<Nice>,
        realtime: Option<Realtime>,
        realtime_limit: Option<Time>,
        no_swap: Option<bool>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        processors: Vec<Processor>,
        data_file: Option<String>,
        stats_file: Option<String>,
        json_file: Option<String>,
        json_object: Option<bool>,
    }

    /// `[[node.pipe]]`: a named pipe that is told of every transition; `reader` gets its path appended.
    struct Pipe {
        path: String,
        user: Option<String>,
        reader: Option<Command>,
    }

    /// `[[node.log]]` and its kin.
    struct Log {
        to: LogTo,
        facility: Facility,
        level: Option<Level>,
        format: Option<LogFormat>,
        length: Option<LineLength>,
    }

    /// `[[virtual_router]]`.
    struct VirtualRouter {
        name: Spanned<String>,
        interface: String,
        vrid: AtLeastOne,
        version: Option<VersionNumber>,
        family: Option<Family>,
        priority: Option<AtLeastOne>,
        address: Vec<Address>,
        election: Option<Election>,
        transport: Option<Transport>,
        announce: Option<Announce>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        track: Vec<Track>,
        notify: Option<Notify>,
    }

    /// `[[virtual_router.address]]`.
    struct Address {
        address: Net,
        interface: Option<String>,
        advertised: Option<bool>,
        tracked: Option<bool>,
        label: Option<Label>,
        scope: Option<u8>,
        broadcast: Option<Ipv4Addr>,
        duplicate_detection: Option<bool>,
        deprecated: Option<bool>,
    }

    /// `[virtual_router.election]`.
    struct Election {
        advertisement_interval: Option<Spanned<Time>>,
        down_advertisements: Option<Hundred>,
        preempt: Option<bool>,
        preempt_delay: Option<Time>,
        start_active: Option<bool>,
        answer_lower: Option<bool>,
        last_advertisement: Option<bool>,
        owner_ignores: Option<bool>,
        oversleep_priority: Option<AtLeastOne>,
        strict: Option<bool>,
    }

    /// `[virtual_router.transport]`.
    struct Transport {
        source: Option<IpAddr>,
        track_source: Option<bool>,
        multicast: Option<IpAddr>,
        hops: Option<u8>,
        check_source: Option<bool>,
        skip_address_check: Option<bool>,
        plain_checksum: Option<bool>,
        old_checksum: Option<bool>,
        password: Option<Password>,
        peer: Option<Vec<Peer>>,
    }

    /// `[[virtual_router.transport.peer]]`.
    struct Peer {
        address: IpAddr,
        min_hops: Option<u8>,
        max_hops: Option<u8>,
    }

    /// `[virtual_router.announce]`.
    struct Announce {
        repeat: Option<u32>,
        delay: Option<Time>,
        refresh: Option<Time>,
        refresh_repeat: Option<u32>,
        lower_repeat: Option<u32>,
        lower_delay: Option<Time>,
        extra: Option<Time>,
    }

    /// `[[virtual_router.track]]`: an interface, a check or a BFD session.
    struct Track {
        interface: Option<String>,
        check: Option<Spanned<String>>,
        bfd: Option<Spanned<String>>,
        weight: Option<TrackWeight>,
        reverse: Option<bool>,
    }

    /// `[virtual_router.notify]`, `[group.notify]`.
    struct Notify {
        active: Option<Command>,
        backup: Option<Command>,
        fault: Option<Command>,
        stop: Option<Command>,
        any: Option<Command>,
        lower: Option<Command>,
        priorities: Option<bool>,
        tell_deleted: Option<bool>,
        deleted: Option<Command>,
    }

    /// A command.
    struct Command {
        argv: Vec<String>,
        user: Option<String>,
    }

    /// `[[group]]`: virtual routers that change together.
    struct Group {
        name: Spanned<String>,
        members: Vec<Spanned<String>>,
        notify: Option<Notify>,
    }

    /// `[[routing]]`: addresses, routes and rules, of a virtual router while it is active, or for good; `followers` are
    /// in FAULT while the kernel refuses one of these.
    struct Routing {
        virtual_router: Option<Spanned<String>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        followers: Vec<Spanned<String>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        address: Vec<Spanned<Address>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        route: Vec<Spanned<String>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rule: Vec<Spanned<String>>,
    }

    /// `[[check]]`: a check that virtual routers track.
    struct NamedCheck {
        name: Spanned<String>,
        run: Check,
    }

    /// `[[watch]]`: a file or a process that virtual routers track.
    struct NamedWatch {
        name: Spanned<String>,
        every: Option<Pause>,
        rise: Option<Runs>,
        fall: Option<Runs>,
        file: Option<WatchFile>,
        process: Option<WatchProcess>,
    }

    /// `[watch.file]`: its number, 0 when it is not there; `first` is written to it at the start.
    struct WatchFile {
        path: String,
        first: Option<i32>,
        overwrite: Option<bool>,
    }

    /// `[watch.process]`: at least `least` of it, 1 unless told otherwise, and at most `most`.
    struct WatchProcess {
        argv: Vec<String>,
        full_command: Option<bool>,
        parameters: Option<Parameters>,
        least: Option<u32>,
        most: Option<u32>,
    }

    /// `[[bfd]]`: a BFD session that virtual routers track.
    struct Bfd {
        name: Spanned<String>,
        neighbor: IpAddr,
        source: Option<IpAddr>,
        hops: Option<AtLeastOne>,
        max_hops: Option<u8>,
        min_tx: Option<Time>,
        min_rx: Option<Time>,
        idle_tx: Option<Time>,
        multiplier: Option<AtLeastOne>,
        passive: Option<bool>,
    }

    /// `[check.run]`, `[pool.check]`, `[pool.server.check]`: what a check does, when, how many runs decide.
    struct Check {
        kind: ProbeKind,
        every: Option<Pause>,
        every_changing: Option<Pause>,
        every_down: Option<Pause>,
        timeout: Option<Pause>,
        rise: Option<Runs>,
        fall: Option<Runs>,
        connect: Option<Connect>,
        tls: Option<Tls>,
        http: Option<Http>,
        script: Option<Script>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        step: Vec<TalkStep>,
    }

    /// Where a check connects, if not to its server, and how long it may take.
    struct Connect {
        to: Option<SocketAddr>,
        timeout: Option<Time>,
    }

    /// One step of `kind = "talk"`, behind the first connect.
    struct TalkStep {
        connect: Option<Dial>,
        send: Option<String>,
        send_hex: Option<String>,
        expect: Option<String>,
        expect_hex: Option<String>,
        matches: Option<String>,
        matches_hex: Option<String>,
        reply: Option<ReplyKind>,
        not: Option<bool>,
        at_least: Option<u32>,
    }

    /// Another connection within a conversation.
    struct Dial {
        to: SocketAddr,
        tls: Option<Tls>,
    }

    /// What `kind = "script"` runs.
    struct Script {
        argv: Vec<String>,
        user: Option<String>,
        start_failed: Option<bool>,
    }

    /// TLS of `kind = "tls"` and `kind = "http"`.
    struct Tls {
        verify: Option<bool>,
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        alpn: Vec<String>,
        roots: Option<Arc<str>>,
    }

    /// The request of `kind = "http"`, and what is a good answer.
    struct Http {
        method: Option<String>,
        uri: Option<String>,
        version: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        body: Option<String>,
        status: Option<Vec<String>>,
        status_not: Option<Vec<String>>,
        body_has: Option<String>,
        body_has_not: Option<String>,
    }

    /// `[[pool]]`.
    struct Pool {
        name: Spanned<String>,
        balance: Option<Balance>,
        all_backups: Option<bool>,
        retries: Option<u32>,
        redispatch: Option<u32>,
        connect_timeout: Option<Time>,
        server_timeout: Option<Time>,
        listen: Option<bool>,
        check: Option<Check>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        server: Vec<Server>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        log: Vec<Log>,
    }

    /// `[[pool.server]]`.
    struct Server {
        name: Spanned<String>,
        address: SocketAddr,
        weight: Option<Weight>,
        backup: Option<bool>,
        disabled: Option<bool>,
        checked: Option<bool>,
        close_when_down: Option<bool>,
        check: Option<Check>,
    }

    /// `[[frontend]]`.
    struct Frontend {
        name: Spanned<String>,
        pool: Option<Spanned<String>>,
        client_timeout: Option<Time>,
        max_connections: Option<u32>,
        log_sessions: Option<bool>,
        log_empty: Option<bool>,
        bind: Vec<Bind>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        log: Vec<Log>,
    }

    /// `[[frontend.bind]]`.
    struct Bind {
        address: SocketAddr,
        free: Option<bool>,
        interface: Option<String>,
        both_families: Option<bool>,
    }
}

/// `family`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

/// `kind` of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProbeKind {
    Script,
    Tcp,
    OldTlsHello,
    Tls,
    Http,
    Talk,
}

/// `reply` of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReplyKind {
    Pong,
    Smtp,
    MysqlGreeting,
    MysqlLogin,
    Pgsql,
    Ldap,
}

/// `format` of a log target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    Local,
    Rfc3164,
    Rfc5424,
    Short,
    Raw,
}

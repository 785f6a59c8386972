//! Faults and events in the words of a timeline.

use crate::des::fault::Fault;
use crate::des::lan::Trouble;
use crate::des::shape::Tweak;
use crate::des::timeline::Kind;
use standfast_core::event::{Event, Why};

/// What a fault, or its end, looks like to people: whom it hits, and what it is. Nodes are `{0}`, `{1}`, ...
#[must_use]
pub fn fault(fault: &Fault, begins: bool) -> Option<(Option<usize>, String)> {
    let say = |host: usize, start: &str, end: &str| {
        Some((Some(host), String::from(if begins { start } else { end })))
    };
    let world = |start: String, end: &str| Some((None, if begins { start } else { String::from(end) }));
    match fault {
        Fault::PowerLoss { host, .. } => say(*host, "LOSES POWER", "has power, its daemon starts"),
        Fault::Kill { host, .. } => say(*host, "its daemon IS KILLED", "its daemon starts again"),
        Fault::Stop { host, .. } => say(*host, "its daemon IS TOLD TO STOP", "its daemon starts again"),
        Fault::Pause { host, .. } => say(*host, "its daemon IS FROZEN", "its daemon goes on"),
        Fault::LinkDown { host, .. } => say(*host, "LOSES ITS LINK", "has its link again"),
        Fault::ScriptFails { host, .. } => {
            say(*host, "its check script BEGINS TO FAIL", "its check script passes again")
        }
        Fault::Resign { host, .. } => say(*host, "IS ORDERED TO RESIGN", "may take part again"),
        Fault::Reload { host, to } => Some((Some(*host), reload(*to))),
        Fault::TakeAddresses { host } => {
            Some((Some(*host), String::from("other software TAKES ITS ADDRESSES AWAY")))
        }
        Fault::ServerDies { server, .. } => {
            world(format!("server {server} DIES"), &format!("server {server} is back"))
        }
        Fault::ServerHangs { server, .. } => {
            world(format!("server {server} HANGS"), &format!("server {server} answers again"))
        }
        Fault::Note(text) => begins.then(|| (None, text.clone())),
        Fault::OneWay { from, to, .. } => world(
            format!("{{{to}}} DOES NOT HEAR {{{from}}} any more"),
            &format!("{{{to}}} hears {{{from}}} again"),
        ),
        Fault::Cut { a, b, .. } => world(
            format!("{{{a}}} AND {{{b}}} DO NOT HEAR EACH OTHER any more"),
            &format!("{{{a}}} and {{{b}}} hear each other again"),
        ),
        Fault::Isolate { port, .. } => say(
            *port,
            "IS CUT OFF from all others, its link stays up",
            "is reached again, and reaches all others",
        ),
        Fault::Mute { port, .. } => say(*port, "IS HEARD BY NOBODY, but hears all", "is heard again"),
        Fault::Deafen { port, .. } => say(*port, "HEARS NOBODY, but is heard by all", "hears again"),
        Fault::Split { side, .. } => {
            let of = |bit| (0..16).filter(move |host| (side >> host) & 1 == bit);
            let one: Vec<String> = of(1).map(|host| format!("{{{host}}}")).collect();
            world(format!("THE NETWORK SPLITS: {} on one side", one.join(", ")), "the network heals")
        }
        Fault::Trouble { port, trouble, .. } => {
            say(*port, &trouble_words(*trouble), "its network is sound again")
        }
        Fault::Refuse { host, errno, .. } => say(
            *host,
            &format!("its kernel REFUSES ADDRESSES ({errno:?})"),
            "its kernel takes addresses again",
        ),
        Fault::SlowKernel { .. }
        | Fault::MuteKernel { .. }
        | Fault::BlindKernel { .. }
        | Fault::DuplicateAddress { .. }
        | Fault::Clog { .. }
        | Fault::AddAddresses { .. }
        | Fault::Renumber { .. }
        | Fault::Drift { .. }
        | Fault::SlowCpu { .. }
        | Fault::ScriptFlaps { .. }
        | Fault::SlowChecks { .. }
        | Fault::ServerTrickles { .. }
        | Fault::ServerFlaps { .. }
        | Fault::Admin { .. }
        | Fault::Weight { .. }
        | Fault::Attack { .. } => odd(fault, begins),
    }
}

fn trouble_words(trouble: Trouble) -> String {
    match trouble {
        Trouble::Loss(rate) => format!("{} OF 1000 FRAMES from and to it ARE LOST", rate),
        Trouble::Duplicates(rate) => format!("{} of 1000 frames from and to it come twice", rate),
        Trouble::Extra(extra) => {
            format!("frames from and to it take {} ms longer", extra.as_millis())
        }
        Trouble::Bursts(_) => String::from("frames from and to it ARE LOST IN BURSTS"),
        Trouble::Reorder(_) => String::from("frames from and to it overtake each other"),
        Trouble::Damage(rate) => format!("{rate} of 1000 frames from and to it ARE DAMAGED"),
        Trouble::NoMulticast => String::from("its multicast IS FILTERED"),
        Trouble::NoAnnounce => String::from("announcements from and to it ARE LOST"),
        Trouble::Mtu(most) => format!("advertisements of more than {most} bytes from and to it ARE LOST"),
    }
}

/// The rarer ones.
fn odd(fault: &Fault, begins: bool) -> Option<(Option<usize>, String)> {
    let say = |host: usize, start: &str, end: &str| {
        Some((Some(host), String::from(if begins { start } else { end })))
    };
    if let Fault::SlowKernel { host, .. } = fault {
        say(*host, "its kernel answers late", "its kernel answers in time again")
    } else if let Fault::MuteKernel { host, .. } = fault {
        say(*host, "its kernel's answers are lost", "its kernel's answers arrive again")
    } else if let Fault::BlindKernel { host, .. } = fault {
        say(*host, "its kernel's notices are lost", "its kernel's notices arrive again")
    } else if let Fault::DuplicateAddress { host, .. } = fault {
        say(*host, "somebody else HAS ITS IPv6 ADDRESS, too", "its IPv6 address is its own again")
    } else if let Fault::Clog { port, .. } = fault {
        say(*port, "frames from and to it ARE HELD BACK", "frames held back arrive at once")
    } else if let Fault::AddAddresses { host, .. } = fault {
        say(*host, "somebody ADDS THE ADDRESSES BY HAND", "the addresses added by hand are gone")
    } else if let Fault::Renumber { host } = fault {
        say(*host, "its interface IS MADE ANEW, under another number", "")
    } else if let Fault::Drift { host, ppm, .. } = fault {
        say(*host, &format!("its clock is wrong by {ppm} ppm"), "its clock is right again")
    } else if let Fault::SlowCpu { host, .. } = fault {
        say(*host, "its daemon wakes up late", "its daemon wakes up in time again")
    } else if let Fault::ScriptFlaps { host, .. } = fault {
        say(*host, "its check script FLAPS", "its check script is steady again")
    } else if let Fault::SlowChecks { host, .. } = fault {
        say(*host, "its checks answer too late", "its checks answer in time again")
    } else if let Fault::Admin { host, server, admin, .. } = fault {
        say(*host, &format!("is ordered: {server} {admin:?}"), &format!("is ordered: {server} ready"))
    } else if let Fault::Weight { host, server, weight, .. } = fault {
        let (start, end) =
            (format!("is ordered: {server} weight {weight}"), format!("{server} as configured"));
        say(*host, &start, &end)
    } else if let Fault::ServerTrickles { server, .. } = fault {
        Some((
            None,
            format!("server {server} {}", if begins { "answers just in time" } else { "is quick again" }),
        ))
    } else if let Fault::ServerFlaps { server, .. } = fault {
        Some((None, format!("server {server} {}", if begins { "FLAPS" } else { "is steady again" })))
    } else {
        begins.then(|| (None, format!("SOMEBODY ATTACKS: {fault:?}")))
    }
}

fn reload(to: Tweak) -> String {
    match to {
        Tweak::First => String::from("RELOADS the files as they were at first"),
        Tweak::Priority(by) => format!("RELOADS, with its priority changed by {by}"),
        Tweak::ExtraAddress => String::from("RELOADS, with one address more"),
        Tweak::As(other) => format!("RELOADS, with the priorities of {{{other}}}"),
        Tweak::Interval => String::from("RELOADS, with twice the interval"),
        Tweak::Password => String::from("RELOADS, with another password"),
        Tweak::Version => String::from("RELOADS, with the other version of VRRP"),
        Tweak::HalfTheServers => String::from("RELOADS, with half of its servers"),
        Tweak::NoServers => String::from("RELOADS, without any server"),
    }
}

/// What an event of a node looks like to people; `None` for what a timeline does not show.
#[must_use]
pub fn event(event: &Event) -> Option<(Kind, String)> {
    if let Event::Role { name, from, to, why, priority, .. } = event {
        let text =
            format!("({name}) {} -> {}, priority {priority}: {}", from.as_str(), to.as_str(), self::why(why));
        Some((Kind::Role, text))
    } else if let Event::Priority { name, from, to, .. } = event {
        Some((Kind::Priority, format!("({name}) effective priority {from} -> {to}")))
    } else if let Event::Verdict { name, up, outcome, .. } = event {
        let text =
            format!("check {name} {} ({})", if *up { "passes" } else { "FAILS" }, outcome.code.as_str());
        Some((Kind::Check, text))
    } else if let Event::AddressLost { name, address, then, .. } = event {
        Some((Kind::Told, format!("({name}) somebody took {address} away: {then}")))
    } else if let Event::PoolEmpty { name, .. } = event {
        Some((Kind::Told, format!("pool {name} has no usable server")))
    } else {
        None
    }
}

/// Why a role changed, in a few words.
fn why(why: &Why) -> String {
    match why {
        Why::Start => String::from("it starts"),
        Why::Owner => String::from("it owns the addresses"),
        Why::MasterDown { last: None, .. } => String::from("no master was heard"),
        Why::MasterDown { last: Some(last), silent } => {
            format!("nothing heard from {last} for {} s", crate::des::timeline::seconds(*silent))
        }
        Why::Farewell { from } => format!("{from} said farewell"),
        Why::Better { from, priority } => format!("{from} is better, with priority {priority}"),
        Why::Tracked { what } => format!("{what} failed"),
        Why::Recovered => String::from("the fault is gone"),
        Why::Group => String::from("its sync group"),
        Why::AddressLost { address } => format!("{address} was taken away"),
        Why::Order => String::from("ordered"),
        Why::Stop => String::from("it stops"),
        Why::Reload => String::from("the configuration changed"),
    }
}

//! From a step of a scenario file to faults of the simulator: names to numbers, keys that belong to the fault.

use super::codes;
use super::file::{Reader, Step};
use crate::des::fault::Fault;
use crate::des::lan::Trouble;
use crate::des::shape::Tweak;
use standfast_core::config::finding::nearest;
use std::net::SocketAddr;
use std::time::Duration;
use toml::Spanned;

/// What a scenario file may let happen: the word, the keys it needs, and what it does.
pub const FAULTS: [(&str, &[&str], &str); 19] = [
    ("power-loss", &["node"], "the node loses power; it returns after `for`"),
    ("stop", &["node"], "its daemon is told to stop; it is started again after `for`"),
    ("kill", &["node"], "its daemon is killed (signal 9); it is started again after `for`"),
    ("freeze", &["node"], "its daemon stands still"),
    ("link-down", &["node"], "it loses its link"),
    ("isolate", &["node"], "nobody hears it and it hears nobody, its link stays up"),
    ("mute", &["node"], "nobody hears it, but it hears all"),
    ("deafen", &["node"], "it hears nobody, but all hear it"),
    ("check-fails", &["node"], "its check scripts fail"),
    ("resign", &["node"], "an operator orders its virtual routers to resign"),
    ("delete-address", &["node"], "other software deletes its virtual addresses"),
    ("reload", &["node"], "its daemon reads its files again, with `priority` added to its priorities"),
    ("loss", &["node", "percent"], "so many per cent of the frames from and to it are lost"),
    ("delay", &["node", "by"], "frames from and to it take so much longer"),
    ("one-way", &["from", "to"], "frames from one node to the other are lost"),
    ("split", &["nodes"], "these nodes on one side, all others and the clients on the other"),
    ("backend-dies", &["server"], "the server refuses connections"),
    ("backend-hangs", &["server"], "the server accepts connections and says nothing"),
    ("note", &["text"], "a remark in the timeline"),
];

/// The word that stands for every node, or every server.
const ALL: &str = "all";

/// The faults that `step` asks for, `rest` before the end; none, and a finding, when it cannot be carried out.
pub(super) fn faults(reader: &mut Reader<'_>, step: &Spanned<Step>, rest: Duration) -> Vec<Fault> {
    let it = step.get_ref();
    let word = it.fault.get_ref().as_str();
    let Some((_, needs, _)) = FAULTS.iter().find(|(known, _, _)| *known == word) else {
        let known = || FAULTS.iter().map(|(known, _, _)| *known);
        let help = nearest(word, known()).map_or_else(
            || format!("there are {}", known().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        reader.error(
            codes::UNKNOWN_FAULT,
            &it.fault.span(),
            format!("there is no fault `{word}`"),
            Some(help),
        );
        return Vec::new();
    };
    let fit = keys_fit(reader, it, word, needs);
    let lasts = match &it.lasts {
        Some(lasts) => reader.time(lasts).unwrap_or_default(),
        None => rest,
    };
    if !fit {
        return Vec::new();
    }
    match word {
        "one-way" => one_way(reader, it, lasts),
        "split" => split(reader, it, lasts),
        "backend-dies" | "backend-hangs" => {
            let servers = servers(reader, it.server.as_ref());
            let dies = word == "backend-dies";
            let fault = |server| {
                if dies { Fault::ServerDies { server, lasts } } else { Fault::ServerHangs { server, lasts } }
            };
            servers.into_iter().map(fault).collect()
        }
        "note" => vec![Fault::Note(format!("-- {}", it.text.clone().unwrap_or_default()))],
        _ => {
            let hosts = hosts(reader, it.node.as_ref());
            // Without a node, too, for what else is wrong.
            let Some(first) = on_node(reader, it, word, hosts.first().copied().unwrap_or(0), lasts) else {
                return Vec::new();
            };
            let others = hosts.iter().skip(1).filter_map(|host| on_node(reader, it, word, *host, lasts));
            hosts.first().map(|_| first).into_iter().chain(others).collect()
        }
    }
}

/// Every key that the fault needs is there, and none that it does not know.
fn keys_fit(reader: &mut Reader<'_>, it: &Step, word: &str, needs: &[&str]) -> bool {
    let given = [
        ("node", it.node.as_ref().map(Spanned::span)),
        ("nodes", it.nodes.as_ref().and_then(|nodes| nodes.first()).map(Spanned::span)),
        ("from", it.from.as_ref().map(Spanned::span)),
        ("to", it.to.as_ref().map(Spanned::span)),
        ("server", it.server.as_ref().map(Spanned::span)),
        ("percent", it.percent.as_ref().map(Spanned::span)),
        ("by", it.by.as_ref().map(Spanned::span)),
        ("priority", it.priority.as_ref().map(Spanned::span)),
        ("text", it.text.as_ref().map(|_| it.fault.span())),
    ];
    let mut fit = true;
    for (key, place) in given {
        let optional = word == "reload" && key == "priority";
        match place {
            None if needs.contains(&key) => {
                let message = format!("`{word}` needs the key `{key}`");
                reader.error(codes::MISSING, &it.fault.span(), message, Some(example(key)));
                fit = false;
            }
            Some(place) if !needs.contains(&key) && !optional => {
                let message = format!("`{key}` has no effect with `{word}`");
                let help = format!("`{word}` takes {}", needs.join(" and "));
                reader.error(codes::NO_EFFECT, &place, message, Some(help));
                fit = false;
            }
            Some(_) | None => {}
        }
    }
    fit
}

fn example(key: &str) -> String {
    let example = match key {
        "node" => "node = \"cp1\", or \"all\"",
        "nodes" => "nodes = [\"cp1\"]",
        "from" => "from = \"cp1\"",
        "to" => "to = \"cp2\"",
        "server" => "server = \"cp1\", or its address and port, or \"all\"",
        "percent" => "percent = 30",
        "by" => "by = \"200ms\"",
        _ => "text = \"what happens now\"",
    };
    format!("for instance {example}")
}

fn on_node(reader: &mut Reader<'_>, it: &Step, word: &str, host: usize, lasts: Duration) -> Option<Fault> {
    let fault = match word {
        "power-loss" => Fault::PowerLoss { host, back: lasts },
        "stop" => Fault::Stop { host, back: lasts },
        "kill" => Fault::Kill { host, back: lasts },
        "freeze" => Fault::Pause { host, lasts },
        "link-down" => Fault::LinkDown { host, lasts },
        "isolate" => Fault::Isolate { port: host, lasts },
        "mute" => Fault::Mute { port: host, lasts },
        "deafen" => Fault::Deafen { port: host, lasts },
        "check-fails" => Fault::ScriptFails { host, lasts },
        "resign" => Fault::Resign { host, back: lasts },
        "delete-address" => Fault::TakeAddresses { host },
        "reload" => {
            let by = it.priority.as_ref().map_or(0, |by| *by.get_ref());
            let Some(by) = i16::try_from(by).ok().filter(|by| by.unsigned_abs() <= 254) else {
                let place = it.priority.as_ref().map(Spanned::span).unwrap_or_default();
                reader.error(codes::OUT_OF_RANGE, &place, "a priority moves by -254 to 254".into(), None);
                return None;
            };
            let to = if by == 0 { Tweak::First } else { Tweak::Priority(by) };
            Fault::Reload { host, to }
        }
        "loss" => {
            let percent = it.percent.as_ref()?;
            if *percent.get_ref() > 100 {
                reader.error(codes::OUT_OF_RANGE, &percent.span(), "more than 100 per cent".into(), None);
                return None;
            }
            Fault::Trouble { port: host, trouble: Trouble::Loss(percent.get_ref() * 10), lasts }
        }
        _ => {
            let extra = reader.time(it.by.as_ref()?)?;
            Fault::Trouble { port: host, trouble: Trouble::Extra(extra), lasts }
        }
    };
    Some(fault)
}

fn one_way(reader: &mut Reader<'_>, it: &Step, lasts: Duration) -> Vec<Fault> {
    let from = hosts(reader, it.from.as_ref());
    let to = hosts(reader, it.to.as_ref());
    let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
    pairs.filter(|(from, to)| from != to).map(|(from, to)| Fault::OneWay { from, to, lasts }).collect()
}

fn split(reader: &mut Reader<'_>, it: &Step, lasts: Duration) -> Vec<Fault> {
    let mut side = 0_u16;
    for name in it.nodes.iter().flatten() {
        for host in hosts(reader, Some(name)) {
            side |= 1 << host.min(15);
        }
    }
    vec![Fault::Split { side, lasts }]
}

fn hosts(reader: &mut Reader<'_>, name: Option<&Spanned<String>>) -> Vec<usize> {
    let Some(name) = name else { return Vec::new() };
    if name.get_ref() == ALL {
        return (0..reader.nodes.len()).collect();
    }
    if let Some(host) = reader.nodes.iter().position(|(known, _)| known == name.get_ref()) {
        return vec![host];
    }
    let known: Vec<&str> = reader.nodes.iter().map(|(known, _)| known.as_str()).collect();
    let help = format!("there are {}", known.join(", "));
    let message = format!("there is no node `{}`", name.get_ref());
    reader.error(codes::UNKNOWN_NODE, &name.span(), message, Some(help));
    Vec::new()
}

/// The servers that a name, or an address with its port, means.
fn servers(reader: &mut Reader<'_>, name: Option<&Spanned<String>>) -> Vec<SocketAddr> {
    let Some(name) = name else { return Vec::new() };
    let pools = reader.nodes.iter().flat_map(|(_, config)| config.pools.values());
    let all: Vec<(String, SocketAddr)> = pools
        .flat_map(|pool| &pool.servers)
        .map(|server| (server.name.to_string(), server.address))
        .collect();
    let word = name.get_ref();
    let means = |(known, at): &&(String, SocketAddr)| word == ALL || known == word || at.to_string() == *word;
    let mut found: Vec<SocketAddr> = all.iter().filter(means).map(|(_, at)| *at).collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        let mut known: Vec<String> = all.iter().map(|(known, at)| format!("{known} ({at})")).collect();
        known.sort_unstable();
        known.dedup();
        known.truncate(12);
        let help = if known.is_empty() {
            String::from("the files have no pool of servers")
        } else {
            format!("there are {}", known.join(", "))
        };
        reader.error(codes::UNKNOWN_SERVER, &name.span(), format!("there is no server `{word}`"), Some(help));
    }
    found
}

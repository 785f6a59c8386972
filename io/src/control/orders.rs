//! From the names in a request to the ids of an order. Pure: the names are those of the node's own status.

use super::Request;
use standfast_core::balance::{MAX_WEIGHT, ServerStatus};
use standfast_core::config::finding::nearest;
use standfast_core::id::{InstanceId, PoolId, ServerId};
use standfast_core::input::{Admin, Order};
use standfast_core::node::Status;

/// The most names in an answer.
const MAX_NAMES: usize = 12;

/// The order that `request` means on a node that stands like `status`, and in words what follows from it; `None` for a
/// request that is no order.
///
/// # Errors
/// Nobody has that name, or several have; what helps.
pub fn orders(request: &Request, status: &Status) -> Result<Option<(Order, String)>, String> {
    let given = |(pool, server, _): (PoolId, ServerId, String), admin, what: &str, name: &str| {
        (Order::Server { pool, server, admin }, format!("{name} {what}"))
    };
    Ok(Some(match request {
        Request::Status | Request::Reload => return Ok(None),
        Request::Resign { router: name } => {
            let said = format!(
                "{name} leaves its addresses to a peer and stays away until `standfast rejoin {name}`"
            );
            (Order::Resign(router(name, status)?), said)
        }
        Request::Rejoin { router: name } => {
            (Order::Rejoin(router(name, status)?), format!("{name} takes part in the election again"))
        }
        Request::Drain { server: name } => {
            let found = server(name, status)?;
            let full = found.2.clone();
            given(found, Admin::Drain, "gets no new connections; those open go on", &full)
        }
        Request::Ready { server: name } => {
            let found = server(name, status)?;
            let full = found.2.clone();
            given(found, Admin::Ready, "gets connections again, as its check says", &full)
        }
        Request::Weight { server: name, weight } => {
            if *weight > MAX_WEIGHT {
                return Err(format!("a weight is between 0 and {MAX_WEIGHT}, not {weight}"));
            }
            let (pool, server, full) = server(name, status)?;
            (Order::Weight { pool, server, weight: *weight }, format!("{full} has weight {weight}"))
        }
    }))
}

fn router(name: &str, status: &Status) -> Result<InstanceId, String> {
    let found = status.routers.iter().find(|router| *router.name == *name);
    let names = status.routers.iter().map(|router| router.name.to_string());
    found.map(|router| router.id).ok_or_else(|| unknown("virtual router", name, names.collect()))
}

/// Pool, server and `pool/server`.
fn server(name: &str, status: &Status) -> Result<(PoolId, ServerId, String), String> {
    let full = |pool: &str, server: &ServerStatus| format!("{pool}/{}", server.name);
    let all: Vec<(PoolId, ServerId, String, bool)> = status
        .pools
        .iter()
        .flat_map(|pool| pool.servers.iter().map(move |server| (pool, server)))
        .map(|(pool, server)| {
            let full = full(&pool.name, server);
            (pool.pool, server.server, full.clone(), full == name || *server.name == *name)
        })
        .collect();
    let exact = all.iter().find(|(_, _, full, _)| full == name);
    let meant: Vec<_> = all.iter().filter(|(_, _, _, meant)| *meant).collect();
    match (exact, &meant[..]) {
        (Some((pool, server, full, _)), _) | (None, [(pool, server, full, _)]) => {
            Ok((*pool, *server, full.clone()))
        }
        (None, []) => Err(unknown("server", name, all.into_iter().map(|(_, _, full, _)| full).collect())),
        (None, several) => {
            let names: Vec<&str> =
                several.iter().take(MAX_NAMES).map(|(_, _, full, _)| full.as_str()).collect();
            Err(format!("`{name}` is a server of several pools; say which: {}", names.join(", ")))
        }
    }
}

fn unknown(kind: &str, name: &str, mut known: Vec<String>) -> String {
    if known.is_empty() {
        return format!("there is no {kind} `{name}`: the daemon's files have none");
    }
    let near = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? "));
    let near = near.unwrap_or_default();
    let more = if known.len() > MAX_NAMES { ", ..." } else { "" };
    known.truncate(MAX_NAMES);
    format!("there is no {kind} `{name}`; {near}there are {}{more}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::config::load::{Language, Options, load};
    use standfast_core::config::source::MemorySource;
    use standfast_core::node::Node;
    use standfast_core::rng::Seed;
    use standfast_core::time::Time;

    const KEEPALIVED: &str = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n \
                              virtual_ipaddress {\n 192.0.2.100\n }\n}\n";
    const HAPROXY: &str = "defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n\
                           backend one\n server a 192.0.2.11:80\n server b 192.0.2.12:80\n\
                           backend two\n server b 192.0.2.12:81\n\
                           frontend f\n bind 192.0.2.1:80\n default_backend one\n";

    fn status() -> Status {
        let mut source = MemorySource::with("keepalived.conf", KEEPALIVED.as_bytes());
        source.files.insert("haproxy.cfg".into(), HAPROXY.into());
        let files = [(Language::Keepalived, "keepalived.conf"), (Language::Haproxy, "haproxy.cfg")];
        let config = load(&files, &source, None, &Options::default()).config.unwrap();
        Node::new(config.into(), Seed(1), Time::ZERO).status()
    }

    fn said(request: &Request) -> String {
        match orders(request, &status()) {
            Ok(Some((_, said))) | Err(said) => said,
            Ok(None) => String::new(),
        }
    }

    #[test]
    fn a_server_is_meant_by_its_name_where_one_pool_has_it_and_with_its_pool_always() {
        let drain = |server: &str| Request::Drain { server: server.into() };
        assert_eq!(said(&drain("a")), "one/a gets no new connections; those open go on");
        assert_eq!(said(&drain("two/b")), "two/b gets no new connections; those open go on");
        assert_eq!(said(&drain("b")), "`b` is a server of several pools; say which: one/b, two/b");
        assert_eq!(
            said(&drain("two/c")),
            "there is no server `two/c`; did you mean `two/b`? there are one/a, one/b, two/b"
        );
    }

    #[test]
    fn a_virtual_router_is_meant_by_its_name_and_an_unknown_one_is_told_what_there_is() {
        let resign = |router: &str| Request::Resign { router: router.into() };
        let found = orders(&resign("VI_1"), &status()).unwrap().unwrap().0;
        assert_eq!(found, Order::Resign(status().routers[0].id));
        assert_eq!(
            said(&resign("VI_2")),
            "there is no virtual router `VI_2`; did you mean `VI_1`? there are VI_1"
        );
    }

    #[test]
    fn the_greatest_weight_is_taken_and_one_more_is_not() {
        let weight = |weight| Request::Weight { server: "a".into(), weight };
        assert_eq!(said(&weight(256)), "one/a has weight 256");
        assert_eq!(said(&weight(257)), "a weight is between 0 and 256, not 257");
    }
}

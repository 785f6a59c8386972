//! What may stand outside of all blocks.

use super::keyword::{Desk, Keyword, Shape, apply, note, refused, served};
use super::tree::Statement;
use super::{bfd, codes, globals, group, instance, item, link, script, watch};
use alloc::format;
use alloc::string::ToString;

const SOME: Shape = Shape::Words(0, usize::MAX, "");
const ONE_DAEMON: &str = "the service unit decides it";

/// Keywords outside of all blocks.
pub(super) static TABLE: &[Keyword<()>] = &[
    served("global_defs", Shape::Block(0), "may repeat", "", |(), desk, s| {
        globals::read(desk, s.body.as_deref().unwrap_or(&[]));
    }),
    served("vrrp_instance", Shape::Block(1), "one name", "at most 4096", |(), desk, s| {
        instance::read(desk, s)
    }),
    served("vrrp_script", Shape::Block(1), "one name", "", |(), desk, s| script::read(desk, s)),
    served("vrrp_sync_group", Shape::Block(1), "one name", "at most 2048", |(), desk, s| {
        group::read(desk, s)
    }),
    served("virtual_server", Shape::Any, "not served", "", virtual_server),
    served("virtual_server_group", Shape::Any, "not served", "", virtual_server),
    note("SSL", Shape::Any, "there is no LVS here"),
    served("track_file", Shape::Block(1), "one name", "at most 1024", |(), desk, s| watch::read(desk, s)),
    served("vrrp_track_file", Shape::Block(1), "as track_file", "at most 1024", |(), desk, s| {
        watch::read(desk, s);
    }),
    served("vrrp_track_process", Shape::Block(1), "one name", "at most 1024", |(), desk, s| {
        watch::read(desk, s);
    }),
    served("bfd_instance", Shape::Block(1), "one name", "at most 1024", |(), desk, s| bfd::read(desk, s)),
    served("static_ipaddress", Shape::Block(0), "none", "at most 1024", |(), desk, s| {
        item::static_addresses(desk, s);
    }),
    served("static_routes", Shape::Block(0), "none", "1024 with static_rules", |(), desk, s| {
        item::static_items(desk, s);
    }),
    served("static_rules", Shape::Block(0), "none", "1024 with static_routes", |(), desk, s| {
        item::static_items(desk, s);
    }),
    served("track_group", Shape::Block(1), "one name", "", |(), desk, s| item::track_group(desk, s)),
    served("garp_group", Shape::Block(0), "none", "4096 interfaces", |(), desk, s| link::garp_group(desk, s)),
    note("linkbeat_interfaces", Shape::Any, "links are watched by netlink"),
    note("linkbeat_use_polling", Shape::Flag, "links are watched by netlink"),
    served("interface_up_down_delays", Shape::Block(0), "0", "0 to 255 s, down and up", |(), desk, s| {
        link::delays(desk, s)
    }),
    refused(
        "net_namespace",
        SOME,
        "the daemon would run in another network namespace",
        "start it inside: ip netns exec NAME, or NetworkNamespacePath= in the unit",
    ),
    note("net_namespace_ipvs", SOME, "there is no LVS here"),
    note("namespace_with_ipsets", SOME, "no firewall rules are made"),
    note("use_pid_dir", SOME, ONE_DAEMON),
    note("instance", SOME, ONE_DAEMON),
    note("child_wait_time", SOME, ONE_DAEMON),
];

/// Goes through a whole configuration.
pub(super) fn read(desk: &mut Desk<'_>, statements: &[Statement]) {
    apply(TABLE, "the file", &mut (), desk, statements);
}

/// LVS: the block is passed over whole, and the same thing is named in haproxy's language.
fn virtual_server(_: &mut (), desk: &mut Desk<'_>, s: &Statement) {
    let words = s.arguments();
    let at = words.first().map_or("", |word| word.text.as_str());
    let port = words.get(1).map_or("PORT", |word| word.text.as_str());
    let mut help = match at {
        "group" | "fwmark" | "" => "in haproxy.cfg: listen NAME; bind ADDRESS:PORT; mode tcp".to_string(),
        _ => format!("in haproxy.cfg: listen NAME; bind {at}:{port}; mode tcp"),
    };
    if s.keyword() == "virtual_server" {
        for server in s.body.iter().flatten().filter(|inner| inner.keyword() == "real_server").take(8) {
            let part = |i: usize| server.arguments().get(i).map_or("?", |word| word.text.as_str());
            help.push_str(&format!(
                "; server {} {}:{} check",
                part(0).replace(['.', ':'], "-"),
                part(0),
                part(1)
            ));
        }
    }
    desk.error(
        s.span(),
        codes::VIRTUAL_SERVER,
        format!("`{}` (LVS) is not served: nothing would be balanced", s.keyword()),
        &help,
    );
}

//! `[[routing]]`: what a virtual router, or the node for good, has in the kernel besides virtual addresses; routes and
//! rules in the words of `ip route` and `ip rule`, as `config::item` reads them.

use super::codes;
use super::desk::Desk;
use super::file;
use super::{read, write};
use crate::config::item::{Item, MAX_ITEMS, Route, Rule, StaticItem, Wrong};
use crate::config::model::Config;
use crate::id::InstanceId;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use toml::Spanned;

/// Adds what the tables say to `config`.
pub(super) fn lower(
    desk: &mut Desk<'_>,
    tables: &[file::Routing],
    routers: &BTreeMap<String, InstanceId>,
    config: &mut Config,
) {
    for table in tables {
        let items = items(desk, table);
        let followers: Vec<InstanceId> =
            table.followers.iter().filter_map(|name| desk.find(routers, name, "virtual router")).collect();
        let Some(name) = &table.virtual_router else {
            let room = MAX_ITEMS.saturating_sub(config.items.len());
            let items = limited(desk, items, room);
            config.items.extend(items.map(|item| StaticItem { item, routers: followers.clone() }));
            continue;
        };
        if !table.followers.is_empty() || !table.address.is_empty() {
            let message = "`followers` and `address` are for what is there for good".to_string();
            let help = Some("a virtual router's addresses stand in `[[virtual_router.address]]`".into());
            desk.error(codes::CONTRADICTION, &name.span(), message, help);
        }
        let found = desk.find(routers, name, "virtual router");
        if let Some(instance) = found.and_then(|id| config.instances.get_mut(&id)) {
            let mut instance_now = (**instance).clone();
            let room = MAX_ITEMS.saturating_sub(instance_now.items.len());
            instance_now.items.extend(limited(desk, items, room));
            *instance = Arc::new(instance_now);
        }
    }
}

type Placed = (Range<usize>, Arc<Item>);

fn limited(desk: &mut Desk<'_>, items: Vec<Placed>, room: usize) -> impl Iterator<Item = Arc<Item>> + use<> {
    if let Some((at, _)) = items.get(room) {
        desk.error(codes::TOO_MANY, at, format!("more than {MAX_ITEMS} of these in one place"), None);
    }
    items.into_iter().take(room).map(|(_, item)| item)
}

fn items(desk: &mut Desk<'_>, table: &file::Routing) -> Vec<Placed> {
    let mut found = Vec::new();
    for address in &table.address {
        let (at, address) = (address.span(), address.get_ref());
        match &address.interface {
            Some(interface) => {
                let lowered = read::address(address, &Arc::from(interface.as_str()));
                found.push((at, Arc::new(Item::Address(lowered))));
            }
            None => desk.error(codes::MISSING, &at, "a static address needs an `interface`".into(), None),
        }
    }
    for (lines, parse) in [(&table.route, route as Parse), (&table.rule, rule as Parse)] {
        for line in lines {
            let words: Vec<&str> = line.get_ref().split_whitespace().collect();
            match parse(&words) {
                Ok(item) => found.push((line.span(), Arc::new(item))),
                Err(wrong) => {
                    let help = (!wrong.help.is_empty()).then(|| String::from(wrong.help));
                    desk.error(codes::CONTRADICTION, &line.span(), wrong.message, help);
                }
            }
        }
    }
    found
}

type Parse = fn(&[&str]) -> Result<Item, Wrong>;

fn route(words: &[&str]) -> Result<Item, Wrong> {
    Route::read(words).map(Item::Route)
}

fn rule(words: &[&str]) -> Result<Item, Wrong> {
    let rule = Rule::read(words)?;
    if rule.priority.is_none() {
        let message = "a rule needs a priority".to_string();
        return Err(Wrong { word: 0, unserved: false, message, help: "add: priority N" });
    }
    Ok(Item::Rule(rule))
}

/// The tables of `config`.
pub(super) fn raise(config: &Config) -> Vec<file::Routing> {
    let of_routers =
        config.instances.values().filter(|instance| !instance.items.is_empty()).map(|instance| {
            let mut table = empty();
            table.virtual_router = Some(write::named(&instance.name));
            instance.items.iter().for_each(|item| push(&mut table, item));
            table
        });
    let mut tables: Vec<file::Routing> = of_routers.collect();
    for one in &config.items {
        let mut table = empty();
        let followers = one.routers.iter().filter_map(|id| config.instances.get(id));
        table.followers = followers.map(|router| write::named(&router.name)).collect();
        push(&mut table, &one.item);
        tables.push(table);
    }
    tables
}

fn empty() -> file::Routing {
    file::Routing {
        virtual_router: None,
        followers: Vec::new(),
        address: Vec::new(),
        route: Vec::new(),
        rule: Vec::new(),
    }
}

fn push(table: &mut file::Routing, item: &Item) {
    match item {
        Item::Address(address) => table.address.push(Spanned::new(0..0, write::address(address, ""))),
        Item::Route(route) => table.route.push(write::named(&route.to_string())),
        Item::Rule(rule) => table.rule.push(write::named(&rule.to_string())),
    }
}

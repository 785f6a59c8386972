//! `virtual_routes`, `virtual_rules`, and what is there for good: `static_ipaddress`, `static_routes`,
//! `static_rules`, with the `track_group`s that follow them.
//!
//! The words of a line are `config::item`'s. A rule without a priority gets one, counted down from 16384, with a
//! warning (keepalived).

use super::address::{self, AddressDraft};
use super::codes;
use super::keyword::{Desk, Keyword, Shape, apply, first, served};
use super::text::Word;
use super::tree::Statement;
use crate::config::item::{FIRST_PRIORITY, Item, MAX_ITEMS, Route, Rule, StaticItem, Wrong};
use crate::config::model::VirtualAddress;
use crate::config::names::Kind;
use crate::id::InstanceId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

/// A route or a rule as written.
#[derive(Clone, Debug)]
pub(super) struct ItemDraft {
    pub(super) item: Item,
    group: Option<Word>,
}

/// What the node has for good, as written, and the addresses that are spoken for.
#[derive(Debug, Default)]
pub(super) struct Statics {
    /// `default_interface`.
    pub(super) interface: Option<Arc<str>>,
    addresses: Vec<AddressDraft>,
    /// Virtual addresses so far.
    pub(super) virtual_addresses: BTreeSet<IpAddr>,
    items: Vec<ItemDraft>,
    groups: BTreeMap<String, Vec<Word>>,
    /// Rules without a priority so far.
    unnumbered: u32,
}

/// The lines of `virtual_routes` or `static_routes`.
pub(super) fn routes(list: &mut Vec<ItemDraft>, desk: &mut Desk<'_>, block: &Statement) {
    lines(list, desk, block, &|_, _, words| Route::read(words).map(Item::Route));
}

/// The lines of `virtual_rules` or `static_rules`.
pub(super) fn rules(list: &mut Vec<ItemDraft>, desk: &mut Desk<'_>, block: &Statement) {
    lines(list, desk, block, &|desk, line, words| {
        let mut rule = Rule::read(words)?;
        if rule.priority.is_none() {
            let priority = FIRST_PRIORITY.saturating_sub(desk.statics.unnumbered);
            desk.statics.unnumbered += 1;
            rule.priority = Some(priority);
            let message = format!("a rule without a priority; it gets {priority}");
            desk.warn(line.span(), codes::BAD_VALUE, message, "add: priority N");
        }
        Ok(Item::Rule(rule))
    });
}

type Read<'r> = &'r dyn Fn(&mut Desk<'_>, &Statement, &[&str]) -> Result<Item, Wrong>;

fn lines(list: &mut Vec<ItemDraft>, desk: &mut Desk<'_>, block: &Statement, read: Read<'_>) {
    for line in block.body.iter().flatten().filter(|line| !line.poisoned()) {
        if list.len() >= MAX_ITEMS {
            let message = format!("more than {MAX_ITEMS} routes and rules in one place");
            desk.error(line.span(), codes::OUT_OF_RANGE, message, "");
            return;
        }
        if line.body.is_some() {
            desk.error(line.span(), codes::NOT_A_BLOCK, "a route or rule takes no block", "");
            continue;
        }
        let group = line.words.iter().position(|word| word.text == "track_group");
        let named = group.and_then(|at| line.words.get(at + 1));
        let rest = |(at, word): (usize, &'_ Word)| {
            let of_group = group.is_some_and(|group| at == group || at == group + 1);
            (!of_group).then(|| word.clone())
        };
        let words: Vec<Word> = line.words.iter().enumerate().filter_map(rest).collect();
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        match read(desk, line, &texts) {
            Ok(item) if !list.iter().any(|other| other.item == item) => {
                list.push(ItemDraft { item, group: named.cloned() });
            }
            Ok(item) => desk.warn(line.span(), codes::DUPLICATE, format!("{item} is listed twice"), ""),
            Err(wrong) => {
                let span = words.get(wrong.word).map_or_else(|| line.span(), Word::span);
                let code = if wrong.unserved { codes::UNSERVED } else { codes::BAD_VALUE };
                desk.error(span, code, wrong.message, wrong.help);
            }
        }
    }
}

/// The items of a virtual router: routes, then rules, as they are added.
pub(super) fn held(routes: &[ItemDraft], rules: &[ItemDraft]) -> Vec<Arc<Item>> {
    routes.iter().chain(rules).map(|draft| Arc::new(draft.item.clone())).collect()
}

/// `static_ipaddress`.
pub(super) fn static_addresses(desk: &mut Desk<'_>, block: &Statement) {
    let mut list = core::mem::take(&mut desk.statics.addresses);
    address::read(&mut list, desk, block);
    desk.statics.addresses = list;
}

/// `static_routes` and `static_rules`.
pub(super) fn static_items(desk: &mut Desk<'_>, block: &Statement) {
    let mut list = core::mem::take(&mut desk.statics.items);
    if block.keyword() == "static_rules" {
        rules(&mut list, desk, block);
    } else {
        routes(&mut list, desk, block);
    }
    desk.statics.items = list;
}

/// Keywords of `track_group`.
pub(super) static GROUP: &[Keyword<Vec<Word>>] =
    &[served("group", Shape::Block(0), "required", "", |names, _, s| {
        names.extend(s.body.iter().flatten().flat_map(|line| line.words.iter().cloned()));
    })];

/// `track_group NAME { group { INSTANCE … } }`.
pub(super) fn track_group(desk: &mut Desk<'_>, s: &Statement) {
    let (Some(name), Some(body)) = (first(s), &s.body) else { return };
    let mut names = Vec::new();
    apply(GROUP, "track_group", &mut names, desk, body);
    if names.is_empty() {
        let message = format!("track_group {} has no members", name.text);
        desk.error(name.span(), codes::NO_SUCH_NAME, message, "add: group { NAME … }");
    } else if desk.statics.groups.insert(name.text.clone(), names).is_some() {
        desk.error(name.span(), codes::DUPLICATE, format!("a second track_group {}", name.text), "");
    }
}

/// From drafts to the model, once all names are known.
pub(super) fn finish(desk: &mut Desk<'_>) {
    let statics = core::mem::take(&mut desk.statics);
    let groups: BTreeMap<&String, Vec<InstanceId>> =
        statics.groups.iter().map(|(name, members)| (name, routers(desk, members))).collect();
    let default: Arc<str> = statics.interface.clone().unwrap_or_else(|| Arc::from("eth0"));
    let address = |draft: &AddressDraft| {
        let item = Item::Address(VirtualAddress {
            address: draft.address,
            interface: draft.interface.clone().unwrap_or_else(|| default.clone()),
            advertised: false,
            tracked: draft.tracked,
            how: Arc::new(draft.how.clone()),
        });
        ItemDraft { item, group: draft.group.clone() }
    };
    let drafts: Vec<ItemDraft> =
        statics.addresses.iter().map(address).chain(statics.items.iter().cloned()).collect();
    for draft in drafts {
        let found = draft.group.as_ref().map(|word| (word, groups.get(&word.text)));
        if let Some((word, None)) = found {
            let help = desk.near(&word.text, statics.groups.keys().map(String::as_str));
            desk.error(word.span(), codes::NO_SUCH_NAME, format!("no track_group `{}`", word.text), &help);
        }
        let routers = found.and_then(|(_, routers)| routers.cloned()).unwrap_or_default();
        desk.config.items.push(StaticItem { item: Arc::new(draft.item), routers });
    }
}

/// The virtual routers of these names; one that does not exist is said.
fn routers(desk: &mut Desk<'_>, names: &[Word]) -> Vec<InstanceId> {
    let mut found = Vec::new();
    for word in names.iter().filter(|word| !word.poisoned) {
        if desk.instance_index.contains_key(&word.text) {
            found.push(InstanceId(desk.config.names.id(Kind::Instance, &word.text)));
        } else {
            let help = desk.near(&word.text, desk.instance_index.keys().map(String::as_str));
            let message = format!("no vrrp_instance `{}`", word.text);
            desk.error(word.span(), codes::NO_SUCH_NAME, message, &help);
        }
    }
    found
}

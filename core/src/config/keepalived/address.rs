//! Address lines of `virtual_ipaddress` and `virtual_ipaddress_excluded`:
//! `ADDR[/LEN] [brd ADDR|+|-] [dev IF] [scope S] [label L] [-nodad] [no_track] [preferred_lft N] …`.

use super::codes;
use super::keyword::Desk;
use super::text::Word;
use super::tree::Statement;
use super::values::interface;
use crate::action::AddressOptions;
use crate::config::model::Scope;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use ipnet::{IpNet, Ipv4Net};

/// The most addresses of one block.
pub(super) const MAX_HELD: usize = 1024;

/// An address as written; its interface may still be that of its virtual router.
#[derive(Clone, Debug)]
pub(super) struct AddressDraft {
    pub(super) address: IpNet,
    pub(super) interface: Option<Arc<str>>,
    pub(super) tracked: bool,
    pub(super) how: AddressOptions,
    pub(super) at: Word,
    /// `track_group`, of static addresses.
    pub(super) group: Option<Word>,
}

/// Reads the lines of a block.
pub(super) fn read(list: &mut Vec<AddressDraft>, desk: &mut Desk<'_>, block: &Statement) {
    for line in block.body.iter().flatten() {
        if list.len() >= MAX_HELD {
            let message = format!("more than {MAX_HELD} addresses in one virtual router");
            desk.error(
                line.span(),
                codes::OUT_OF_RANGE,
                message,
                "use a vrrp_instance of its own for the rest",
            );
            return;
        }
        list.extend(one(desk, line));
    }
}

/// One line; `None` was said.
fn one(desk: &mut Desk<'_>, line: &Statement) -> Option<AddressDraft> {
    let at = line.words.first()?;
    let address = net(desk, at)?;
    // keepalived's default for a host address: deprecated, so that it is never chosen as a source.
    let deprecated = matches!(address, IpNet::V6(net) if net.prefix_len() == 128);
    let how = AddressOptions { deprecated, ..AddressOptions::default() };
    let mut draft =
        AddressDraft { address, interface: None, tracked: true, how, at: at.clone(), group: None };
    let mut words = line.words.iter().skip(1);
    while let Some(word) = words.next() {
        option(desk, &mut draft, word, &mut words)?;
    }
    Some(draft)
}

/// `ADDR[/LEN]`; `None` was said.
fn net(desk: &mut Desk<'_>, word: &Word) -> Option<IpNet> {
    if word.poisoned {
        return None;
    }
    let (address, length) =
        word.text.split_once('/').map_or((word.text.as_str(), None), |(a, l)| (a, Some(l)));
    let Ok(address) = address.parse::<IpAddr>() else {
        let help = "ADDRESS or ADDRESS/PREFIX, one on each line";
        desk.error(word.span(), codes::BAD_VALUE, format!("`{}` is not an IP address", word.text), help);
        return None;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => Some(most),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok()
        }
        Some(_) => None,
    };
    let found = length.and_then(|length: u8| IpNet::new(address, length).ok());
    if found.is_none() {
        let message = format!("the prefix length of `{}` is not 0 to {most}", word.text);
        desk.error(word.span(), codes::OUT_OF_RANGE, message, "");
    }
    if address.is_unspecified() || address.is_multicast() {
        let message = format!("{address} cannot be a virtual address");
        desk.error(word.span(), codes::BAD_VALUE, message, "");
        return None;
    }
    found
}

/// One option of an address line; `None` was said and drops the address.
fn option<'w>(
    desk: &mut Desk<'_>,
    draft: &mut AddressDraft,
    word: &'w Word,
    rest: &mut impl Iterator<Item = &'w Word>,
) -> Option<()> {
    let mut value = |desk: &mut Desk<'_>| {
        let next = rest.next();
        if next.is_none() {
            desk.error(word.span(), codes::MISSING_ARGUMENT, format!("`{}` needs a value", word.text), "");
        }
        next.filter(|next| !next.poisoned)
    };
    match word.text.as_str() {
        "dev" => {
            let name = value(desk)?;
            draft.interface = Some(interface(desk, name)?);
        }
        "label" => {
            let text = value(desk)?;
            label(desk, draft, word, text);
        }
        "scope" => {
            let text = value(desk)?;
            scope(desk, draft, word, text);
        }
        "brd" | "broadcast" => {
            let word = value(desk)?;
            broadcast(desk, draft, word);
        }
        "track_group" => draft.group = Some(value(desk)?.clone()),
        "-nodad" => draft.how.dad = true,
        "no_track" => draft.tracked = false,
        "preferred_lft" => {
            let time = value(desk)?;
            draft.how.deprecated = time.text == "0";
            if !matches!(time.text.as_str(), "0" | "forever") {
                let message = "an address is preferred for ever or not at all";
                desk.warn(time.span(), codes::EXTRA_WORDS, message, "0 or forever");
            }
        }
        "home" | "mngtmpaddr" | "noprefixroute" | "autojoin" => {
            let message = format!("`{}` has no effect: this flag is not set", word.text);
            desk.note(word.span(), codes::NO_EFFECT, message, "");
        }
        "peer" => {
            let message = "`peer` is not served: the address would be installed without its far end";
            desk.error(word.span(), codes::UNSERVED, message, "");
            rest.next();
        }
        _ => other(desk, word),
    }
    Some(())
}

/// `label`, of IPv4 only.
fn label(desk: &mut Desk<'_>, draft: &mut AddressDraft, word: &Word, text: &Word) {
    if draft.address.addr().is_ipv6() {
        desk.warn(word.span(), codes::EXTRA_WORDS, "IPv6 addresses have no label", "");
    } else if text.text.len() > 15 {
        desk.error(text.span(), codes::OUT_OF_RANGE, "a label has at most 15 characters", "");
    } else {
        draft.how.label = Some(text.text.clone());
    }
}

/// `scope`, of IPv4 only.
fn scope(desk: &mut Desk<'_>, draft: &mut AddressDraft, word: &Word, text: &Word) {
    match scope_of(&text.text) {
        Some(_) if draft.address.addr().is_ipv6() => {
            desk.warn(word.span(), codes::EXTRA_WORDS, "IPv6 addresses have their scope in them", "");
        }
        Some(found) => draft.how.scope = found,
        None => {
            let help = "global, site, link, host, nowhere, or 0 to 255";
            desk.error(text.span(), codes::BAD_VALUE, format!("`{}` is not a scope", text.text), help);
        }
    }
}

/// A word that is no served option.
fn other(desk: &mut Desk<'_>, word: &Word) {
    match word.text.as_str() {
        "use_vmac" => {
            let message = "`use_vmac` is not served: the address would answer with the interface's own MAC";
            desk.error(
                word.span(),
                codes::UNSERVED,
                message,
                "remove it; neighbours are told by gratuitous ARP",
            );
        }
        _ if word.poisoned => {}
        other if other.parse::<IpNet>().is_ok() || other.parse::<IpAddr>().is_ok() => {
            let message = format!("`{other}` is a second address on one line");
            desk.error(word.span(), codes::EXTRA_WORDS, message, "one address on each line");
        }
        other => {
            let known =
                ["brd", "broadcast", "dev", "scope", "label", "no_track", "preferred_lft", "noprefixroute"];
            let help = desk.near(other, known);
            let message = format!("unknown option `{other}` of an address");
            desk.error(word.span(), codes::UNKNOWN_KEYWORD, message, &help);
        }
    }
}

/// `brd ADDR`, `brd +` (host bits set), `brd -` (host bits clear).
fn broadcast(desk: &mut Desk<'_>, draft: &mut AddressDraft, word: &Word) {
    let IpNet::V4(net) = draft.address else {
        desk.error(word.span(), codes::BAD_VALUE, "IPv6 has no broadcast", "");
        return;
    };
    let found: Option<Ipv4Addr> = match word.text.as_str() {
        "+" if net.prefix_len() <= 30 => Some(Ipv4Net::broadcast(&net)),
        "-" if net.prefix_len() <= 30 => Some(Ipv4Net::network(&net)),
        other => other.parse().ok(),
    };
    if found.is_none() {
        let message = format!("`{}` is not a broadcast address for /{}", word.text, net.prefix_len());
        desk.error(word.span(), codes::BAD_VALUE, message, "+ and - need a prefix of /30 or shorter");
    }
    draft.how.broadcast = found;
}

/// A scope by name or number.
fn scope_of(text: &str) -> Option<Scope> {
    let number = match text {
        "global" | "universe" => 0,
        "site" => 200,
        "link" => 253,
        "host" => 254,
        "nowhere" => 255,
        other => other.parse().ok().filter(|n: &u8| n.to_string() == other)?,
    };
    Some(Scope(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_go_by_name_or_number() {
        assert_eq!(scope_of("link"), Some(Scope(253)));
        assert_eq!(scope_of("200"), Some(Scope(200)));
        assert_eq!(scope_of("256"), None);
    }
}

//! `balance`, `hash-type` and `option allbackups`.

use super::codes;
use super::lex::{Line, Prefix};
use super::reader::Reader;
use crate::config::model::{Algorithm, HashType};
use alloc::format;

/// What is served.
const SERVED: [&str; 5] = ["roundrobin", "static-rr", "leastconn", "source", "random"];
/// What haproxy knows besides.
const OTHERS: [&str; 7] = ["first", "uri", "url_param", "hdr", "rdp-cookie", "hash", "sticky"];
/// Hash functions; `source` uses none of them.
const FUNCTIONS: [&str; 6] = ["sdbm", "djb2", "wt6", "crc32", "none", "avalanche"];
/// Draws of `random` without a number.
const DRAWS: u8 = 2;

/// `balance ALGORITHM`.
pub(super) fn balance(reader: &mut Reader<'_>, line: &Line) {
    let word = line.word(1);
    let (name, argument) = word.split_once('(').map_or((word, None), |(name, rest)| (name, Some(rest)));
    let named = match name {
        "" | "roundrobin" => Algorithm::RoundRobin,
        "static-rr" => Algorithm::StaticRr,
        "leastconn" => Algorithm::LeastConn,
        "source" => Algorithm::Source(HashType::MapBased),
        "random" => {
            let number = argument.map_or(Some(DRAWS), |text| text.strip_suffix(')')?.parse::<u8>().ok());
            let Some(draws) = number.filter(|draws| *draws > 0) else {
                let message = format!("`{word}` is not `random(N)` with N from 1 to 255");
                return reader.error(codes::BAD_NUMBER, line, 1, message, Some("write `random(2)`"));
            };
            Algorithm::Random { draws }
        }
        name if OTHERS.contains(&name) => {
            let message =
                format!("`balance {name}` is not served: clients would reach other servers than it chooses");
            let help = "use roundrobin, static-rr, leastconn, source or random";
            return reader.error(codes::REFUSED, line, 1, message, Some(help));
        }
        other => {
            let help = reader.near(other, SERVED.into_iter().chain(OTHERS));
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{other}` is not an algorithm");
            return reader.error(codes::BAD_VALUE, line, 1, message, help.as_deref());
        }
    };
    reader.draft().balance.named = named;
}

/// `hash-type METHOD [FUNCTION [MODIFIER]]`. The function is of no account for `source`, which hashes by itself.
pub(super) fn hash_type(reader: &mut Reader<'_>, line: &Line) {
    let hash = match line.word(1) {
        "map-based" => HashType::MapBased,
        "consistent" => HashType::Consistent,
        other => {
            let help = reader.near(other, ["map-based", "consistent"]);
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{other}` is not a hash type; haproxy knows `map-based` and `consistent`");
            return reader.error(codes::BAD_VALUE, line, 1, message, help.as_deref());
        }
    };
    for at in [2, 3] {
        let word = line.word(at);
        if !word.is_empty() && !FUNCTIONS.contains(&word) {
            let message = format!("`{word}` is not a hash function");
            reader.error(
                codes::BAD_VALUE,
                line,
                at,
                message,
                Some("sdbm, djb2, wt6, crc32, none; then avalanche"),
            );
        }
    }
    reader.draft().balance.hash = hash;
}

/// `[no] option allbackups`.
pub(super) fn all_backups(reader: &mut Reader<'_>, line: &Line) {
    reader.draft().balance.all_backups = line.prefix == Prefix::None;
}

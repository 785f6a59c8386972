//! Every keyword of the sections we read, one entry each: where it may stand and what is done with it.
//!
//! `Do` takes effect, `Accept` is read over as haproxy does in TCP mode, `Warn` and `Refuse` name what is lost.
//! The parameters of `server` and `bind` have tables of their own beside their code.

use super::codes;
use super::draft::ProxyKind;
use super::lex::{Line, Prefix};
use super::reader::Reader;
use super::{balance, check, global, logging, server, settings, talk};
use alloc::format;

/// What is done with a keyword.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// Takes effect.
    Do(fn(&mut Reader<'_>, &Line)),
    /// No effect, as in haproxy.
    Accept,
    /// No effect here: the effect of that.
    Warn(&'static str),
    /// Not served: the effect of leaving it out.
    Refuse(&'static str),
}

use Act::{Accept, Do, Refuse, Warn};

/// Sections a keyword may stand in: defaults, frontend, backend; `listen` is both of the last.
type Place = u8;
const D: Place = 1;
const F: Place = 2;
const B: Place = 4;
const FB: Place = F | B;
const DF: Place = D | F;
const DB: Place = D | B;
const ALL: Place = D | F | B;

const TUNING: Act = Warn("the daemon tunes itself");
const HTTP: Act = Accept;
const STATS: Act = Refuse("there would be no statistics page");
const STICK: Act = Refuse("a client would not come back to the same server");
const RULES: Act = Refuse("connections that it rejects or routes would be taken as all others are");
const STATE: Act = Warn("server states are kept by the running daemon, not in files");
const LINES: Act = Warn("log lines keep the form of `option tcplog`");
const KEEPALIVE: Act = Warn("no TCP keepalive probes are sent");

/// `global`.
const GLOBAL: &[(&str, Act)] = &[
    ("log", Do(logging::log)),
    ("maxconn", Do(global::maxconn)),
    ("spread-checks", Do(global::spread_checks)),
    ("ssl-server-verify", Do(global::ssl_server_verify)),
    ("ca-base", Do(global::ca_base)),
    ("setenv", Do(global::environment)),
    ("presetenv", Do(global::environment)),
    ("unsetenv", Do(global::environment)),
    ("resetenv", Do(global::environment)),
    // How the process runs is the service manager's business here.
    ("daemon", Accept),
    ("user", Accept),
    ("group", Accept),
    ("uid", Accept),
    ("gid", Accept),
    ("chroot", Accept),
    ("pidfile", Accept),
    ("master-worker", Accept),
    ("mworker-max-reloads", Accept),
    ("nbproc", Accept),
    ("nbthread", Accept),
    ("cpu-map", Accept),
    ("cpu-policy", Accept),
    ("numa-cpu-mapping", Accept),
    ("thread-groups", Accept),
    ("thread-group", Accept),
    ("ulimit-n", Accept),
    ("fd-hard-limit", Accept),
    ("strict-limits", Accept),
    ("set-dumpable", Accept),
    ("quiet", Accept),
    ("zero-warning", Warn("warnings do not stop the daemon; `check --deny warnings` does")),
    ("hard-stop-after", Warn("a stop does not wait for connections")),
    ("grace", Accept),
    ("close-spread-time", Accept),
    ("max-spread-checks", Warn("first checks are spread over one interval")),
    ("stats", Warn("haproxy's runtime socket is not served; use `standfast status`")),
    ("server-state-base", STATE),
    ("server-state-file", STATE),
    ("stats-file", STATE),
    ("external-check", Warn("checks by an external program are not served")),
    ("insecure-fork-wanted", Accept),
    ("insecure-setuid-wanted", Accept),
    ("log-tag", Warn("lines carry the daemon's own name")),
    ("log-send-hostname", Warn("lines of the default format carry no host name")),
    ("node", Accept),
    ("description", Accept),
    ("localpeer", Accept),
    ("unix-bind", Accept),
    ("crt-base", Accept),
    ("key-base", Accept),
    ("issuers-chain-path", Accept),
    ("ssl-default-bind-ciphers", Accept),
    ("ssl-default-bind-ciphersuites", Accept),
    ("ssl-default-bind-curves", Accept),
    ("ssl-default-bind-options", Accept),
    ("ssl-default-bind-sigalgs", Accept),
    ("ssl-default-bind-client-sigalgs", Accept),
    ("ssl-default-server-ciphers", Accept),
    ("ssl-default-server-ciphersuites", Accept),
    ("ssl-default-server-curves", Accept),
    ("ssl-default-server-options", Accept),
    ("ssl-default-server-sigalgs", Accept),
    ("ssl-default-server-client-sigalgs", Accept),
    ("ssl-dh-param-file", Accept),
    ("ssl-mode-async", Accept),
    ("ssl-load-extra-files", Accept),
    ("ssl-load-extra-del-ext", Accept),
    ("ssl-skip-self-issued-ca", Accept),
    ("ssl-propquery", Accept),
    ("ssl-provider", Accept),
    ("ssl-provider-path", Accept),
    ("ssl-security-level", Accept),
    ("ssl-engine", Warn("the TLS library's own code is used")),
    ("default-path", Warn("paths are relative to the daemon's working directory")),
    ("maxconnrate", Refuse("the rate of new connections would not be limited")),
    ("maxsessrate", Refuse("the rate of new connections would not be limited")),
    ("maxsslconn", Accept),
    ("maxsslrate", Accept),
    ("maxcomprate", Accept),
    ("maxcompcpuusage", Accept),
    ("maxpipes", TUNING),
    ("maxzlibmem", Accept),
    ("busy-polling", TUNING),
    ("noepoll", TUNING),
    ("nokqueue", Accept),
    ("noevports", Accept),
    ("nopoll", TUNING),
    ("nosplice", TUNING),
    ("nogetaddrinfo", TUNING),
    ("noreuseport", TUNING),
    ("no-memory-trimming", TUNING),
    ("no-quic", Accept),
    ("prealloc-fd", TUNING),
    ("limited-quic", Accept),
    ("pp2-never-send-local", Accept),
    ("expose-experimental-directives", Accept),
    ("expose-deprecated-directives", Accept),
    ("uuid", Accept),
    ("cluster-secret", Accept),
    ("anonkey", Accept),
    ("h1-case-adjust", Accept),
    ("h1-case-adjust-file", Accept),
    ("h1-accept-payload-with-any-method", Accept),
    ("h1-do-not-close-on-insecure-transfer-encoding", Accept),
    ("h2-workaround-bogus-websocket-clients", Accept),
    ("lua-load", Refuse("the script would not run")),
    ("lua-load-per-thread", Refuse("the script would not run")),
    ("lua-prepend-path", Accept),
    ("presetvar", Accept),
    ("set-var", Accept),
    ("set-var-fmt", Accept),
    ("harden.reject-privileged-ports.tcp", Accept),
    ("harden.reject-privileged-ports.quic", Accept),
    ("dns-accept-family", Accept),
    ("force-cfg-parser-pause", Accept),
    ("warn-blocked-traffic-after", Accept),
];

/// Families of `global` keywords, by their beginning.
const GLOBAL_FAMILIES: &[(&str, Act)] = &[
    ("tune.", TUNING),
    ("profiling.", TUNING),
    ("httpclient.", Accept),
    ("51degrees-", Accept),
    ("deviceatlas-", Accept),
    ("wurfl-", Accept),
    ("ocsp-update.", Accept),
];

/// Proxy sections.
const PROXY: &[(&str, Place, Act)] = &[
    ("mode", ALL, Do(settings::mode)),
    ("bind", F, Do(settings::bind)),
    ("server", B, Do(server::server)),
    ("server-template", B, Do(server::template)),
    ("default-server", DB, Do(server::default_server)),
    ("default_backend", DF, Do(settings::default_backend)),
    ("use_backend", F, Do(settings::use_backend)),
    ("balance", DB, Do(balance::balance)),
    ("log", ALL, Do(logging::log)),
    ("timeout", ALL, Do(settings::timeout)),
    ("retries", DB, Do(settings::retries)),
    ("maxconn", DF, Do(settings::maxconn)),
    ("disabled", ALL, Do(settings::disabled)),
    ("enabled", ALL, Do(settings::disabled)),
    ("http-check", DB, Do(check::http_check)),
    ("tcp-check", DB, Do(talk::tcp_check)),
    ("log-format", DF, LINES),
    ("log-format-sd", DF, LINES),
    ("error-log-format", DF, LINES),
    ("log-steps", DF, LINES),
    ("log-tag", ALL, Warn("lines carry the daemon's own name")),
    ("backlog", DF, TUNING),
    ("fullconn", DB, Accept),
    ("id", FB, Accept),
    ("guid", FB, Accept),
    ("description", ALL, Accept),
    ("unique-id-format", DF, Accept),
    ("unique-id-header", DF, Accept),
    ("hash-type", DB, Do(balance::hash_type)),
    ("hash-balance-factor", DB, Accept),
    ("hash-preserve-affinity", DB, Accept),
    ("bind-process", ALL, Accept),
    ("monitor-uri", DF, Refuse("nobody would answer the health check of another balancer")),
    ("monitor", F, Refuse("nobody would answer the health check of another balancer")),
    ("monitor-net", DF, Refuse("nobody would answer the health check of another balancer")),
    ("stats", ALL, STATS),
    ("acl", FB | D, RULES),
    ("tcp-request", ALL, RULES),
    ("tcp-response", DB, RULES),
    ("use-server", B, RULES),
    ("force-persist", B, RULES),
    ("ignore-persist", B, RULES),
    ("rate-limit", DF, Refuse("the rate of new connections would not be limited")),
    ("stick-table", FB, STICK),
    ("stick", B, STICK),
    ("source", DB, Refuse("connections would come from another address than the servers expect")),
    ("dispatch", B, Refuse("connections would not be sent there")),
    ("transparent", DB, Refuse("connections would not go to the address the client asked for")),
    ("filter", FB, Refuse("the filter would not see the data")),
    ("clitcpka-cnt", DF, KEEPALIVE),
    ("clitcpka-idle", DF, KEEPALIVE),
    ("clitcpka-intvl", DF, KEEPALIVE),
    ("srvtcpka-cnt", DB, KEEPALIVE),
    ("srvtcpka-idle", DB, KEEPALIVE),
    ("srvtcpka-intvl", DB, KEEPALIVE),
    ("load-server-state-from-file", DB, STATE),
    ("server-state-file-name", DB, STATE),
    ("external-check", DB, Warn("checks by an external program are not served")),
    ("email-alert", ALL, Warn("no mail is sent")),
    ("declare", F, Accept),
    ("http-request", ALL, Warn("it needs HTTP mode")),
    ("http-response", ALL, Warn("it needs HTTP mode")),
    ("http-after-response", ALL, Warn("it needs HTTP mode")),
    ("http-error", ALL, HTTP),
    ("http-reuse", DB, HTTP),
    ("http-send-name-header", DB, HTTP),
    ("errorfile", ALL, HTTP),
    ("errorfiles", ALL, HTTP),
    ("errorloc", ALL, HTTP),
    ("errorloc302", ALL, HTTP),
    ("errorloc303", ALL, HTTP),
    ("compression", ALL, HTTP),
    ("cookie", DB, HTTP),
    ("dynamic-cookie-key", DB, HTTP),
    ("appsession", ALL, HTTP),
    ("capture", F, HTTP),
    ("redirect", FB, Warn("it needs HTTP mode")),
    ("max-keep-alive-queue", DB, HTTP),
    ("max-session-srv-conns", DF, HTTP),
    ("retry-on", DB, HTTP),
    ("contimeout", ALL, Refuse("it is gone since haproxy 2.1; write `timeout connect`")),
    ("clitimeout", ALL, Refuse("it is gone since haproxy 2.1; write `timeout client`")),
    ("srvtimeout", ALL, Refuse("it is gone since haproxy 2.1; write `timeout server`")),
    ("redispatch", ALL, Refuse("it is gone since haproxy 2.1; write `option redispatch`")),
    ("grace", ALL, Refuse("it is gone since haproxy 2.1; write it in the global section")),
    ("block", ALL, Refuse("it is gone since haproxy 2.1; write `http-request deny`")),
    ("reqrep", ALL, Refuse("it is gone since haproxy 2.1; write `http-request replace-header`")),
    ("rspadd", ALL, Refuse("it is gone since haproxy 2.1; write `http-response add-header`")),
];

const SICK: Act = Refuse("the servers would be checked by something else, or not at all");

/// `option NAME`: whether `no` may stand before it.
const OPTION: &[(&str, Place, bool, Act)] = &[
    ("tcplog", ALL, false, Do(settings::tcplog)),
    ("httplog", ALL, false, Do(settings::httplog)),
    ("httpslog", ALL, false, Do(settings::httplog)),
    ("dontlognull", DF, true, Do(settings::dontlognull)),
    ("redispatch", DB, true, Do(settings::redispatch)),
    ("forwardfor", ALL, false, Do(settings::forwardfor)),
    ("httpchk", DB, false, Do(check::httpchk)),
    ("ssl-hello-chk", DB, false, Do(check::ssl_hello)),
    ("tcp-check", DB, false, Do(check::tcp_option)),
    ("mysql-check", DB, false, Do(talk::mysql)),
    ("pgsql-check", DB, false, Do(talk::pgsql)),
    ("redis-check", DB, false, Do(talk::redis)),
    ("smtpchk", DB, false, Do(talk::smtp)),
    ("ldap-check", DB, false, Do(talk::ldap)),
    ("spop-check", DB, false, SICK),
    ("external-check", DB, false, SICK),
    ("dontlog-normal", DF, true, Warn("good sessions are logged too")),
    ("log-separate-errors", DF, true, Warn("bad sessions keep the level info")),
    ("logasap", DF, true, Warn("sessions are logged when they end")),
    ("log-health-checks", DB, true, Warn("checks are logged when they change a server's state")),
    ("abortonclose", ALL, true, Accept),
    ("allbackups", DB, true, Do(balance::all_backups)),
    ("persist", DB, true, Accept),
    ("prefer-last-server", DB, true, Accept),
    ("nolinger", ALL, true, Warn("connections are closed in order, not reset")),
    ("contstats", DF, true, Accept),
    ("socket-stats", DF, true, Accept),
    ("independent-streams", ALL, true, Warn("a byte in either direction refreshes both timeouts")),
    ("splice-auto", ALL, true, Accept),
    ("splice-request", ALL, true, Accept),
    ("splice-response", ALL, true, Accept),
    ("tcp-smart-accept", DF, true, Accept),
    ("tcp-smart-connect", DB, true, Accept),
    ("tcpka", ALL, true, KEEPALIVE),
    ("clitcpka", DF, true, KEEPALIVE),
    ("srvtcpka", DB, true, KEEPALIVE),
    ("transparent", DB, true, Refuse("connections would not go to the address the client asked for")),
    ("originalto", ALL, false, HTTP),
    ("accept-invalid-http-request", DF, true, HTTP),
    ("accept-invalid-http-response", DB, true, HTTP),
    ("accept-unsafe-violations-in-http-request", DF, true, HTTP),
    ("accept-unsafe-violations-in-http-response", DB, true, HTTP),
    ("checkcache", DB, true, HTTP),
    ("disable-h2-upgrade", DF, true, HTTP),
    ("forceclose", ALL, true, HTTP),
    ("h1-case-adjust-bogus-client", DF, true, HTTP),
    ("h1-case-adjust-bogus-server", DB, true, HTTP),
    ("http-buffer-request", ALL, true, HTTP),
    ("http-drop-request-trailers", DB, true, HTTP),
    ("http-drop-response-trailers", DF, true, HTTP),
    ("http-ignore-probes", DF, true, HTTP),
    ("http-keep-alive", ALL, true, HTTP),
    ("http-no-delay", ALL, true, HTTP),
    ("http-pretend-keepalive", DB, true, HTTP),
    ("http-restrict-req-hdr-names", ALL, false, HTTP),
    ("http-server-close", ALL, true, HTTP),
    ("http-tunnel", ALL, true, HTTP),
    ("http-use-htx", ALL, true, HTTP),
    ("http-use-proxy-header", DF, true, HTTP),
    ("httpclose", ALL, true, HTTP),
    ("idle-close-on-response", DF, true, HTTP),
];

/// A line of `global`.
pub(super) fn run_global(reader: &mut Reader<'_>, line: &Line) {
    let word = line.word(0);
    let exact = GLOBAL.iter().find(|(name, _)| *name == word);
    let found = exact.or_else(|| GLOBAL_FAMILIES.iter().find(|(start, _)| word.starts_with(start)));
    let Some((_, act)) = found else {
        let help = reader
            .near(word, GLOBAL.iter().map(|(name, _)| *name))
            .map(|near| format!("did you mean `{near}`?"));
        let elsewhere = PROXY.iter().any(|(name, _, _)| *name == word) || word == "option";
        let message = if elsewhere {
            format!("`{word}` does not belong into the global section")
        } else {
            format!("`{word}` is not a keyword of the global section")
        };
        let code = if elsewhere { codes::MISPLACED } else { codes::UNKNOWN_KEYWORD };
        return reader.error(code, line, 0, message, help.as_deref().filter(|_| !elsewhere));
    };
    let negatable = matches!(
        word,
        "log"
            | "busy-polling"
            | "set-dumpable"
            | "strict-limits"
            | "insecure-fork-wanted"
            | "numa-cpu-mapping"
    );
    if line.prefix == Prefix::No && !negatable || line.prefix == Prefix::Default {
        return no_prefix(reader, line, 0);
    }
    reader.act(*act, line, 0);
}

/// A line of a proxy section.
pub(super) fn run_proxy(reader: &mut Reader<'_>, line: &Line) {
    let word = line.word(0);
    if word == "option" {
        return run_option(reader, line);
    }
    let Some((_, place, act)) = PROXY.iter().find(|(name, _, _)| *name == word) else {
        let all = PROXY.iter().map(|(name, _, _)| *name).chain(["option"]);
        let mut help = reader.near(word, all).map(|near| format!("did you mean `{near}`?"));
        if OPTION.iter().any(|(name, ..)| *name == word) {
            help = Some(format!("did you mean `option {word}`?"));
        } else if GLOBAL.iter().any(|(name, _)| *name == word) {
            help = Some(format!("`{word}` belongs into the global section"));
        }
        let message = format!("`{word}` is not a keyword of a {} section", reader.kind().as_str());
        return reader.error(codes::UNKNOWN_KEYWORD, line, 0, message, help.as_deref());
    };
    if line.prefix != Prefix::None && word != "log" {
        return no_prefix(reader, line, 0);
    }
    if fits(reader, line, *place, 0) {
        reader.act(*act, line, 0);
    }
}

/// An `option` line.
fn run_option(reader: &mut Reader<'_>, line: &Line) {
    if !reader.needs(line, 1, "the name of an option") {
        return;
    }
    let word = line.word(1);
    let Some((_, place, negatable, act)) = OPTION.iter().find(|(name, ..)| *name == word) else {
        let help = reader
            .near(word, OPTION.iter().map(|(name, ..)| *name))
            .map(|near| format!("did you mean `option {near}`?"));
        let message = format!("`{word}` is not an option");
        return reader.error(codes::UNKNOWN_KEYWORD, line, 1, message, help.as_deref());
    };
    if line.prefix != Prefix::None && !negatable {
        return no_prefix(reader, line, 1);
    }
    if !fits(reader, line, *place, 1) {
        return;
    }
    let off = line.prefix != Prefix::None;
    match act {
        // Switched off, an option that is not served is as it should be.
        Accept | Warn(_) | Refuse(_) if off => {}
        Do(_) | Accept | Warn(_) => reader.act(*act, line, 1),
        Refuse(effect) => {
            let message = format!("`option {word}` is not served: {effect}");
            let is_check = word.ends_with("-check") || word == "smtpchk";
            let code = if is_check { codes::CHECK_REFUSED } else { codes::REFUSED };
            let help = is_check.then_some("use `option httpchk`, `option ssl-hello-chk` or a plain connect");
            reader.error(code, line, 1, message, help);
        }
    }
}

fn no_prefix(reader: &mut Reader<'_>, line: &Line, word: usize) {
    let prefix = if line.prefix == Prefix::No { "no" } else { "default" };
    let message = format!("`{prefix}` is not possible before `{}`", line.word(word));
    reader.error(codes::NO_PREFIX, line, word, message, None);
}

/// Complains about a keyword in the wrong kind of section: an error where haproxy has one, else a warning.
fn fits(reader: &mut Reader<'_>, line: &Line, place: Place, word: usize) -> bool {
    let kind = reader.kind();
    let here = match kind {
        ProxyKind::Defaults => D,
        ProxyKind::Frontend => F,
        ProxyKind::Backend => B,
        ProxyKind::Listen => FB,
    };
    if place & here != 0 {
        return true;
    }
    let name = line.word(word);
    let fatal =
        kind == ProxyKind::Defaults || matches!(name, "bind" | "server" | "server-template" | "use_backend");
    let message = format!("`{name}` does not belong into a {} section", kind.as_str());
    if fatal {
        reader.error(codes::MISPLACED, line, word, message, None);
    } else {
        reader.warn(codes::MISPLACED, line, word, format!("{message} and is ignored"), None);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_has_one_entry() {
        for (index, (name, _)) in GLOBAL.iter().enumerate() {
            assert!(GLOBAL[..index].iter().all(|(other, _)| other != name), "{name}");
        }
        for (index, (name, ..)) in PROXY.iter().enumerate() {
            assert!(PROXY[..index].iter().all(|(other, ..)| other != name), "{name}");
        }
        for (index, (name, ..)) in OPTION.iter().enumerate() {
            assert!(OPTION[..index].iter().all(|(other, ..)| other != name), "{name}");
        }
    }
}

//! Keywords of `global_defs` about the process: its name, its scheduling, its umask, the dump files.
//!
//! keepalived has a set for each of its processes; here is one process, and what is said of the VRRP one counts.

use super::codes;
use super::globals::Globals;
use super::keyword::{Desk, Keyword, Shape, first, note, served};
use super::text::Word;
use super::tree::Statement;
use super::values::{argument, number};
use crate::config::process::{MAX_NAME, MAX_PROCESSORS};
use alloc::format;
use alloc::sync::Arc;
use core::ops::RangeInclusive;
use core::time::Duration;

/// Why the keywords of the other processes do nothing.
const ONE: &str = "there is one process; what is said of vrrp counts";
const WORD: Shape = Shape::Words(1, 1, "one word");
const SOME: Shape = Shape::Words(0, usize::MAX, "");
/// Permissions that a umask can take.
const UMASK: RangeInclusive<u16> = 0..=0o777;
const REALTIME: RangeInclusive<i64> = 1..=99;
/// The bits of a umask by name, highest first.
const BITS: [(&str, u16); 12] = [
    ("IRWXU", 0o700),
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRWXG", 0o070),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IRWXO", 0o007),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
];

/// These keywords of `global_defs`.
pub(super) static TABLE: &[Keyword<Globals>] = &[
    served("process_name", WORD, "keepalived", "15 characters", name),
    served("vrrp_process_name", WORD, "as process_name", "15 characters", |g, desk, s| {
        if desk.config.node.process.name.is_none() {
            name(g, desk, s);
        }
    }),
    note("process_names", SOME, ONE),
    note("checker_process_name", SOME, ONE),
    note("lvs_process_name", SOME, ONE),
    note("bfd_process_name", SOME, ONE),
    served(
        "umask",
        Shape::Words(1, usize::MAX, "a umask"),
        "0177 under the name of keepalived",
        "0 to 0777",
        umask,
    ),
    served("vrrp_priority", WORD, "0", "-20 to 19", |_, desk, s| {
        desk.config.node.process.nice = argument(desk, s, -20..=19).or(desk.config.node.process.nice);
    }),
    served("vrrp_rt_priority", WORD, "off", "1 to 99", realtime),
    served("vrrp_rlimit_rttime", WORD, "none (keepalived: 10000 us)", "2 to 4294967295 us", limit),
    served("vrrp_rlimit_rtime", WORD, "as vrrp_rlimit_rttime", "2 to 4294967295 us", limit),
    served("vrrp_no_swap", Shape::Flag, "off", "", |_, desk, _| desk.config.node.process.no_swap = true),
    served("vrrp_cpu_affinity", Shape::Words(1, usize::MAX, "processors"), "all", "0 to 1023", processors),
    note("checker_priority", SOME, ONE),
    note("bfd_priority", SOME, ONE),
    note("checker_rt_priority", SOME, ONE),
    note("bfd_rt_priority", SOME, ONE),
    note("checker_no_swap", SOME, ONE),
    note("bfd_no_swap", SOME, ONE),
    note("checker_cpu_affinity", SOME, ONE),
    note("bfd_cpu_affinity", SOME, ONE),
    note("checker_rlimit_rttime", SOME, ONE),
    note("bfd_rlimit_rttime", SOME, ONE),
    note("checker_rlimit_rtime", SOME, ONE),
    note("bfd_rlimit_rtime", SOME, ONE),
    note("max_auto_priority", SOME, AUTO),
    note("min_auto_priority_delay", SOME, AUTO),
    served("state_dump_file", WORD, "keepalived.data", "a path", dump),
    served("stats_dump_file", WORD, "keepalived.stats", "a path", dump),
    served("json_dump_file", WORD, "keepalived.json", "a path", dump),
    served("json_version", Shape::Words(1, 1, "1 or 2"), "1", "1, 2", |_, desk, s| {
        if let Some(version) = argument::<u8>(desk, s, 1..=2) {
            desk.config.node.process.dumps.json_object = version == 2;
        }
    }),
    note(
        "data_use_instance",
        SOME,
        "the dump files carry no name; give each daemon its own by state_dump_file",
    ),
    note("config_save_dir", SOME, "the configuration in force is shown by `standfast convert`"),
    note("tmp_config_directory", SOME, "the files are read where they are"),
];

const AUTO: &str = "the priority is not raised by itself; vrrp_rt_priority sets one for good";

/// The keyword's first argument, cut after what the kernel keeps of a name.
fn name(_: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    let Some(word) = first(s).filter(|word| !word.poisoned) else { return };
    let mut text = word.text.as_str();
    if text.len() > MAX_NAME {
        let end = (0..=MAX_NAME).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let message = format!("`{text}` is longer than {MAX_NAME} characters; the rest is dropped");
        desk.warn(word.span(), codes::OUT_OF_RANGE, message, "");
        text = &text[..end];
    }
    desk.config.node.process.name = Some(Arc::from(text));
}

/// `umask 0177`, or bits by name: `umask IRWXG | IRWXO`.
fn umask(_: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    let [word, more @ ..] = s.arguments() else { return };
    let is_number = word.text.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let found = match (is_number, more.first()) {
        (true, Some(extra)) => {
            let message = format!("`{}` after a umask", extra.text);
            desk.error(
                extra.span(),
                codes::EXTRA_WORDS,
                message,
                "one number, or bits by name with | between",
            );
            return;
        }
        (true, None) => octal(&word.text),
        (false, _) => bits(s.arguments()),
    };
    match found {
        Some(mask) => desk.config.node.process.umask = Some(mask),
        None if s.arguments().iter().any(|word| word.poisoned) => {}
        None => {
            let help = "0 to 0777, or names such as IRWXG | IRWXO";
            desk.error(word.span(), codes::BAD_VALUE, format!("`{}` is not a umask", word.text), help);
        }
    }
}

/// A number as C reads it: octal after a 0, hexadecimal after 0x.
fn octal(text: &str) -> Option<u16> {
    let number = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(digits), _) => u16::from_str_radix(digits, 16),
        (None, Some(digits)) if !digits.is_empty() => u16::from_str_radix(digits, 8),
        (None, _) => text.parse(),
    };
    number.ok().filter(|mask| UMASK.contains(mask))
}

fn bits(words: &[Word]) -> Option<u16> {
    let mut names = words.iter().flat_map(|word| word.text.split('|')).filter(|name| !name.is_empty());
    names.try_fold(0, |mask, name| {
        let name = name.strip_prefix("S_").unwrap_or(name);
        BITS.iter().find(|(known, _)| *known == name).map(|(_, bit)| mask | bit)
    })
}

/// keepalived goes on with the nearest priority there is, and so do we.
fn realtime(_: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    let Some(word) = first(s) else { return };
    let Some(given) = number(desk, word, i64::MIN..=i64::MAX) else { return };
    let nearest = given.clamp(*REALTIME.start(), *REALTIME.end());
    if nearest != given {
        let message = format!("{given} is outside 1 to 99; {nearest} is taken");
        desk.warn(word.span(), codes::OUT_OF_RANGE, message, "");
    }
    desk.config.node.process.realtime = u8::try_from(nearest).ok();
}

fn limit(_: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    if let Some(micros) = argument::<u32>(desk, s, 2..=4_294_967_295) {
        desk.config.node.process.realtime_limit = Some(Duration::from_micros(u64::from(micros)));
    }
}

fn processors(_: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    let last = i64::from(MAX_PROCESSORS) - 1;
    for word in s.arguments() {
        let found = number(desk, word, 0..=last).and_then(|n| u16::try_from(n).ok());
        let list = &mut desk.config.node.process.processors;
        list.extend(found.filter(|processor| !list.contains(processor)).as_slice());
    }
}

fn dump(_: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    let Some(word) = first(s).filter(|word| !word.poisoned) else { return };
    let dumps = &mut desk.config.node.process.dumps;
    let path = Some(Arc::from(word.text.as_str()));
    match s.keyword() {
        "state_dump_file" => dumps.state = path,
        "stats_dump_file" => dumps.stats = path,
        _ => dumps.json = path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::finding::Findings;
    use crate::config::keepalived::read;
    use crate::config::load::Options;
    use crate::config::model::Config;
    use crate::config::process::ProcessConfig;
    use crate::config::source::MemorySource;

    fn of(lines: &str) -> (ProcessConfig, u32) {
        let text = format!("global_defs {{\n{lines}\n}}\n");
        let source = MemorySource::with("k", text.as_bytes());
        let (mut config, mut findings) = (Config::default(), Findings::default());
        read("k", &source, &mut config, &mut findings, &Options::default());
        (config.node.process, findings.errors())
    }

    #[test]
    fn a_umask_is_a_number_as_c_reads_it_or_bits_by_name() {
        for (text, mask) in [
            ("0177", Some(0o177)),
            ("127", Some(127)),
            ("0x7f", Some(0x7f)),
            ("0", Some(0)),
            ("IRUSR | IWGRP", Some(0o420)),
            ("S_IRWXG|S_IRWXO", Some(0o077)),
            ("0777", Some(0o777)),
            ("01000", None),
            ("abc", None),
            ("0177 2", None),
        ] {
            let (process, errors) = of(&format!("umask {text}"));
            assert_eq!((process.umask, errors), (mask, u32::from(mask.is_none())), "{text}");
        }
    }

    #[test]
    fn scheduling_is_taken_within_its_ranges() {
        let (process, errors) = of("vrrp_priority -20\nvrrp_rt_priority 100\nvrrp_rlimit_rttime 2\n\
             vrrp_cpu_affinity 0 1023 0\nvrrp_no_swap\nprocess_name a23456789012345x");
        assert_eq!((process.nice, process.realtime), (Some(-20), Some(99)));
        assert_eq!(process.realtime_limit, Some(Duration::from_micros(2)));
        assert_eq!((process.processors, process.no_swap), (alloc::vec![0, 1023], true));
        assert_eq!((process.name.as_deref(), errors), (Some("a23456789012345"), 0));
        assert_eq!(of("vrrp_rt_priority 0").0.realtime, Some(1));
        for wrong in
            ["vrrp_priority -21", "vrrp_priority 20", "vrrp_rlimit_rttime 1", "vrrp_cpu_affinity 1024"]
        {
            assert_eq!(of(wrong), (ProcessConfig::default(), 1), "{wrong}");
        }
    }

    #[test]
    fn dump_files_have_names_and_json_two_forms() {
        let (process, errors) =
            of("state_dump_file /a\nstats_dump_file /b\njson_dump_file /c\njson_version 2");
        let dumps = process.dumps;
        assert_eq!((dumps.state.as_deref(), dumps.stats.as_deref()), (Some("/a"), Some("/b")));
        assert_eq!((dumps.json.as_deref(), dumps.json_object, errors), (Some("/c"), true, 0));
        assert_eq!(of("json_version 3").1, 1);
    }
}

//! Commands of the configuration: `script`, `notify*`, their accounts, and whether they can be run here.
//!
//! keepalived takes a command that is not there out of every list without a word, so that a node whose check is
//! missing looks healthy; here it is a warning and the check fails (B16).

use super::codes;
use super::keyword::Desk;
use super::text::{Word, argv};
use super::tree::Statement;
use crate::config::model::Command;
use crate::config::source::ScriptState;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A command line as written, not yet looked for.
#[derive(Clone, Debug)]
pub(super) struct CommandDraft {
    pub(super) argv: Vec<String>,
    pub(super) user: Option<Arc<str>>,
    pub(super) at: Word,
}

/// The command of `script` or `notify*`; with `account`, the words after it are `user [:][group]`.
pub(super) fn draft(desk: &mut Desk<'_>, statement: &Statement, account: bool) -> Option<CommandDraft> {
    let (at, rest) = statement.arguments().split_first().filter(|(at, _)| !at.poisoned)?;
    let line = at.text.strip_prefix('<');
    let argv = match line {
        // `</path`: can the file be opened?
        Some(path) => {
            alloc::vec![
                "/bin/sh".to_string(),
                "-c".to_string(),
                ": < \"$0\"".to_string(),
                path.trim().to_string()
            ]
        }
        None => argv(&at.text)
            .filter(|words| words.first().is_some_and(|word| !word.is_empty()))
            .unwrap_or_default(),
    };
    if argv.is_empty() {
        let help = "inside \"…\", put an argument with blanks into '…'";
        desk.error(at.span(), codes::BAD_VALUE, "this is not a command line", help);
        return None;
    }
    let mut user = None;
    if !rest.is_empty() && account {
        let absolute = rest[0].text.starts_with(['/', '-']);
        if absolute || rest.len() > 2 {
            let help = "put the command and its arguments into one pair of quotes";
            let message = format!("`{}` is read as an account, not as an argument", rest[0].text);
            desk.error(rest[0].span(), codes::SCRIPT_ARGUMENTS, message, help);
            return None;
        }
        user = self::account(desk, rest);
        user.as_ref()?;
    } else if let Some(word) = rest.first() {
        // keepalived drops them silently (B20).
        let message = format!("`{}` is not an argument of the command and is not read", word.text);
        let help = "put the command and its arguments into one pair of quotes";
        desk.warn(word.span(), codes::SCRIPT_ARGUMENTS, message, help);
    }
    Some(CommandDraft { argv, user, at: at.clone() })
}

/// `USER [:][GROUP]` as `user[:group]`; `None` was said.
pub(super) fn account(desk: &mut Desk<'_>, words: &[Word]) -> Option<Arc<str>> {
    let first = words.first()?;
    if words.iter().any(|word| word.poisoned) {
        return None;
    }
    let (user, mut group) = match first.text.split_once(':') {
        Some((user, group)) => (user, group.to_string()),
        None => (first.text.as_str(), String::new()),
    };
    if let Some(second) = words.get(1) {
        group = second.text.trim_start_matches(':').to_string();
    }
    if desk.source.user(user) == Some(false) || user.is_empty() {
        let message = format!("there is no account `{user}`");
        desk.error(first.span(), codes::UNKNOWN_USER, message, "create it, or name another one");
        return None;
    }
    if !group.is_empty() && desk.source.group(&group) == Some(false) {
        let message = format!("there is no group `{group}`");
        desk.error(words.last()?.span(), codes::UNKNOWN_USER, message, "create it, or name another one");
        return None;
    }
    Some(if group.is_empty() { Arc::from(user) } else { Arc::from(format!("{user}:{group}").as_str()) })
}

/// The command with its account, and why it cannot be run, if it cannot.
pub(super) fn settle(desk: &mut Desk<'_>, draft: &CommandDraft) -> (Command, Option<String>) {
    let default = desk.globals.scripts.user.clone().or_else(|| {
        (desk.source.user("keepalived_script") == Some(true)).then(|| Arc::from("keepalived_script"))
    });
    let user = draft.user.clone().or(default);
    let secure = desk.globals.scripts.security;
    let root = user.as_deref().is_none_or(|user| user == "root" || user.starts_with("root:"));
    let path = draft.argv[0].clone();
    let broken = match desk.source.script(&path) {
        ScriptState::Runnable | ScriptState::Unknown => None,
        ScriptState::Missing => Some(format!("there is no file {path}")),
        ScriptState::NotExecutable => Some(format!("{path} is not executable")),
        ScriptState::Insecure(who) if root && secure => Some(format!("{path} could be changed by {who}")),
        ScriptState::Insecure(who) => {
            if root {
                let message = format!("{path} runs as root and could be changed by {who}");
                let help =
                    "let root own the file and its folders, and add enable_script_security to global_defs";
                desk.warn(draft.at.span(), codes::SCRIPT_SECURITY, message, help);
            }
            None
        }
    };
    let broken = broken.or_else(|| {
        let nobody = secure && user.is_none() && desk.source.user("keepalived_script") == Some(false);
        nobody.then(|| "enable_script_security needs script_user or an account keepalived_script".to_string())
    });
    (Command { argv: draft.argv.clone().into(), user }, broken)
}

/// A command to be told of transitions; one that cannot be run is said, and one that `enable_script_security` forbids
/// is left out, as keepalived does: it would run as root what somebody else has written.
pub(super) fn notify(desk: &mut Desk<'_>, draft: Option<&CommandDraft>) -> Option<Command> {
    let draft = draft?;
    let (command, broken) = settle(desk, draft);
    let Some(why) = broken else { return Some(command) };
    let is_there = matches!(
        desk.source.script(&draft.argv[0]),
        ScriptState::Runnable | ScriptState::Unknown | ScriptState::Insecure(_)
    );
    let message = format!("this command cannot be run: {why}");
    if is_there {
        let help = "enable_script_security forbids it, and it is never run; put that right and reload";
        desk.warn(draft.at.span(), codes::SCRIPT_SECURITY, message, help);
        return None;
    }
    let help = "it is tried at each transition all the same";
    desk.warn(draft.at.span(), codes::SCRIPT_MISSING, message, help);
    Some(command)
}

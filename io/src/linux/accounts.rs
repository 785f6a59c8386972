//! Account names to numbers, from the text of `/etc/passwd` and `/etc/group`.
//!
//! Reads the files only: no name service, which could block the control plane for seconds. A number stands for
//! itself. Pure parsing, bounded by [`MAX_FILE`].

use std::fs::File;
use std::io::{self, Read};

/// The largest account file; of a larger one half a line could be taken for a whole one.
pub(super) const MAX_FILE: u64 = 4 << 20;

/// Whom a script runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The account of `user[:group]`, or why there is none.
pub(super) fn account(spec: &str) -> Result<Account, String> {
    let read = |path: &str| read_bounded(path).map_err(|error| format!("{path}: {error}"));
    resolve(spec, &read("/etc/passwd")?, &read("/etc/group")?)
}

fn read_bounded(path: &str) -> io::Result<String> {
    let mut text = Vec::new();
    let length = File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
    if length as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it is larger than {} MiB", MAX_FILE >> 20)));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn resolve(spec: &str, passwd: &str, group: &str) -> Result<Account, String> {
    let (user, wanted_group) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    // name:password:uid:gid:… and name:password:gid:…
    let by_number = user.parse::<u32>().ok();
    let line = passwd.lines().map(fields).find(|f| f.first() == Some(&user));
    let line = line
        .or_else(|| passwd.lines().map(fields).find(|f| by_number.is_some() && number(f, 2) == by_number));
    let (uid, own) = match (line, by_number) {
        (Some(line), _) => (number(&line, 2), number(&line, 3)),
        (None, Some(uid)) => (Some(uid), Some(uid)),
        (None, None) => return Err(format!("no such user: {user}")),
    };
    let gid = match wanted_group {
        None => own,
        Some(name) => {
            let line = group.lines().map(fields).find(|f| f.first() == Some(&name));
            let gid = line.and_then(|f| number(&f, 2)).or_else(|| name.parse().ok());
            Some(gid.ok_or_else(|| format!("no such group: {name}"))?)
        }
    };
    match (uid, gid) {
        (Some(uid), Some(gid)) => Ok(Account { uid, gid }),
        (_, _) => Err(format!("the entry of {user} in /etc/passwd is broken")),
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.splitn(5, ':').collect()
}

fn number(fields: &[&str], at: usize) -> Option<u32> {
    fields.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nkeepalived_script:x:990:989::/:/bin/false\nodd:x:y:1::\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:a,b\n";

    #[test]
    fn an_account_is_found_by_name_or_number_with_its_group() {
        let is =
            |spec, uid, gid| assert_eq!(resolve(spec, PASSWD, GROUP), Ok(Account { uid, gid }), "{spec}");
        is("root", 0, 0);
        is("keepalived_script", 990, 989);
        is("keepalived_script:adm", 990, 4);
        is("990", 990, 989);
        is("1234", 1234, 1234);
        is("1234:77", 1234, 77);
    }

    #[test]
    fn an_unknown_name_is_said() {
        let says = |spec, why: &str| assert_eq!(resolve(spec, PASSWD, GROUP), Err(why.to_owned()));
        says("nobody_at_all", "no such user: nobody_at_all");
        says("root:nogroup_at_all", "no such group: nogroup_at_all");
        says("odd", "the entry of odd in /etc/passwd is broken");
        says("", "no such user: ");
    }
    #[test]
    fn one_byte_more_than_the_largest_file_is_an_error() {
        let path = std::env::temp_dir().join(format!("standfast-accounts-{}", std::process::id()));
        let path = path.to_str().unwrap().to_owned();
        let file = File::create(&path).unwrap();
        file.set_len(MAX_FILE).unwrap();
        assert_eq!(read_bounded(&path).unwrap().len() as u64, MAX_FILE);
        file.set_len(MAX_FILE + 1).unwrap();
        assert_eq!(read_bounded(&path).unwrap_err().to_string(), "it is larger than 4 MiB");
        std::fs::remove_file(path).unwrap();
    }
}

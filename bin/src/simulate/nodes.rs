//! From files and folders to named nodes. A folder is a node, named as the folder; files without a folder are one node.
//!
//! The files may belong to another machine: a script, an include or a certificate that is named by its full path and is
//! missing here is looked for beside the configuration, and one that is found nowhere counts as present, because
//! this host cannot tell. What the language itself refuses is refused here, too.

use crate::source::FsSource;
use standfast_core::config::finding::{Findings, Severity};
use standfast_core::config::load::{self, Language, Options};
use standfast_core::config::model::Config;
use standfast_core::config::source::{ReadError, ScriptState, Source};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The most nodes of one simulation.
pub const MAX_NODES: usize = 15;

/// A node as it was read.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its configuration; `None` when it has errors.
    pub config: Option<Config>,
    /// What there is to say about its files.
    pub findings: Findings,
}

/// The nodes that `paths` name.
///
/// # Errors
/// What is wrong with the paths, and the remedy.
pub fn read(paths: &[String], config_id: Option<&String>) -> Result<Vec<Node>, String> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths.iter().map(PathBuf::from) {
        if !path.is_dir() {
            files.push(path);
        } else if configurations(&path).is_empty() {
            let inner = inner_folders(&path);
            if inner.is_empty() {
                let path = path.display();
                return Err(format!(
                    "{path}: no keepalived.conf, haproxy.cfg or standfast.toml in this folder, nor in one below it; \
                     a node's folder holds the files that the node runs with"
                ));
            }
            folders.extend(inner);
        } else {
            folders.push(path);
        }
    }
    if !files.is_empty() && !folders.is_empty() {
        let (file, folder) = (files[0].display(), folders[0].display());
        return Err(format!(
            "{file} is a file and {folder} a folder: give either the files of one node, or one folder per node"
        ));
    }
    if folders.len() > MAX_NODES {
        return Err(format!("{} nodes are more than the {MAX_NODES} that are simulated", folders.len()));
    }
    if folders.is_empty() {
        let folder = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("")).to_path_buf();
        return Ok(vec![one(&file_node_name(&folder), &files, &folder, config_id)]);
    }
    let names = names(&folders);
    let nodes = folders.iter().zip(&names);
    Ok(nodes
        .map(|(folder, name)| one(name, &configurations(folder), folder, config_id.or(Some(name))))
        .collect())
}

/// The folder's name where it tells something, `node` where it is the usual place of such files.
fn file_node_name(folder: &Path) -> String {
    let name = std::fs::canonicalize(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        .ok()
        .and_then(|folder| folder.file_name().map(|name| name.to_string_lossy().into_owned()));
    let usual = ["keepalived", "haproxy", "standfast", "etc", "config", "conf"];
    name.filter(|name| !usual.contains(&name.as_str())).unwrap_or_else(|| String::from("node"))
}

/// The last part of each path, with the part before it where two are the same.
fn names(folders: &[PathBuf]) -> Vec<String> {
    let last = |folder: &PathBuf, parts: usize| {
        let whole = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
        let all: Vec<String> =
            whole.iter().map(|part| part.to_string_lossy().into_owned()).filter(|part| part != "/").collect();
        all[all.len().saturating_sub(parts)..].join("/")
    };
    for parts in 1..8 {
        let names: Vec<String> = folders.iter().map(|folder| last(folder, parts)).collect();
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        if distinct.len() == names.len() {
            return names;
        }
    }
    (1..=folders.len()).map(|nth| format!("node{nth}")).collect()
}

/// The configuration files in `folder`, in the order in which they are read.
fn configurations(folder: &Path) -> Vec<PathBuf> {
    let usual = ["keepalived.conf", "haproxy.cfg", "standfast.toml"];
    let below = ["keepalived/keepalived.conf", "haproxy/haproxy.cfg", "standfast/standfast.toml"];
    let found = |names: [&str; 3]| -> Vec<PathBuf> {
        names.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
    };
    let here = found(usual);
    if here.is_empty() { found(below) } else { here }
}

/// The folders right below `folder` that hold configurations, by name.
fn inner_folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut inner: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    inner.retain(|path| !configurations(path).is_empty());
    inner.sort();
    inner
}

fn one(name: &str, files: &[PathBuf], folder: &Path, config_id: Option<&String>) -> Node {
    let source = FolderSource { files: FsSource::default(), folder: folder.to_path_buf() };
    let texts: Vec<(Language, String)> = files
        .iter()
        .map(|path| {
            let shown = path.display().to_string();
            let text = source.read(&shown).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            (load::guess_language(&shown, &text.unwrap_or_default()), shown)
        })
        .collect();
    let inputs: Vec<(Language, &str)> =
        texts.iter().map(|(language, path)| (*language, path.as_str())).collect();
    let options = Options { config_id: config_id.cloned(), ..Options::default() };
    let loaded = load::load(&inputs, &source, None, &options);
    Node { name: name.to_owned(), config: loaded.config, findings: loaded.findings }
}

/// How many findings there are of each kind, as a sentence of what was assumed; `None` when there are none.
#[must_use]
pub fn remarks(nodes: &[Node]) -> Option<String> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for node in nodes {
        let count = |severity| node.findings.count(severity);
        counts.insert(&node.name, (count(Severity::Warning), count(Severity::Note)));
    }
    let all: usize = counts.values().map(|(warnings, notes)| warnings + notes).sum();
    let (warnings, notes): (Vec<usize>, Vec<usize>) = counts.values().copied().unzip();
    let sum = |all: &[usize]| all.iter().sum::<usize>();
    (all > 0).then(|| {
        format!(
            "{} warnings and {} notes about these files are told by `standfast check`",
            sum(&warnings),
            sum(&notes)
        )
    })
}

/// The files of perhaps another machine.
struct FolderSource {
    files: FsSource,
    folder: PathBuf,
}

impl FolderSource {
    /// Where `path` is: as written, else beside the configuration.
    fn place(&self, path: &str) -> String {
        let beside = || {
            let name = Path::new(path).file_name()?;
            let place = self.folder.join(name);
            place.is_file().then(|| place.display().to_string())
        };
        if Path::new(path).exists() { path.to_owned() } else { beside().unwrap_or_else(|| path.to_owned()) }
    }
}

impl Source for FolderSource {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.files.read(&self.place(path))
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let here = self.files.glob(pattern);
        match (here.is_empty(), Path::new(pattern).file_name()) {
            (true, Some(name)) => self.files.glob(&self.folder.join(name).display().to_string()),
            (true, None) | (false, _) => here,
        }
    }

    fn script(&self, path: &str) -> ScriptState {
        match self.files.script(&self.place(path)) {
            ScriptState::Missing => ScriptState::Unknown, // it may well be there on the node
            state @ (ScriptState::Runnable
            | ScriptState::NotExecutable
            | ScriptState::Insecure(_)
            | ScriptState::Unknown) => state,
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        self.files.env(name)
    }

    fn host(&self) -> String {
        self.files.host()
    }

    fn user(&self, user: &str) -> Option<bool> {
        self.files.user(user).filter(|known| *known) // an account that is missing here may be there on the node
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        self.files.resolve(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_nodes_as_the_limit_are_read_and_one_more_is_refused() {
        let above = std::env::temp_dir().join(format!("sf-nodes-{}", std::process::id()));
        let folder = |nth: usize| {
            let folder = above.join(format!("n{nth:02}"));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("standfast.toml"), "").unwrap();
        };
        (1..=MAX_NODES).for_each(folder);
        let paths = [above.to_str().unwrap().to_owned()];
        assert_eq!(read(&paths, None).unwrap().len(), MAX_NODES);
        folder(MAX_NODES + 1);
        assert_eq!(read(&paths, None).unwrap_err(), "16 nodes are more than the 15 that are simulated");
        std::fs::remove_dir_all(&above).unwrap();
    }
}

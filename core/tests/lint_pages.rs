//! Every rule of `lint` has a page, and the page's example triggers it where the sound pair does not.

mod lint;

use lint::{Files, docs, good, has};
use standfast_core::config::codes::explain;
use standfast_core::config::finding::Code;
use standfast_core::config::lint::codes;

/// Limits, whose examples would fill screens: `lint_limits` has them.
const LIMITS: [u16; 2] = [4017, 4018];

fn page(code: Code) -> String {
    let path = docs().join(format!("{code}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The changes of a page: file, and lines that stay (` `), go (`-`) and come (`+`).
fn changes(page: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(head) if !open && head.starts_with("diff ") => {
                found.push((head[5..].trim().to_string(), Vec::new()));
                open = true;
            }
            Some(_) => open = false,
            None if open => found.last_mut().expect("a block is open").1.push(line.to_string()),
            None => {}
        }
    }
    found
}

fn apply(mut files: Files, changes: &[(String, Vec<String>)]) -> Files {
    for (path, lines) in changes {
        let text = files.entry(path.clone()).or_default();
        let mut kept: Vec<String> = text.lines().map(String::from).collect();
        let all_new = lines.iter().all(|line| line.starts_with('+'));
        let mut at = if all_new { kept.len() } else { 0 };
        for line in lines {
            let (sign, rest) = line.split_at(1);
            if sign == "+" {
                kept.insert(at, rest.to_string());
                at += 1;
                continue;
            }
            let found = kept[at..].iter().position(|one| one == rest);
            at += found.unwrap_or_else(|| panic!("{path} has no line `{rest}`"));
            if sign == "-" {
                kept.remove(at);
            } else {
                at += 1;
            }
        }
        *text = kept.join("\n") + "\n";
    }
    files
}

#[test]
fn the_sound_pair_has_no_finding_at_all() {
    assert_eq!(lint::lint(&good()).findings, []);
}

#[test]
fn every_rule_has_a_page_whose_example_triggers_it() {
    for code in codes::with_page().into_iter().filter(|code| !LIMITS.contains(&code.0)) {
        let page = page(code);
        let changes = changes(&page);
        assert!(!changes.is_empty(), "{code}: a page without an example");
        let report = lint::lint(&apply(good(), &changes));
        let got = lint::codes(&report);
        assert!(has(&report, code.0), "{code}: its example gives {got:?}");
    }
}

#[test]
fn every_page_says_what_it_is_how_it_shows_and_what_to_do_in_half_a_screen() {
    for code in codes::with_page() {
        let page = page(code);
        assert!(page.starts_with(&format!("# {code}: ")), "{code}: the title is another one");
        for part in ["\nAt night: ", "\nExample", "\nRemedy: "] {
            assert!(page.contains(part), "{code}: no{part}");
        }
        assert!(page.lines().count() <= 40, "{code}: longer than half a screen");
        assert!(explain(code).is_some(), "{code}");
    }
}

#[test]
fn the_index_lists_every_page_and_every_page_has_a_rule() {
    let index = std::fs::read_to_string(docs().join("README.md")).expect("the index");
    let all: Vec<String> = codes::with_page().iter().map(|code| format!("{code}.md")).collect();
    for page in &all {
        assert!(index.contains(&format!("]({page})")), "{page} is not in the index");
    }
    for entry in std::fs::read_dir(docs()).expect("the folder of the pages") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let known = name == "README.md" || name == "good" || all.contains(&name);
        assert!(known, "{name} is the page of no rule");
    }
}

#[test]
fn each_of_the_fifteen_traps_has_a_rule_with_a_page() {
    let paged = codes::with_page();
    for (trap, codes) in codes::TRAPS {
        assert!(!codes.is_empty() && codes.iter().all(|code| paged.contains(&Code(*code))), "{trap}");
    }
}

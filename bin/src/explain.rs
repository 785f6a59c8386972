//! `explain CODE`: the page of a code on the terminal, else the sentence that every code has.

use crate::text;
use standfast_core::config::codes;
use standfast_core::config::finding::Code;
use std::process::ExitCode;

macro_rules! pages {
    ($($name:literal)*) => {
        /// The pages of `docs/lint`, by name.
        pub const PAGES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../docs/lint/", $name, ".md")))),*];
    };
}

pages! {
    "SF0009" "SF1110" "SF1111" "SF1203" "SF1302" "SF1303" "SF2009" "SF2050" "SF2060" "SF2061" "SF2062"
    "SF4000" "SF4001" "SF4002" "SF4003" "SF4004" "SF4005" "SF4006" "SF4007" "SF4008" "SF4009" "SF4010"
    "SF4011" "SF4012" "SF4013" "SF4014" "SF4015" "SF4016" "SF4017" "SF4018" "SF4019" "SF4031" "SF4032"
    "SF4033" "SF4034" "SF4035"
}

/// `SF4001`, `sf4001` or `4001`.
fn parse(word: &str) -> Option<Code> {
    let number = word.strip_prefix("SF").or_else(|| word.strip_prefix("sf")).unwrap_or(word);
    number.parse().ok().map(Code)
}

/// `standfast explain`.
#[must_use]
pub fn explain(word: &str) -> ExitCode {
    let found = parse(word)
        .and_then(|code| Some((code, codes::explain(code).or_else(|| sim::story::codes::explain(code))?)));
    let Some((code, sentence)) = found else {
        text::err(&format!(
            "error: there is no code {word}; findings show theirs in brackets, as in error[SF4001]\n"
        ));
        return ExitCode::from(2);
    };
    let name = code.to_string();
    match PAGES.iter().find(|(page, _)| *page == name) {
        Some((_, page)) => text::out(page),
        None => text::out(&format!("{name}: {sentence}\n")),
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_has_a_page_shows_it() {
        let names: Vec<String> =
            standfast_core::config::lint::codes::with_page().iter().map(Code::to_string).collect();
        let pages: Vec<&str> = PAGES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, pages);
    }

    #[test]
    fn a_code_is_read_in_any_of_its_forms() {
        for word in ["SF0009", "sf0009", "9"] {
            assert_eq!(parse(word), Some(Code(9)));
        }
        assert_eq!(parse("SFX"), None);
        assert_eq!(parse("SF99999"), None);
    }
}

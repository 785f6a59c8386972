//! How the stories are shown: text as they come, or JSON at the end; pictures into files.

use super::SimulateArgs;
use crate::text;
use serde_json::{Value, json};
use sim::des::scenario::Scenario;
use sim::des::timeline::Timeline;
use sim::story::{json as story_json, svg, text as story};
use standfast_core::config::model::Config;
use std::path::{Path, PathBuf};

/// A scenario that was run.
pub(super) struct Told<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) timeline: &'a Timeline,
    pub(super) words: String,
    /// Assertions that do not hold, and what is the case instead.
    pub(super) failed: Vec<String>,
}

/// Where the stories go.
pub(super) struct Output {
    json: bool,
    /// Every event is told.
    full: bool,
    /// Storms are told in one line each.
    brief: bool,
    many: bool,
    svg: Option<PathBuf>,
    nodes: Vec<String>,
    assumed: Vec<String>,
    stories: Vec<Value>,
    failed: usize,
}

impl Output {
    pub(super) fn new(
        args: &SimulateArgs,
        cluster: &[(String, Config)],
        assumed: Vec<String>,
        many: bool,
    ) -> Output {
        let output = Output {
            json: args.json,
            full: !args.scenario.is_empty() || (args.storm.is_some() && !many),
            brief: args.storm.is_some() && many,
            many,
            svg: args.svg.as_ref().map(PathBuf::from),
            nodes: cluster.iter().map(|(name, _)| name.clone()).collect(),
            assumed,
            stories: Vec::new(),
            failed: 0,
        };
        if !output.json {
            for sentence in &output.assumed {
                text::out(&format!("assumed: {sentence}\n"));
            }
            text::out("\n");
            if !output.brief {
                text::out(story::LEGEND);
            }
        }
        output
    }

    pub(super) fn left_out(&mut self, name: &str, why: &str) {
        if self.json {
            self.stories.push(json!({ "name": name, "left_out": why }));
        } else {
            text::out(&format!("\n{name}: left out, {why}\n"));
        }
    }

    /// Tells a story.
    ///
    /// # Errors
    /// The picture could not be written.
    pub(super) fn tell(&mut self, told: &Told<'_>) -> Result<(), String> {
        self.failed += told.failed.len();
        let name = &told.scenario.name;
        if self.json {
            let mut value = story_json::story(name, &told.words, told.timeline);
            value["failed_assertions"] = json!(told.failed);
            self.stories.push(value);
        } else {
            if !self.brief {
                text::out(&format!("\n{name}\n{}", story::bars(told.timeline)));
            }
            if self.full {
                text::out(&format!("\n{}", story::events(told.timeline)));
            }
            text::out(&format!("{}\n", told.words));
            for failed in &told.failed {
                text::out(&format!("assertion failed in {name}: {failed}\n"));
            }
        }
        match &self.svg {
            Some(path) => self.draw(&self.picture(path, name), told),
            None => Ok(()),
        }
    }

    /// The file of one picture: with the scenario's name in it when there are several.
    fn picture(&self, path: &Path, name: &str) -> PathBuf {
        if !self.many {
            return path.to_path_buf();
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        path.with_file_name(format!("{stem}-{name}.svg"))
    }

    fn draw(&self, path: &Path, told: &Told<'_>) -> Result<(), String> {
        let title = told.words.split(": ").next().unwrap_or(&told.scenario.name);
        let picture = svg::picture(told.timeline, title, &told.words);
        std::fs::write(path, picture)
            .map_err(|error| format!("the picture {} cannot be written: {error}", path.display()))?;
        if !self.json {
            text::out(&format!("picture: {}\n", path.display()));
        }
        Ok(())
    }

    /// Ends the output; true when all `assertions` held everywhere.
    pub(super) fn end(self, assertions: usize) -> bool {
        if self.json {
            let all = json!({
                "version": story_json::VERSION,
                "nodes": self.nodes,
                "assumed": self.assumed,
                "scenarios": self.stories,
                "assertions_failed": self.failed,
            });
            text::out(&format!("{all:#}\n"));
        } else if assertions > 0 {
            let verdict =
                if self.failed == 0 { String::from("all hold") } else { format!("{} failed", self.failed) };
            text::out(&format!("\nassertions: {verdict}\n"));
        }
        self.failed == 0
    }
}

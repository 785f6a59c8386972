//! `simulate`: scenarios on the user's own files, on a simulated network, without any privilege.
//!
//! Reads the nodes, says what it assumed, runs each scenario through the discrete-event tier, and tells what clients
//! saw. Nothing on this host is touched.

pub mod nodes;

use crate::check::{ERRORS, print_each};
use crate::text;
use clap::Args;
use sim::des::scenario::{Scenario, run};
use sim::des::timeline::Timeline;
use sim::story::{builtin, peers, text as story, verdict};
use standfast_core::config::model::Config;
use std::process::ExitCode;

/// Exit code for a wrong command line.
const USAGE: u8 = 2;

/// Arguments of `simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// The files of one node (its peers are assumed), or one folder per node, or a folder of such folders.
    #[arg(value_name = "FILE|FOLDER", required_unless_present = "list")]
    pub paths: Vec<String>,
    /// List the built-in scenarios.
    #[arg(long)]
    pub list: bool,
    /// A built-in scenario, told in full; may be given several times. Without it: all of them, in brief.
    #[arg(long, value_name = "NAME")]
    pub scenario: Vec<String>,
    /// Seed of all randomness.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The name that `@NAME` lines of keepalived.conf are kept for; a folder's own name otherwise.
    #[arg(short = 'i', long, value_name = "NAME")]
    pub config_id: Option<String>,
}

/// `standfast simulate`.
#[must_use]
pub fn simulate(args: &SimulateArgs) -> ExitCode {
    if args.list {
        list();
        return ExitCode::SUCCESS;
    }
    let read = match nodes::read(&args.paths, args.config_id.as_ref()) {
        Ok(read) => read,
        Err(error) => return usage(&error),
    };
    if read.iter().any(|node| node.config.is_none()) {
        for node in &read {
            print_each(&node.findings, text::out);
        }
        let refused = read.iter().filter(|node| node.config.is_none()).map(|node| node.name.as_str());
        let refused: Vec<&str> = refused.collect();
        text::out(&format!(
            "nothing was simulated: the configuration of {} cannot be run\n",
            refused.join(", ")
        ));
        return ExitCode::from(ERRORS);
    }
    let remarks = nodes::remarks(&read);
    let (cluster, mut assumed) = cluster(read);
    assumed.extend(remarks);
    let chosen = match chosen(args, &cluster) {
        Ok(chosen) => chosen,
        Err(error) => return usage(&error),
    };
    for sentence in &assumed {
        text::out(&format!("assumed: {sentence}\n"));
    }
    text::out(&format!("\n{}", story::LEGEND));
    let full = !args.scenario.is_empty();
    for (name, scenario) in chosen {
        match scenario {
            Ok(scenario) => tell(&scenario, &run(&cluster, &scenario), full),
            Err(why) => text::out(&format!("\n{name}: left out, {why}\n")),
        }
    }
    ExitCode::SUCCESS
}

fn usage(error: &str) -> ExitCode {
    text::err(&format!("standfast simulate: {error}\n"));
    ExitCode::from(USAGE)
}

fn list() {
    let width = builtin::BUILTINS.iter().map(|builtin| builtin.name.len()).max().unwrap_or(0);
    for builtin in builtin::BUILTINS {
        text::out(&format!("{:width$}  {}\n", builtin.name, builtin.about));
    }
}

/// All nodes, those implied by a single one included, and what was assumed.
fn cluster(read: Vec<nodes::Node>) -> (Vec<(String, Config)>, Vec<String>) {
    let mut named: Vec<(String, Config)> =
        read.into_iter().filter_map(|node| Some((node.name, node.config?))).collect();
    let mut assumed = Vec::new();
    if let [(name, config)] = &named[..] {
        let implied = peers::implied(name, config);
        (named, assumed) = (implied.nodes, implied.assumed);
    }
    assumed.extend(peers::common(&named));
    (named, assumed)
}

type Chosen = Vec<(String, Result<Scenario, &'static str>)>;

fn chosen(args: &SimulateArgs, cluster: &[(String, Config)]) -> Result<Chosen, String> {
    let all = || builtin::BUILTINS.iter().map(|builtin| builtin.name.to_owned()).collect();
    let names: Vec<String> = if args.scenario.is_empty() { all() } else { args.scenario.clone() };
    let mut chosen = Vec::new();
    for name in names {
        let known = || builtin::BUILTINS.iter().map(|builtin| builtin.name);
        let built = builtin::build(&name, cluster).ok_or_else(|| {
            let near = standfast_core::config::finding::nearest(&name, known());
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            format!("there is no scenario `{name}`; {near}`standfast simulate --list` lists them")
        })?;
        let seeded = built.map(|scenario| Scenario { seed: args.seed, ..scenario });
        chosen.push((name, seeded));
    }
    Ok(chosen)
}

fn tell(scenario: &Scenario, timeline: &Timeline, full: bool) {
    text::out(&format!("\n{}\n{}", scenario.name, story::bars(timeline)));
    if full {
        text::out(&format!("\n{}", story::events(timeline)));
    }
    text::out(&format!("{}\n", verdict::words(scenario, timeline)));
}

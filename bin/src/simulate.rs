//! `simulate`: scenarios on the user's own files, on a simulated network, without any privilege.
//!
//! Reads the nodes, says what it assumed, runs each scenario through the discrete-event tier, and tells what clients
//! saw: on the terminal, as pictures, as JSON; exit code 1 when an assertion does not hold. Nothing on this host is
//! touched.

mod from;
pub mod nodes;
mod output;

use crate::check::{ERRORS, print_each};
use crate::replay::Until;
use crate::text;
use clap::Args;
use output::{Output, Told};
use sim::des::scenario::{Scenario, run};
use sim::story::assert::Assertion;
use sim::story::continued::Continued;
use sim::story::{FAULTS, builtin, file, peers, storm, verdict};
use standfast_core::config::finding::nearest;
use standfast_core::config::model::Config;
use std::process::ExitCode;

/// Exit code for a wrong command line.
const USAGE: u8 = 2;

/// Arguments of `simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// The files of one node (its peers are assumed), or one folder per node, or a folder of such folders.
    #[arg(value_name = "FILE|FOLDER", required_unless_present_any = ["list", "from"])]
    pub paths: Vec<String>,
    /// Go on where a flight recording ends: what if something had happened there? Its node lives on, with the peers
    /// that its configuration implies.
    #[arg(long, value_name = "RECORDING", conflicts_with_all = ["paths", "storm", "config_id"])]
    pub from: Option<String>,
    /// With --from: go on at this moment, a time since its beginning (90s, 5m) or a time of day (09:04:05).
    #[arg(long, value_name = "T", requires = "from")]
    pub at: Option<Until>,
    /// List the built-in scenarios, and the faults that a scenario file may name.
    #[arg(long)]
    pub list: bool,
    /// A built-in scenario, or a file of your own (TOML), told in full; several times if you like. Without it: all
    /// built-in ones, in brief.
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub scenario: Vec<String>,
    /// Random scenarios: one seed, or a range such as 1..21.
    #[arg(long, value_name = "SEEDS", conflicts_with = "scenario")]
    pub storm: Option<String>,
    /// Write each timeline as a picture; with several scenarios their names are added to the file's.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<String>,
    /// Everything as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// What must hold of each scenario, for instance 'outage<5s', 'cut<=12' or 'refused=0'; exit code 1 when it does not.
    #[arg(long, value_name = "ASSERTION")]
    pub assert: Vec<String>,
    /// Seed of all randomness: what happens comes up to a second later, at another moment between two advertisements.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The name that `@NAME` lines of keepalived.conf are kept for; a folder's own name otherwise.
    #[arg(short = 'i', long, value_name = "NAME")]
    pub config_id: Option<String>,
}

/// Why nothing was simulated: printed already, and this exit code.
struct Refused(u8);

/// `standfast simulate`.
#[must_use]
pub fn simulate(args: &SimulateArgs) -> ExitCode {
    if args.list {
        list();
        return ExitCode::SUCCESS;
    }
    match rehearse(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(ERRORS),
        Err(Refused(code)) => ExitCode::from(code),
    }
}

/// True when every assertion holds.
fn rehearse(args: &SimulateArgs) -> Result<bool, Refused> {
    let assertions: Result<Vec<Assertion>, String> =
        args.assert.iter().map(|text| Assertion::parse(text)).collect();
    let assertions = assertions.map_err(|error| usage(&error))?;
    let continued = args.from.as_ref().map(|file| from::read(args, file)).transpose()?;
    let (cluster, assumed) = match &continued {
        Some(continued) => (continued.nodes.clone(), continued.assumed.clone()),
        None => cluster(args)?,
    };
    let chosen = chosen(args, &cluster, continued.as_ref())?;
    let many = chosen.len() > 1;
    let mut output = Output::new(args, &cluster, assumed, many);
    for (name, scenario) in chosen {
        match scenario {
            Err(why) => output.left_out(&name, why),
            Ok(scenario) => {
                let timeline = match &continued {
                    Some(continued) => continued.run(&scenario),
                    None => run(&cluster, &scenario),
                };
                let words = verdict::words(&scenario, &timeline);
                let figures = verdict::Figures::of(&timeline);
                let failed = assertions.iter().filter_map(|assertion| assertion.fails(&figures)).collect();
                let told = Told { scenario: &scenario, timeline: &timeline, words, failed };
                output.tell(&told).map_err(|error| usage(&error))?;
            }
        }
    }
    Ok(output.end(assertions.len()))
}

fn usage(error: &str) -> Refused {
    text::err(&format!("standfast simulate: {error}\n"));
    Refused(USAGE)
}

fn list() {
    let names =
        builtin::BUILTINS.iter().map(|builtin| builtin.name).chain(FAULTS.iter().map(|fault| fault.0));
    let width = names.map(str::len).max().unwrap_or(0);
    text::out("Built-in scenarios:\n");
    for builtin in builtin::BUILTINS {
        text::out(&format!("  {:width$}  {}\n", builtin.name, builtin.about));
    }
    text::out("\nFaults of a scenario file (`fault = NAME`, with its keys):\n");
    for (name, keys, about) in FAULTS {
        text::out(&format!("  {name:width$}  {about} ({})\n", keys.join(", ")));
    }
}

/// Nodes by name.
type Cluster = Vec<(String, Config)>;

/// All nodes, those implied by a single one included, and what was assumed.
fn cluster(args: &SimulateArgs) -> Result<(Cluster, Vec<String>), Refused> {
    let read = nodes::read(&args.paths, args.config_id.as_ref()).map_err(|error| usage(&error))?;
    let refused: Vec<&str> =
        read.iter().filter(|node| node.config.is_none()).map(|node| node.name.as_str()).collect();
    if !refused.is_empty() {
        for node in &read {
            print_each(&node.findings, text::err);
        }
        text::err(&format!(
            "standfast simulate: nothing was simulated: the configuration of {} cannot be run\n",
            refused.join(", ")
        ));
        return Err(Refused(ERRORS));
    }
    let remarks = nodes::remarks(&read);
    let mut named: Cluster = read.into_iter().filter_map(|node| Some((node.name, node.config?))).collect();
    let mut assumed = Vec::new();
    if let [(name, config)] = &named[..] {
        let implied = peers::implied(name, config);
        (named, assumed) = (implied.nodes, implied.assumed);
    }
    assumed.extend(peers::common(&named));
    assumed.extend(remarks);
    Ok((named, assumed))
}

type Chosen = Vec<(String, Result<Scenario, &'static str>)>;

fn chosen(
    args: &SimulateArgs,
    cluster: &[(String, Config)],
    continued: Option<&Continued>,
) -> Result<Chosen, Refused> {
    if let Some(seeds) = &args.storm {
        let (from, until) = range(seeds).ok_or_else(|| {
            usage(&format!("`{seeds}` are no seeds; write one number, or a range such as 1..21"))
        })?;
        if until - from > storm::MAX_SEEDS {
            return Err(usage(&format!("more than {} seeds", storm::MAX_SEEDS)));
        }
        return Ok((from..until).map(|seed| (String::new(), Ok(storm::draw(seed, cluster)))).collect());
    }
    let all = || builtin::BUILTINS.iter().map(|builtin| builtin.name.to_owned()).collect();
    let names: Vec<String> = if args.scenario.is_empty() { all() } else { args.scenario.clone() };
    let mut chosen = Vec::new();
    for name in names {
        let scenario = scenario(&name, cluster)?.map(|scenario| match continued {
            Some(continued) if is_file(&name) => continued.own(scenario),
            Some(continued) => continued.builtin(scenario),
            None => scenario,
        });
        let seeded = scenario.map(|scenario| match args.seed {
            Some(seed) => scenario.seeded(seed),
            None => scenario,
        });
        chosen.push((name, seeded));
    }
    Ok(chosen)
}

/// The scenario that `name` means: a file when it looks like one, else a built-in one.
fn scenario(name: &str, cluster: &[(String, Config)]) -> Result<Result<Scenario, &'static str>, Refused> {
    let findings = |findings| {
        print_each(&findings, text::err);
        Refused(USAGE)
    };
    if is_file(name) {
        let text = std::fs::read_to_string(name)
            .map_err(|error| findings(file::unreadable(name, &error.to_string())))?;
        return file::read(name, &text, cluster).map(Ok).map_err(findings);
    }
    builtin::build(name, cluster).ok_or_else(|| {
        let near = nearest(name, builtin::BUILTINS.iter().map(|builtin| builtin.name));
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let more = "`standfast simulate --list` lists them; a file of your own ends in .toml";
        usage(&format!("there is no scenario `{name}`; {near}{more}"))
    })
}

/// It looks like a file's name.
fn is_file(name: &str) -> bool {
    name.ends_with(".toml") || name.contains('/')
}

/// `7` is 7..8.
fn range(seeds: &str) -> Option<(u64, u64)> {
    let (from, until) = match seeds.split_once("..") {
        Some((from, until)) => (from.parse().ok()?, until.parse().ok()?),
        None => (seeds.parse().ok()?, seeds.parse::<u64>().ok()?.checked_add(1)?),
    };
    (from < until).then_some((from, until))
}

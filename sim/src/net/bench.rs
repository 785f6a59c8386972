//! How fast tier 2 is: simulated seconds per wall second of three idle hosts, and proxied requests per wall second.
//!
//! Only what is simulated happens here; the wall clock is the caller's, who looks at it before and after.

use super::cluster::Cluster;
use super::setup::Setup;
use crate::des::shape::{RouterShape, Shape};
use standfast_core::config::model::Version;
use std::time::Duration;

/// Connections that the load keeps open at once.
const AT_ONCE: usize = 64;
/// A lone node is master, with its listener open and its servers checked, after this time.
const READY: Duration = Duration::from_secs(8);

fn setup(nodes: usize, servers: usize) -> Setup {
    let three = Shape::three(Version::V3, false);
    let cut = |router: &RouterShape| {
        let members = router.members.iter().copied().take(nodes).collect();
        RouterShape { members, ..router.clone() }
    };
    let routers = three.routers.iter().map(cut).collect();
    Setup { clients: 0, ..Setup::new(&Shape { nodes, routers, servers, ..three }, 1) }
}

/// Three nodes that advertise every second and have nothing to do, for `simulated` seconds.
#[derive(Debug)]
pub struct Idle(Cluster);

impl Idle {
    /// Three nodes, settled.
    #[must_use]
    pub fn ready() -> Idle {
        let mut cluster = Cluster::build(&setup(3, 0));
        cluster.pass(READY);
        Idle(cluster)
    }

    /// Lets `simulated` time pass; true if nobody changed its role.
    pub fn run(&mut self, simulated: Duration) -> bool {
        let roles = |cluster: &Cluster| cluster.board().borrow().roles.len();
        let before = roles(&self.0);
        self.0.pass(simulated);
        roles(&self.0) == before
    }
}

/// Clients that send request after request through the proxy of one node to three servers, a connection for each.
#[derive(Debug)]
pub struct Requests(Cluster);

impl Requests {
    /// A node with its proxy open.
    #[must_use]
    pub fn ready() -> Requests {
        let mut cluster = Cluster::build(&setup(1, 3));
        cluster.pass(READY);
        cluster.load(0, AT_ONCE);
        Requests(cluster)
    }

    /// Lets `simulated` time pass; how many requests were answered in it.
    pub fn run(&mut self, simulated: Duration) -> u64 {
        let served = |cluster: &Cluster| cluster.board().borrow().served;
        let before = served(&self.0);
        self.0.pass(simulated);
        served(&self.0) - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_hosts_stay_idle() {
        assert!(Idle::ready().run(Duration::from_secs(5)));
    }

    #[test]
    fn the_load_is_answered_by_the_backends_through_the_proxy() {
        // 64 at once, each of six trips of 1 to 3 ms: some 5,000 a second.
        let served = Requests::ready().run(Duration::from_secs(1));
        assert!((2_000..20_000).contains(&served), "{served}");
    }
}

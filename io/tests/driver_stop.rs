//! A clean stop lets the notify scripts end, for a bounded time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use standfast_core::action::{Action, BfdPath};
use standfast_core::balance::view::PoolView;
use standfast_core::config::item::Item;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::{Command, Config, FrontendConfig};
use standfast_core::config::source::MemorySource;
use standfast_core::id::{BfdId, Interface, PoolId, Ticket};
use standfast_core::input::{CheckCode, Input, KernelNotice, Link, Outcome};
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::check::{Checker, Scripts};
use standfast_io::clock::Clock;
use standfast_io::driver::{Driver, LAST_SCRIPTS, Observer, Parts};
use standfast_io::host::{AddressRequest, Host};
use standfast_io::proxy::DataPlane;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, pending};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use support::Plain;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// A host with one link, whose kernel does at once what it is asked.
struct OneLink(VecDeque<Input<'static>>);

impl OneLink {
    fn new() -> OneLink {
        let link = Link {
            interface: Interface(2),
            name: "eth0".into(),
            up: true,
            running: true,
            multicast: true,
            no_arp: false,
            mtu: 1500,
            mac: None,
        };
        let address = "192.0.2.10/24".parse().unwrap();
        let ours = KernelNotice::Address { on: Interface(2), address, marked: false, tentative: false };
        let dump = [KernelNotice::ResyncBegin, KernelNotice::Link(link), ours, KernelNotice::ResyncEnd];
        OneLink(dump.into_iter().map(Input::Kernel).collect())
    }
}

impl Host for OneLink {
    fn advertise(&mut self, _: Interface, _: IpAddr, _: IpAddr, _: u8, _: Vec<u8>) {}
    fn receive(&mut self, ticket: Ticket, _: Interface, _: IpAddr, _: bool) {
        self.0.push_back(Input::Done { ticket, result: Ok(()) });
    }
    fn address(&mut self, request: AddressRequest) {
        self.0.push_back(Input::Done { ticket: request.ticket, result: Ok(()) });
    }
    fn item(&mut self, ticket: Ticket, _: &Item, _: bool) {
        self.0.push_back(Input::Done { ticket, result: Ok(()) });
    }
    fn announce(&mut self, _: Interface, _: IpAddr) {}
    fn session(&mut self, ticket: Ticket, _: BfdId, _: Option<BfdPath>) {
        self.0.push_back(Input::Done { ticket, result: Ok(()) });
    }
    fn control(&mut self, _: BfdId, _: &[u8]) {}
    async fn next(&mut self) -> Input<'static> {
        match self.0.pop_front() {
            Some(input) => input,
            None => pending().await,
        }
    }
}

struct NoProxy;

impl DataPlane for NoProxy {
    fn listen(&mut self, _: Ticket, _: Arc<FrontendConfig>, _: bool) {}
    fn publish(&mut self, _: PoolId, _: Option<Arc<PoolView>>) {}
    async fn next(&mut self) -> Input<'static> {
        pending().await
    }
}

/// tokio's own, paused clock.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Time {
        Time::ZERO + self.0.elapsed()
    }
    fn instant(&self, at: Time) -> Instant {
        self.0 + at.since(Time::ZERO)
    }
}

struct Blind;

impl Observer for Blind {
    fn start(&mut self, _: &Config, _: Seed, _: Time) {}
    fn input(&mut self, _: Time, _: &Node, _: &Input<'_>) {}
    fn action(&mut self, _: Time, _: &Config, _: &Action) {}
}

/// Scripts that each take so long; the second word of those that ended.
#[derive(Clone)]
struct Slow(Duration, Rc<RefCell<Vec<String>>>);

impl Scripts for Slow {
    fn run(&self, command: &Command, _within: Duration) -> impl Future<Output = Outcome> + 'static {
        let (Slow(takes, ended), argv) = (self.clone(), command.argv.clone());
        async move {
            sleep(takes).await;
            ended.borrow_mut().push(argv[1].clone());
            let (code, info) = (CheckCode::ScriptOk, String::new());
            Outcome { passed: true, code, status: None, info, took: takes }
        }
    }
}

const FILE: &str = "vrrp_instance V {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress { 192.0.2.100/24 }
}
";

/// A backup with a script for its end and one for every state.
fn config() -> Arc<Config> {
    let source = MemorySource::with("/k.conf", FILE.as_bytes());
    let loaded = load(&[(Language::Keepalived, "/k.conf")], &source, None, &Options::default());
    let mut config = loaded.config.unwrap();
    let script = |word: &str| Some(Command { argv: ["script", word].map(String::from).into(), user: None });
    let instance = Arc::make_mut(config.instances.values_mut().next().unwrap());
    (instance.notify.stop, instance.notify.any) = (script("stop"), script("any"));
    Arc::new(config)
}

/// Stops it two seconds after its start, with scripts that each take so long: which of them ended, how many were cut
/// short, and how long the stop took.
async fn stop(takes: Duration) -> (Vec<String>, usize, Duration) {
    let ended = Rc::default();
    let checker = Checker::new(Plain, Slow(takes, Rc::clone(&ended)));
    let parts = Parts { host: OneLink::new(), data: NoProxy, checker, clock: Paused(Instant::now()) };
    let driver = Driver::new(config(), Seed(1), parts, Blind);
    let (orders, wanted) = mpsc::channel(1);
    let order = async {
        sleep(Duration::from_secs(2)).await;
        orders.send(Input::Stop.into()).await.unwrap();
        Instant::now()
    };
    let (cut, stopped) = tokio::join!(driver.run(wanted), order);
    let ended = ended.borrow().clone();
    (ended, cut, stopped.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_its_scripts_and_no_longer() {
    let takes = Duration::from_millis(300);
    let (ended, cut, after) = stop(takes).await;
    assert_eq!((ended, cut), (["any", "stop", "any"].map(String::from).to_vec(), 0));
    assert!(after >= takes * 2 && after < LAST_SCRIPTS, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn scripts_that_take_longer_than_a_stop_may_wait_are_cut_short_and_counted() {
    let takes = Duration::from_millis(600);
    let (ended, cut, after) = stop(takes).await;
    assert_eq!((ended, cut), (["any", "stop"].map(String::from).to_vec(), 1));
    assert!(after >= LAST_SCRIPTS && after < LAST_SCRIPTS * 11 / 10, "{after:?}");
}

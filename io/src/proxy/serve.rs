//! One accepted connection, from its first choice of a server to its log line, as `core::session` decides.

use super::counts::{Held, Key};
use super::local::{Front, Shared};
use super::relay::{Early, Relay};
use super::tcplog::{Line, connect_line, tcplog};
use crate::clock::Clock;
use crate::fabric::Fabric;
use crate::log::LineSink;
use standfast_core::balance::pick::Ask;
use standfast_core::balance::view::PoolView;
use standfast_core::id::{PoolId, ServerId};
use standfast_core::session::{Choice, ConnectError, Event, Session, Step};
use standfast_core::time::Time;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::watch;

/// Severity of session lines (`info`).
const INFO: u8 = 6;

/// Serves `client`, accepted by `front`, to its end.
pub(super) async fn serve<F: Fabric, L: LineSink, C: Clock + Clone + 'static>(
    shared: Rc<Shared<F, L, C>>,
    front: Rc<Front>,
    client: F::Stream,
    from: SocketAddr,
    held: [Option<Held>; 2],
) {
    let accepted = (shared.wall)();
    let config = front.config();
    if !config.tcplog
        && let Ok(local) = shared.fabric.local(&client)
    {
        shared.log.line(&config.log, INFO, &connect_line(from, local, &config.name));
    }
    let mut session = Session::new(shared.clock.now(), config.client);
    let mut connection = Connection {
        shared: &shared,
        front: &front,
        from,
        pool: config.pool,
        session: &mut session,
        server: None,
    };
    connection.run(client).await;
    // Given back before the line is written: like haproxy's, it counts the others on pool and server.
    let on = connection.server.take().map(|(id, _)| id);
    if let (Some(pool), Some(server)) = (config.pool, on) {
        shared.closed(pool, server);
    }
    let report = session.report();
    let silent = config.dont_log_null && report.from_client == 0 && report.from_server == 0;
    if config.tcplog && !silent {
        let pool = config.pool.and_then(|pool| shared.pool_name(pool));
        let line = Line {
            client: from,
            accepted,
            frontend: &config.name,
            pool: pool.as_deref().unwrap_or(&config.name),
            open: shared.counts.open(config.id, config.pool, on),
        };
        shared.log.line(&config.log, INFO, &tcplog(&line, &report));
    }
    drop(held);
    shared.freed.notify_one();
}

struct Connection<'a, F: Fabric, L, C> {
    shared: &'a Shared<F, L, C>,
    front: &'a Front,
    from: SocketAddr,
    pool: Option<PoolId>,
    session: &'a mut Session,
    /// The server being used, and its place in the count.
    server: Option<(ServerId, Option<Held>)>,
}

impl<F: Fabric, L: LineSink, C: Clock + Clone + 'static> Connection<'_, F, L, C> {
    async fn run(&mut self, client: F::Stream) {
        let _in_pool = self.pool.and_then(|pool| self.shared.counts.hold(Key::Pool(pool), u32::MAX));
        let mut client = Early::new(client);
        let mut step = self.feed(Event::Start);
        loop {
            step = match step {
                Step::Connect { server, address } => match self.connect(&mut client, server, address).await {
                    Ok(upstream) => {
                        self.tally(server, true);
                        let step = self.feed(Event::Connected);
                        debug_assert_eq!(step, Step::Relay);
                        return self.relay(Relay::new(client, upstream)).await;
                    }
                    Err(event) => {
                        if let Event::ConnectFailed(why) = event
                            && why != ConnectError::Resources
                        {
                            self.tally(server, false);
                        }
                        self.feed(event)
                    }
                },
                Step::Finish { reset_client, .. } => {
                    if reset_client {
                        self.shared.fabric.reset_on_drop(client.client());
                    }
                    return;
                }
                // Only a pause is given here; waiting for the deadline would be right for the others too.
                Step::Pause | Step::None | Step::ShutdownWrite(_) | Step::Relay => {
                    let event = self.meanwhile(&mut client, std::future::pending()).await;
                    self.feed(event.unwrap_or(Event::Deadline))
                }
            };
        }
    }

    async fn connect(
        &mut self,
        client: &mut Early<F::Stream>,
        server: ServerId,
        address: SocketAddr,
    ) -> Result<F::Stream, Event> {
        self.server = Some((server, self.shared.counts.hold(Key::Server(server), u32::MAX)));
        let shared = self.shared;
        let mut connected = None;
        let attempt = async {
            let result = shared.fabric.connect(address).await;
            connected = Some(result);
        };
        let event = self.meanwhile(client, attempt).await;
        match (connected, event) {
            (Some(Ok(stream)), _) => Ok(stream),
            (Some(Err(error)), _) => {
                let why = why(&error);
                if why == ConnectError::Resources {
                    self.shared.trouble(&self.front.config(), "connect to servers", &error);
                }
                Err(Event::ConnectFailed(why))
            }
            (None, event) => Err(event.unwrap_or(Event::ConnectFailed(ConnectError::TimedOut))),
        }
    }

    /// Waits for `attempt`, for the client's reset, which is returned, or for the session's deadline.
    async fn meanwhile(
        &mut self,
        client: &mut Early<F::Stream>,
        attempt: impl Future<Output = ()>,
    ) -> Option<Event> {
        let deadline = self.session.deadline().map(|at| self.shared.clock.instant(at));
        let (session, clock) = (&mut *self.session, &self.shared.clock);
        tokio::select! { biased;
            () = attempt => None,
            event = poll_fn(|cx| client.poll(cx, session, clock)) => Some(event),
            () = sleep_until(deadline) => None,
        }
    }

    async fn relay(&mut self, mut relay: Relay<F::Stream>) {
        let mut view = self.pool.and_then(|pool| self.shared.watch(pool));
        if let Some(view) = &mut view {
            view.mark_changed(); // the server may have been marked down while it was being connected
        }
        let finish = loop {
            let deadline = self.session.deadline().map(|at| self.shared.clock.instant(at));
            let session = &mut *self.session;
            let clock = &self.shared.clock;
            let before = session.deadline();
            let step = tokio::select! { biased;
                step = poll_fn(|cx| match relay.poll(cx, session, clock) {
                    Poll::Ready(step) => Poll::Ready(Some(step)),
                    Poll::Pending if sooner(session.deadline(), before) => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }) => step.unwrap_or(Step::None),
                () = sleep_until(deadline) => self.feed(Event::Deadline),
                gone = marked_down(&mut view, self.server.as_ref().map(|(id, _)| *id)) => {
                    if gone { self.feed(Event::ServerGone) } else { Step::None }
                }
            };
            if let Step::Finish { reset_client, reset_server } = step {
                break (reset_client, reset_server);
            }
        };
        let (client, server) = relay.streams();
        if finish.0 {
            self.shared.fabric.reset_on_drop(client);
        }
        if finish.1 {
            self.shared.fabric.reset_on_drop(server);
        }
    }

    fn feed(&mut self, event: Event) -> Step {
        let now = self.shared.clock.now();
        let load = |server| self.shared.counts.open_on(server);
        let ask = Ask { exclude: None, client: Some(self.from.ip()), load: &load };
        let mut pools = self.shared.pools.borrow_mut();
        let choice = self.pool.and_then(|pool| pools.get_mut(&pool)).map(|pool| {
            let view = pool.view.borrow().clone();
            (view, &mut pool.picker)
        });
        match choice {
            Some((view, picker)) => self.session.on(now, event, Some(Choice { view: &view, picker, ask })),
            None => self.session.on(now, event, None),
        }
    }

    fn tally(&self, server: ServerId, connected: bool) {
        if let Some(pool) = self.pool {
            self.shared.tally(pool, server, connected);
        }
    }
}

fn why(error: &io::Error) -> ConnectError {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset) {
        ConnectError::Refused
    } else if kind == io::ErrorKind::TimedOut {
        ConnectError::TimedOut
    } else if exhausted(error) {
        ConnectError::Resources
    } else {
        ConnectError::Other
    }
}

/// This host lacks something, whatever the server is like.
fn exhausted(error: &io::Error) -> bool {
    let lacking =
        [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL, libc::EAGAIN];
    error.raw_os_error().is_some_and(|errno| lacking.contains(&errno))
}

/// The deadline moved closer (a direction ended), so that the running sleep would be too long.
fn sooner(now: Option<Time>, before: Option<Time>) -> bool {
    match (now, before) {
        (Some(now), Some(before)) => now < before,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits for a change of the pool; true when it says that connections to `server` must end.
async fn marked_down(view: &mut Option<watch::Receiver<Arc<PoolView>>>, server: Option<ServerId>) -> bool {
    let Some(receiver) = view else { return std::future::pending().await };
    if receiver.changed().await.is_err() {
        *view = None; // the pool is gone; its connections may end by themselves
        return false;
    }
    let view = receiver.borrow_and_update();
    view.servers.iter().any(|s| Some(s.id) == server && s.shutdown)
}

//! Moves bytes both ways between a client and a server, and tells the session what it saw.
//!
//! One scratch buffer per thread; a private buffer exists only for what the other side did not take, and while it
//! holds anything its side is not read (back pressure). An end is passed on once its data is flushed; half close is
//! kept. A budget per wake keeps one busy connection from starving the others of its thread.

use crate::clock::Clock;
use standfast_core::session::{Event, Session, Side, Step};
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The scratch buffer of a thread, in bytes; also the most that one connection keeps for a slow side.
pub const SCRATCH: usize = 64 * 1024;
/// Reads per direction and wake before the others get their turn.
const BUDGET: usize = 16;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// One direction of a relayed connection.
#[derive(Debug, Default)]
struct Direction {
    pending: Vec<u8>,
    taken: usize,
    eof: bool,
    told: bool,
}

/// A client whose server is not there yet. It is read at once, so that a reset ends the search for a server (haproxy:
/// `CC`), but only for one buffer: more waits in the kernel. Its end alone ends nothing, unlike with haproxy: a
/// client may have nothing to say and still want to hear the server.
#[derive(Debug)]
pub(super) struct Early<S> {
    client: S,
    up: Direction,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Early<S> {
    pub(super) fn new(client: S) -> Early<S> {
        Early { client, up: Direction::default() }
    }

    pub(super) fn client(&self) -> &S {
        &self.client
    }

    /// Reads ahead; ready when the client has reset the connection.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        clock: &impl Clock,
    ) -> Poll<Event> {
        let Early { client, up } = self;
        while !up.eof && up.pending.is_empty() {
            let read = BUFFER.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *client).poll_read(cx, &mut buffer))?;
                up.pending.extend_from_slice(buffer.filled());
                Poll::Ready(Ok::<_, std::io::Error>(buffer.filled().len()))
            });
            match ready!(read) {
                Ok(0) => up.eof = true,
                Ok(n) => {
                    session.on(clock.now(), Event::Read(Side::Client, n), None);
                }
                Err(_) => return Poll::Ready(Event::Reset(Side::Client)),
            }
        }
        Poll::Pending
    }
}

/// Both directions.
#[derive(Debug)]
pub(super) struct Relay<S> {
    client: S,
    server: S,
    up: Direction,
    down: Direction,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Relay<S> {
    /// Between a client, with what it said so far, and `server`.
    pub(super) fn new(early: Early<S>, server: S) -> Relay<S> {
        Relay { client: early.client, server, up: early.up, down: Direction::default() }
    }

    /// The two streams, client first.
    pub(super) fn streams(&self) -> (&S, &S) {
        (&self.client, &self.server)
    }

    /// Moves what can be moved; ready with the step that ends the connection.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        clock: &impl Clock,
    ) -> Poll<Step> {
        for side in [Side::Client, Side::Server] {
            let (from, to, direction) = match side {
                Side::Client => (&mut self.client, &mut self.server, &mut self.up),
                Side::Server => (&mut self.server, &mut self.client, &mut self.down),
            };
            let Poll::Ready(end) = direction.poll(cx, from, to, side, session, clock) else { continue };
            match session.on(clock.now(), end, None) {
                Step::ShutdownWrite(at) => {
                    let stream = if at == Side::Client { &mut self.client } else { &mut self.server };
                    // An end that cannot be passed on shows as a reset at the next read or write.
                    let _ = Pin::new(stream).poll_shutdown(cx);
                }
                Step::None => {}
                step @ (Step::Finish { .. } | Step::Connect { .. } | Step::Pause | Step::Relay) => {
                    return Poll::Ready(step);
                }
            }
        }
        Poll::Pending
    }
}

impl Direction {
    /// Moves bytes from `from` to `to`; ready once, with the end or the reset.
    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut S,
        to: &mut S,
        side: Side,
        session: &mut Session,
        clock: &impl Clock,
    ) -> Poll<Event> {
        if self.told {
            return Poll::Pending;
        }
        for _ in 0..BUDGET {
            if let Err(event) = ready!(self.flush(cx, to, side, session, clock)) {
                self.told = true;
                return Poll::Ready(event);
            }
            if self.eof {
                self.told = true;
                return Poll::Ready(Event::Eof(side));
            }
            let moved = BUFFER.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                if ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer)).is_err() {
                    return Poll::Ready(Err(Event::Reset(side)));
                }
                let bytes = buffer.filled();
                if bytes.is_empty() {
                    self.eof = true;
                    return Poll::Ready(Ok(()));
                }
                session.on(clock.now(), Event::Read(side, bytes.len()), None);
                match Pin::new(&mut *to).poll_write(cx, bytes) {
                    Poll::Ready(Ok(n)) => {
                        session.on(clock.now(), Event::Wrote(side.other(), n), None);
                        self.pending.extend_from_slice(&bytes[n..]);
                        Poll::Ready(Ok(()))
                    }
                    Poll::Ready(Err(_)) => Poll::Ready(Err(Event::Reset(side.other()))),
                    Poll::Pending => {
                        self.pending.extend_from_slice(bytes);
                        Poll::Ready(Ok(()))
                    }
                }
            });
            if let Err(event) = ready!(moved) {
                self.told = true;
                return Poll::Ready(event);
            }
        }
        cx.waker().wake_by_ref(); // the budget is spent, the socket is not
        Poll::Pending
    }

    /// Hands over what was kept back.
    fn flush<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut S,
        side: Side,
        session: &mut Session,
        clock: &impl Clock,
    ) -> Poll<Result<(), Event>> {
        while self.taken < self.pending.len() {
            match ready!(Pin::new(&mut *to).poll_write(cx, &self.pending[self.taken..])) {
                Ok(n) if n > 0 => {
                    session.on(clock.now(), Event::Wrote(side.other(), n), None);
                    self.taken += n;
                }
                Ok(_) | Err(_) => return Poll::Ready(Err(Event::Reset(side.other()))),
            }
        }
        // Freed, not only cleared: an idle connection holds no buffer.
        self.pending = Vec::new();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }
}

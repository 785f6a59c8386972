//! The sender of log lines: unix datagrams, UDP, standard output and error.
//!
//! Never blocks its callers: lines go through two bounded queues, one for datagrams and one for streams (whose
//! reader may have stopped reading), each emptied by a thread of its own. What does not fit, or cannot be sent, is
//! counted, and complained about on standard error once per burst.

use super::frame::{Moment, Speaker, frame};
use super::{LineSink, Style};
use standfast_core::config::model::{LogFormat, LogTarget, LogTo};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// The socket of the host's syslog.
const SYSLOG: &str = "/dev/log";
/// Lines that may wait in each of the two queues.
pub const MAX_WAITING: usize = 4096;

/// Sends log lines; clones share one sender.
#[derive(Clone, Debug)]
pub struct Logger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    speaker: Speaker,
    style: Style,
    datagrams: SyncSender<Job>,
    streams: SyncSender<Job>,
    counters: Arc<Counters>,
    /// Who is told the daemon's own lines besides standard error.
    also: std::sync::OnceLock<LogTarget>,
}

#[derive(Debug, Default)]
struct Counters {
    lost: AtomicU64,
    complained: AtomicBool,
}

#[derive(Debug)]
enum Job {
    Line(LogTo, String),
    /// Everything before this has been sent.
    Flush(SyncSender<()>),
}

impl Logger {
    /// A logger that names itself `tag`, and whose own log on standard error has this style.
    ///
    /// # Errors
    /// When the kernel gives no threads.
    pub fn new(tag: &str, style: Style) -> std::io::Result<Logger> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        let speaker = Speaker {
            host: if host.is_empty() { "-".to_owned() } else { host.to_owned() },
            tag: tag.to_owned(),
            pid: std::process::id(),
        };
        let counters = Arc::<Counters>::default();
        let datagrams = start("log-datagrams", &counters)?;
        let streams = start("log-streams", &counters)?;
        Ok(Logger {
            shared: Arc::new(Shared {
                speaker,
                style,
                datagrams,
                streams,
                counters,
                also: std::sync::OnceLock::new(),
            }),
        })
    }

    /// The same, and its own lines go to the syslog socket with this facility as well.
    #[must_use]
    pub fn also(self, facility: Option<u8>) -> Logger {
        if let Some(facility) = facility {
            let to = LogTo::Unix(SYSLOG.to_owned());
            let target = LogTarget { to, format: LogFormat::Local, facility, level: 7, length: u16::MAX };
            let _ = self.shared.also.set(target); // the first one counts
        }
        self
    }

    /// Lines lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.counters.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything sent so far is out, at most `within`: for the end of the process.
    pub fn flush(&self, within: Duration) {
        let (done, all_done) = sync_channel(2);
        let mut waiting = 0;
        for queue in [&self.shared.datagrams, &self.shared.streams] {
            waiting += usize::from(queue.try_send(Job::Flush(done.clone())).is_ok());
        }
        for _ in 0..waiting {
            if all_done.recv_timeout(within).is_err() {
                return;
            }
        }
    }
}

impl LineSink for Logger {
    fn line(&self, targets: &[LogTarget], level: u8, text: &str) {
        let shared = &self.shared;
        let mut now = None;
        for target in targets.iter().filter(|target| level <= target.level) {
            let now = now.get_or_insert_with(Moment::now);
            let line = frame(&shared.speaker, now, target, level, text);
            let queue = match target.to {
                LogTo::Unix(_) | LogTo::Udp(_) => &shared.datagrams,
                LogTo::Stdout | LogTo::Stderr => &shared.streams,
            };
            if queue.try_send(Job::Line(target.to.clone(), line)).is_err() {
                shared.counters.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn own(&self, level: u8, text: &str) {
        let format = match self.shared.style {
            Style::Plain | Style::Timestamp => LogFormat::Raw,
            Style::Journal => LogFormat::Short,
        };
        if let Some(also) = self.shared.also.get() {
            self.line(core::slice::from_ref(also), level, text);
        }
        let stderr = LogTarget { to: LogTo::Stderr, format, facility: 3, level: 7, length: u16::MAX };
        match self.shared.style {
            Style::Plain | Style::Journal => self.line(&[stderr], level, text),
            Style::Timestamp => {
                let now = Moment::now();
                let millis = now.micros / 1000;
                self.line(&[stderr], level, &format!("{}.{millis:03} {text}", now.short()));
            }
        }
    }
}

fn start(name: &str, counters: &Arc<Counters>) -> std::io::Result<SyncSender<Job>> {
    let (queue, jobs) = sync_channel(MAX_WAITING);
    let counters = Arc::clone(counters);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || write(&jobs, &counters))?;
    Ok(queue)
}

fn write(jobs: &Receiver<Job>, counters: &Counters) {
    let mut sockets = Sockets::default();
    for job in jobs {
        match job {
            Job::Line(to, line) => match sockets.send(&to, &line) {
                Ok(()) => {
                    counters.complained.store(false, Ordering::Relaxed);
                }
                Err(error) => {
                    let lost = counters.lost.fetch_add(1, Ordering::Relaxed) + 1;
                    if !counters.complained.swap(true, Ordering::Relaxed) {
                        let _ = writeln!(
                            std::io::stderr(),
                            "cannot log to {}: {error}; {lost} lines lost so far",
                            name(&to)
                        );
                    }
                }
            },
            Job::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

fn name(to: &LogTo) -> String {
    match to {
        LogTo::Unix(path) => path.clone(),
        LogTo::Udp(address) => address.to_string(),
        LogTo::Stdout => "standard output".to_owned(),
        LogTo::Stderr => "standard error".to_owned(),
    }
}

/// Open sockets, by target; one that fails is closed and opened anew for the next line.
#[derive(Default)]
struct Sockets {
    unix: BTreeMap<String, UnixDatagram>,
    udp: BTreeMap<bool, UdpSocket>,
}

impl Sockets {
    fn send(&mut self, to: &LogTo, line: &str) -> std::io::Result<()> {
        match to {
            LogTo::Unix(path) => {
                // A second try: the syslog daemon may have been restarted since the last line.
                self.unix(path, line).or_else(|_| {
                    self.unix.remove(path);
                    self.unix(path, line)
                })
            }
            LogTo::Udp(address) => self.udp(address, line),
            LogTo::Stdout => ended(std::io::stdout().lock(), line),
            LogTo::Stderr => ended(std::io::stderr().lock(), line),
        }
    }

    fn unix(&mut self, path: &str, line: &str) -> std::io::Result<()> {
        if !self.unix.contains_key(path) {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect(path)?;
            self.unix.insert(path.to_owned(), socket);
        }
        self.unix.get(path).expect("inserted above").send(line.as_bytes()).map(drop)
    }

    fn udp(&mut self, address: &SocketAddr, line: &str) -> std::io::Result<()> {
        let socket = match self.udp.entry(address.is_ipv6()) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                let any = if address.is_ipv6() {
                    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
                } else {
                    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
                };
                let socket = UdpSocket::bind(any)?;
                socket.set_nonblocking(true)?;
                place.insert(socket)
            }
        };
        socket.send_to(line.as_bytes(), address).map(drop)
    }
}

fn ended(mut stream: impl std::io::Write, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::config::model::LogFormat;

    const WAIT: Duration = Duration::from_secs(5);

    fn target(to: LogTo, level: u8) -> LogTarget {
        LogTarget { to, format: LogFormat::Short, facility: 16, level, length: 1024 }
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_restarted_syslog_gets_the_next_line() {
        let folder = std::env::temp_dir().join(format!("standfast-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        let targets = [target(LogTo::Unix(path.to_str().unwrap().to_owned()), 6)];
        let logger = Logger::new("test", Style::Plain).unwrap();

        let syslog = UnixDatagram::bind(&path).unwrap();
        syslog.set_read_timeout(Some(WAIT)).unwrap();
        logger.line(&targets, 7, "below the level");
        logger.line(&targets, 5, "one");
        assert_eq!(received(&syslog), "<5>one");

        drop(syslog);
        std::fs::remove_file(&path).unwrap();
        logger.line(&targets, 5, "two");
        logger.flush(WAIT);
        assert_eq!(logger.lost(), 1);

        let syslog = UnixDatagram::bind(&path).unwrap();
        syslog.set_read_timeout(Some(WAIT)).unwrap();
        logger.line(&targets, 5, "three");
        assert_eq!(received(&syslog), "<5>three");
        assert_eq!(logger.lost(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn udp_lines_arrive() {
        let syslog = UdpSocket::bind("127.0.0.1:0").unwrap();
        syslog.set_read_timeout(Some(WAIT)).unwrap();
        let logger = Logger::new("test", Style::Plain).unwrap();
        logger.line(&[target(LogTo::Udp(syslog.local_addr().unwrap()), 7)], 3, "one");
        let mut buffer = [0; 64];
        let length = syslog.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"<3>one");
    }

    #[test]
    fn one_line_more_than_may_wait_is_counted_as_lost() {
        let (datagrams, _unread) = sync_channel(MAX_WAITING);
        let (streams, _unread_too) = sync_channel(MAX_WAITING);
        let speaker = Speaker { host: "n1".into(), tag: "t".into(), pid: 1 };
        let counters = Arc::default();
        let shared = Shared {
            speaker,
            style: Style::Plain,
            datagrams,
            streams,
            counters,
            also: std::sync::OnceLock::new(),
        };
        let logger = Logger { shared: Arc::new(shared) };
        let targets = [target(LogTo::Stdout, 7)];
        for _ in 0..MAX_WAITING {
            logger.line(&targets, 5, "x");
        }
        assert_eq!(logger.lost(), 0);
        logger.line(&targets, 5, "x");
        assert_eq!(logger.lost(), 1);
    }
}

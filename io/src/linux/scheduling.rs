//! How this process stands to its host: the name that `ps` shows, its umask, and how the kernel schedules the thread that
//! decides. What the host refuses is said with the remedy, and the daemon goes on without it.
//!
//! Acts on the calling thread, so it is called from the control thread once the others run; scripts begin as usual
//! again (`SCHED_RESET_ON_FORK`). The only unsafe code about it; each block says why it holds.

use standfast_core::config::process::{MAX_PROCESSORS, ProcessConfig};
use std::io;
use std::time::Duration;

/// Words of the kernel's processor mask.
const MASK: usize = MAX_PROCESSORS as usize / 64;

/// Makes the process as `wanted`, where that differs from `before`; what was refused, in words.
pub fn apply(wanted: &ProcessConfig, before: &ProcessConfig) -> Vec<String> {
    let mut troubles = Vec::new();
    let mut told = |what: String, remedy: &str, result: io::Result<()>| {
        if let Err(error) = result {
            troubles.push(format!("{what} is not set: {error}{remedy}"));
        }
    };
    const NICE: &str = "; it needs CAP_SYS_NICE (AmbientCapabilities=, --cap-add)";
    if let Some(name) = wanted.name.as_deref().filter(|_| wanted.name != before.name) {
        told(format!("The process name {name}"), "", std::fs::write("/proc/self/comm", name));
    }
    if let Some(mask) = wanted.umask.filter(|_| wanted.umask != before.umask) {
        umask(mask);
    }
    if wanted.processors != before.processors {
        let what = format!("The choice of processors {:?}", wanted.processors);
        told(what, "; name processors that this machine has", affinity(&wanted.processors));
    }
    if wanted.nice != before.nice {
        let value = wanted.nice.unwrap_or(0);
        told(format!("Priority {value}"), NICE, nice(value));
    }
    if wanted.realtime_limit != before.realtime_limit {
        told("The limit of real-time work".to_owned(), "", limit(wanted.realtime_limit));
    }
    if wanted.realtime != before.realtime {
        let what = format!("Real-time priority {}", wanted.realtime.unwrap_or(0));
        told(what, NICE, realtime(wanted.realtime));
    }
    if wanted.no_swap != before.no_swap {
        let remedy = "; it needs CAP_IPC_LOCK, or a larger LimitMEMLOCK=";
        told("Memory without swapping".to_owned(), remedy, lock_memory(wanted.no_swap));
    }
    troubles
}

fn result(answer: i64) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn umask(mask: u16) {
    #[expect(unsafe_code, reason = "umask takes a number and cannot fail")]
    // SAFETY: no pointer is involved.
    unsafe {
        libc::umask(libc::mode_t::from(mask))
    };
}

fn nice(value: i8) -> io::Result<()> {
    #[expect(unsafe_code, reason = "setpriority takes three numbers")]
    // SAFETY: no pointer is involved; on Linux 0 is the calling thread.
    let answer = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, i32::from(value)) };
    result(i64::from(answer))
}

fn realtime(priority: Option<u8>) -> io::Result<()> {
    let policy = if priority.is_some() { libc::SCHED_RR } else { libc::SCHED_OTHER };
    let wanted = libc::sched_param { sched_priority: i32::from(priority.unwrap_or(0)) };
    #[expect(unsafe_code, reason = "sched_setscheduler reads one structure")]
    // SAFETY: the pointer is to a live structure of the right type, which the kernel only reads; 0 is the calling thread.
    let answer =
        unsafe { libc::sched_setscheduler(0, policy | libc::SCHED_RESET_ON_FORK, &raw const wanted) };
    result(i64::from(answer))
}

fn limit(time: Option<Duration>) -> io::Result<()> {
    let soft = time.map_or(libc::RLIM_INFINITY, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let wanted = libc::rlimit { rlim_cur: soft, rlim_max: libc::RLIM_INFINITY };
    #[expect(unsafe_code, reason = "setrlimit reads one structure")]
    // SAFETY: the pointer is to a live structure of the right type, which the kernel only reads.
    let answer = unsafe { libc::setrlimit(libc::RLIMIT_RTTIME, &raw const wanted) };
    result(i64::from(answer))
}

/// Pages are locked when they are first used: the recorder's file is large and mostly untouched.
fn lock_memory(lock: bool) -> io::Result<()> {
    #[expect(unsafe_code, reason = "mlockall takes a number, munlockall nothing")]
    // SAFETY: no pointer is involved; what is locked and unlocked is the whole process.
    let answer = unsafe {
        if lock {
            libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT)
        } else {
            libc::munlockall()
        }
    };
    result(i64::from(answer))
}

fn affinity(processors: &[u16]) -> io::Result<()> {
    let mut mask = [if processors.is_empty() { u64::MAX } else { 0_u64 }; MASK];
    for processor in processors.iter().filter(|processor| **processor < MAX_PROCESSORS) {
        mask[usize::from(processor / 64)] |= 1 << (processor % 64);
    }
    #[expect(unsafe_code, reason = "sched_setaffinity reads a mask of the given size")]
    // SAFETY: the pointer is to a live array of exactly that many octets, which the kernel only reads; 0 is the
    // calling thread.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&mask), mask.as_ptr()) };
    result(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_before_is_left_alone_and_what_the_host_has_not_is_said() {
        let before = ProcessConfig::default();
        assert_eq!(apply(&before, &before), Vec::<String>::new());
        let wanted = ProcessConfig { processors: vec![MAX_PROCESSORS - 1], ..ProcessConfig::default() };
        let troubles = apply(&wanted, &before);
        assert!(troubles.len() == 1 && troubles[0].contains("[1023]"), "{troubles:?}");
    }

    #[test]
    fn a_thread_may_be_nice_on_chosen_processors() {
        let allowed = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let line = allowed.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap_or("0");
        let first: u16 = line.split(['-', ',']).next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let wanted = ProcessConfig { nice: Some(7), processors: vec![first], ..ProcessConfig::default() };
        assert_eq!(apply(&wanted, &ProcessConfig::default()), Vec::<String>::new());
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        assert!(status.contains(&format!("Cpus_allowed_list:\t{first}\n")), "{status}");
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
        let nice = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(16));
        assert_eq!(nice, Some("7"));
    }
}

//! What a script's process needs and std does not offer: a signal to a whole process group, being told of its
//! parent's death, and no descriptor of anybody else's.
//!
//! The only unsafe code of script processes; each block says why it holds.

use std::io;
use tokio::process::Command;

/// Sends `signal` to every process of the group `leader`; whether anybody was there.
pub(super) fn signal_group(leader: i32, signal: i32) -> bool {
    debug_assert!(leader > 1, "zero is our own group, one is everybody");
    if leader <= 1 {
        return false;
    }
    #[expect(unsafe_code, reason = "kill takes two numbers and touches no memory of ours")]
    // SAFETY: no pointer is involved; a group that is gone gives an error.
    let sent = unsafe { libc::kill(-leader, signal) };
    sent == 0
}

/// Makes the process of `command` receive TERM when this thread ends, whatever ended it, and inherit no descriptor
/// but its input and output.
pub(super) fn detach(command: &mut Command) {
    let parent = std::process::id();
    let hook = move || {
        #[expect(unsafe_code, reason = "prctl with numbers only, async-signal-safe")]
        // SAFETY: PR_SET_PDEATHSIG takes a signal number and no pointer.
        let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        #[expect(unsafe_code, reason = "close_range with numbers only, async-signal-safe")]
        // SAFETY: it only marks descriptors to be closed by exec; ours are marked so already, what is left are those
        // that whoever started the daemon forgot to mark. A kernel before 5.11 says no, and they stay.
        unsafe {
            libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
        };
        #[expect(unsafe_code, reason = "getppid has no arguments, async-signal-safe")]
        // SAFETY: it cannot fail.
        let now = unsafe { libc::getppid() };
        // The parent may have died before the call above. Seen from a PID namespace it may be zero as well.
        if u32::try_from(now) == Ok(parent) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the hook only makes async-signal-safe system calls and neither allocates nor locks.
    unsafe {
        command.pre_exec(hook)
    };
}

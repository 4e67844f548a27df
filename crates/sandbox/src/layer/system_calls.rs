//! The system calls that are refused, as data. The list follows those of container engines (Docker's default profile) and
//! adds what would go round the other layers.

use libc::c_long;

/// Refused with `EPERM`, whatever the arguments.
pub(crate) const REFUSED: &[c_long] = &[
    // Looking into, and reaching into, other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_process_madvise,
    // Work done by the kernel on the command's behalf passes seccomp by.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Programs in the kernel, and views into it.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_syslog,
    libc::SYS_lookup_dcookie,
    // Keys belong to the user, not to the namespace.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Files by number instead of by path pass Landlock's paths by.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // The machine.
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// No program does these by accident: the process is ended, which can be counted.
pub(crate) const FATAL: &[c_long] = &[
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
];

/// Answered as if the kernel were too old: its flags lie in memory, where seccomp can't read them, and the C library
/// falls back on `clone`, whose flags it can.
pub(crate) const UNKNOWN: &[c_long] = &[libc::SYS_clone3];

/// Flags of `clone` that make namespaces (`CLONE_NEWTIME` shares its bit with the exit signal and only `clone3` has it).
pub(crate) const NAMESPACE_FLAGS: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Requests of `ioctl` that type into a terminal (TIOCSTI, TIOCLINUX): the next line of the operator's shell.
pub(crate) const TYPING: [u32; 2] = [0x5412, 0x541C];

/// The bit that marks a call of the x32 kind, which shares its architecture with x86-64 and would pass a list of numbers by.
#[cfg(target_arch = "x86_64")]
pub(crate) const X32: u32 = 0x4000_0000;

/// Calls that have another number as x32 (arch/x86/entry/syscalls/syscall_64.tbl): ioctl, sendmsg, ptrace, kexec_load,
/// process_vm_readv, process_vm_writev, sendmmsg. A program of that kind is not run at all where these matter.
#[cfg(target_arch = "x86_64")]
pub(crate) const X32_OWN: [u32; 7] = [514, 518, 521, 528, 538, 539, 540];
